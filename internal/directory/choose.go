package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

const (
	// fewChoices is how many departments a form offers as a list; more are searched.
	fewChoices = 60
	// MatchesShown is how many matches a search for a department shows.
	MatchesShown = 20
)

// Option is a department to choose. Title has the departments above it.
type Option struct {
	ID    int64
	Path  string
	Title string
}

// Range says among which departments somebody chooses: those for which they
// hold a right, with Own those too that they belong to.
type Range struct {
	Right access.Right
	Own   bool
	kind  int
}

// Two ranges that go by no right: what the reader may open, and all there are.
var (
	InSight  = Range{kind: 1}
	Anywhere = Range{kind: 2}
)

// Within is the range of a right.
func Within(r access.Right) Range { return Range{Right: r} }

func (r Range) where(by access.Actor) sqlText {
	var w sqlText
	switch {
	case r.kind == InSight.kind:
		w.text, w.args = access.Sight(by, "d.path")
	case r.kind == Anywhere.kind:
		w.text = "1 = 1"
	default:
		w.text, w.args = access.Scope(by, r.Right, "d.path")
		if r.Own && len(by.Own) > 0 {
			w.text, w.args = "("+w.text+" OR d.path IN ?)", append(slices.Clone(w.args), by.Own)
		}
	}
	return w
}

// Chooser is what a form needs to let somebody choose departments: all of them
// when they are few, else those chosen and those that match what was typed.
type Chooser struct {
	Few     []Option
	Many    bool
	Chosen  []Option
	Typed   string
	Matches []Option
	More    bool // there are more matches
}

// Choose prepares the choice of departments. ids are the ones chosen now.
func (s *Service) Choose(ctx context.Context, by access.Actor, r Range, ids []int64, typed string) (Chooser, error) {
	db := s.db.WithContext(ctx)
	w := r.where(by)
	all, err := few(db, w, fewChoices)
	if err != nil || all != nil {
		return Chooser{Few: all}, err
	}
	c := Chooser{Many: true, Typed: line(typed)}
	if len(ids) > 0 {
		c.Chosen, err = choices(db, allOf([]sqlText{w, {"d.id IN ?", []any{ids}}}), "d.path", 4*MatchesShown)
	}
	if err != nil || c.Typed == "" {
		return c, err
	}
	if c.Matches, err = find(db, w, c.Typed); err != nil {
		return c, err
	}
	if c.More = len(c.Matches) > MatchesShown; c.More {
		c.Matches = c.Matches[:MatchesShown]
	}
	return c, nil
}

// Find lists the departments that a typed name or path (研发中心/平台组) means:
// one when it is a whole path, else those whose name contains it, the likeliest
// first.
func (s *Service) Find(ctx context.Context, by access.Actor, r Range, typed string) ([]Option, error) {
	return find(s.db.WithContext(ctx), r.where(by), line(typed))
}

func find(db *gorm.DB, w sqlText, typed string) ([]Option, error) {
	parts := partsOf(typed)
	if len(parts) == 0 || len([]rune(typed)) > (nameLimit+3)*(maxDepth+1) {
		return nil, nil
	}
	exact, err := walkDown(db, parts)
	if err != nil {
		return nil, err
	}
	if exact != 0 {
		found, err := choices(db, allOf([]sqlText{w, {"d.id = ?", []any{exact}}}), "d.id", 1)
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
	last := strings.ToLower(parts[len(parts)-1])
	where := []sqlText{w, like("lower(d.name)", last)}
	if len(parts) > 1 {
		above := like("lower(u.name)", strings.ToLower(parts[len(parts)-2]))
		where = append(where, sqlText{"EXISTS (SELECT 1 FROM departments u WHERE u.id = d.parent_id AND " + above.text + ")", above.args})
	}
	// The shortest name is the one that has least besides what was typed.
	return choices(db, allOf(where), "length(d.name), d.depth, d.id", MatchesShown+1)
}

func partsOf(typed string) (parts []string) {
	for _, part := range strings.FieldsFunc(typed, func(r rune) bool { return r == '/' || r == '／' }) {
		if part = line(part); part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) > maxDepth+1 {
		return nil
	}
	return parts
}

// walkTo is the department that a path means, with the organisation in front,
// without, or alone; 0 when there is none.
func walkTo(db *gorm.DB, path string) (int64, error) {
	parts := partsOf(path)
	if len(parts) == 0 {
		return 0, nil
	}
	id, err := walkDown(db, parts)
	if err != nil || id != 0 || len(parts) > 1 {
		return id, err
	}
	root, err := orRoot(db, 0)
	if err != nil {
		return 0, err
	}
	at, err := departmentByID(db, root)
	if errors.Is(err, fault.NotFound) || err == nil && !strings.EqualFold(at.Name, parts[0]) {
		return 0, nil
	}
	return at.ID, err
}

// walkDown follows a path of names from the organisation or from below it; 0
// when it leads nowhere.
func walkDown(db *gorm.DB, parts []string) (int64, error) {
	root, err := orRoot(db, 0)
	if err != nil {
		return 0, err
	}
	if len(parts) > 1 {
		var name string
		if err := db.Raw("SELECT name FROM departments WHERE id = ?", root).Scan(&name).Error; err != nil {
			return 0, fmt.Errorf("read the root: %w", err)
		}
		if strings.EqualFold(name, parts[0]) {
			parts = parts[1:]
		}
	}
	at := root
	for _, part := range parts {
		var next []int64
		err := db.Raw("SELECT id FROM departments WHERE coalesce(parent_id, 0) = ? AND lower(name) IN (lower(?), ?) ORDER BY id LIMIT 1", at, part, strings.ToLower(part)).Scan(&next).Error
		if err != nil {
			return 0, fmt.Errorf("follow a path: %w", err)
		}
		if len(next) == 0 {
			return 0, nil
		}
		at = next[0]
	}
	return at, nil
}

// few lists departments as the tree has them; nil when there are more than most.
func few(db *gorm.DB, w sqlText, most int) ([]Option, error) {
	var found []Option
	// In no order: of many, the database would sort them all to show none.
	if err := db.Raw("SELECT d.id, d.path FROM departments d WHERE "+w.text+" LIMIT ?", append(slices.Clone(w.args), most+1)...).Scan(&found).Error; err != nil {
		return nil, fmt.Errorf("list departments: %w", err)
	}
	if len(found) > most {
		return nil, nil
	}
	slices.SortFunc(found, func(a, b Option) int { return strings.Compare(a.Path, b.Path) })
	return titled(db, append([]Option{}, found...))
}

func choices(db *gorm.DB, w sqlText, order string, limit int) ([]Option, error) {
	var found []Option
	if err := db.Raw("SELECT d.id, d.path FROM departments d WHERE "+w.text+" ORDER BY "+order+" LIMIT ?", append(slices.Clone(w.args), limit)...).Scan(&found).Error; err != nil {
		return nil, fmt.Errorf("list departments: %w", err)
	}
	return titled(db, found)
}

func titled(db *gorm.DB, found []Option) ([]Option, error) {
	paths := make([]string, len(found))
	for i, c := range found {
		paths[i] = c.Path
	}
	titles, err := Lineages(db, paths)
	for i, c := range found {
		found[i].Title = titles[c.Path]
	}
	return found, err
}

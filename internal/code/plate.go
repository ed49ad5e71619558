package code

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Plate is what paper says about a code.
type Plate struct {
	Facts
	Now          State `gorm:"column:now_state"`
	Purpose      string
	Organisation string   `gorm:"-"`
	Trail        []string `gorm:"-"` // the department path in words
	URL          string   `gorm:"-"`
	Pieces       []Piece  `gorm:"-"` // numbered copies that may hang, in order of their serials
}

// Piece is one print of a code; serial 0 is the code itself.
type Piece struct {
	Serial    int
	URL       string
	TypedCode string
	Place     string
}

// Itself is the code's own print, without a number.
func (p Plate) Itself() Piece {
	piece := Piece{URL: p.URL}
	if p.TypedCode != nil {
		piece.TypedCode = *p.TypedCode
	}
	return piece
}

// MaxPieces is how many copies of one code are printed at once.
const MaxPieces = 2000

// Plate reads what may be printed of one code, its copies from one serial to
// another included, for somebody who may download it. req: A04, A08
func (s *Service) Plate(ctx context.Context, by access.Actor, publicID string, from, to int) (Plate, error) {
	tx := s.db.WithContext(ctx)
	if _, err := Reach(tx, by, access.CodeDownload, publicID); err != nil {
		return Plate{}, err
	}
	all, err := s.plates(tx, "c.public_id = ?", []any{publicID}, 1)
	if err != nil {
		return Plate{}, err
	}
	if len(all) == 0 {
		return Plate{}, fault.NotFound
	}
	return all[0], s.addPieces(tx, all, from, to)
}

// Selection is several codes: those of a list, of a group, or of a department
// and all below it.
type Selection struct {
	View       string // as in All
	Group      string // gid; empty is every group in scope
	Department int64  // 0 is every department
	Batch      int64  `json:",omitempty"` // of groups that were made or chosen together, by the asker; 0 = none
}

// Plates reads up to limit codes of a selection that by may download, in the
// order of departments and groups, with their copies if wanted.
func (s *Service) Plates(ctx context.Context, by access.Actor, sel Selection, copies bool, limit int) ([]Plate, error) {
	tx := s.db.WithContext(ctx)
	where, args, err := s.selected(tx, by, sel)
	if err != nil {
		return nil, err
	}
	all, err := s.plates(tx, where, args, limit)
	if err != nil || !copies {
		return all, err
	}
	return all, s.addPieces(tx, all, 1, 1<<18)
}

// Any reports whether there is a code in a selection.
func (s *Service) Any(ctx context.Context, by access.Actor, sel Selection) (bool, error) {
	tx := s.db.WithContext(ctx)
	where, args, err := s.selected(tx, by, sel)
	if err != nil {
		return false, err
	}
	var found []int64
	if err := tx.Raw("SELECT c.id"+factsFrom+" WHERE "+where+" LIMIT 1", args...).Scan(&found).Error; err != nil {
		return false, fmt.Errorf("look for a code: %w", err)
	}
	return len(found) > 0, nil
}

// selected is the condition of a selection. A group or a department of another
// scope is fault.NotFound, one in scope without the right fault.Forbidden.
func (s *Service) selected(tx *gorm.DB, by access.Actor, sel Selection) (string, []any, error) {
	if err := access.Check(by, access.CodeDownload, access.Object{}); err != nil && sel.Group == "" && sel.Department == 0 {
		return "", nil, err
	}
	where, args := visible(by)
	if sel.Group != "" {
		page, err := s.door(tx, by, access.CodeDownload, sel.Group)
		if err != nil {
			return "", nil, err
		}
		where, args = "("+where+") AND g.id = ?", append(args, page.Group.ID)
	}
	if sel.Department != 0 {
		d, err := departmentFor(tx, by, sel.Department)
		if err != nil {
			return "", nil, err
		}
		where, args = "("+where+") AND d.path LIKE ?", append(args, d.Path+"%")
	}
	if sel.Batch != 0 {
		where = "(" + where + ") AND g.id IN (SELECT r.group_id FROM group_batch_rows r JOIN group_batches b ON b.id = r.batch_id WHERE b.id = ? AND b.created_by = ? AND r.outcome = 'done')"
		args = append(args, sel.Batch, by.MemberID)
	}
	states := Views[sel.View]
	if slices.Contains(States, State(sel.View)) {
		states = []State{State(sel.View)}
	}
	if len(states) > 0 {
		org, err := directory.LoadOrganisation(tx)
		if err != nil {
			return "", nil, err
		}
		where, args = "("+where+") AND "+stateSQL+" IN ?", append(append(args, stateArgs(s.now(), org.Location())...), states)
	}
	return where, args, nil
}

// departmentFor reads a department for whose groups by may print codes: as
// super admin or head, or, for the groups by has a duty on, as a member of it.
func departmentFor(tx *gorm.DB, by access.Actor, id int64) (directory.Department, error) {
	where, args := access.Sight(by, "path")
	var found []directory.Department
	if err := tx.Where("id = ?", id).Where(where, args...).Limit(1).Find(&found).Error; err != nil {
		return directory.Department{}, fmt.Errorf("read a department: %w", err)
	}
	if len(found) == 0 {
		return directory.Department{}, fault.NotFound
	}
	if len(by.Duties) > 0 {
		return found[0], nil
	}
	return found[0], access.Check(by, access.CodeDownload, access.Object{Path: found[0].Path})
}

func (s *Service) plates(tx *gorm.DB, where string, args []any, limit int) ([]Plate, error) {
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return nil, err
	}
	args = append(stateArgs(s.now(), org.Location()), args...)
	var all []Plate
	err = tx.Raw("SELECT "+factsColumns+", g.purpose, "+stateSQL+" AS now_state"+factsFrom+" WHERE "+where+" ORDER BY d.path, g.name, g.id, c.id LIMIT ?",
		append(args, limit)...).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("read plates: %w", err)
	}
	names, err := departmentNames(tx, all)
	if err != nil {
		return nil, err
	}
	for i := range all {
		p := &all[i]
		p.Organisation, p.URL = org.Name, s.URL(p.PublicID, 0)
		for _, id := range PathIDs(p.DepartmentPath)[1:] { // the first is the organisation
			p.Trail = append(p.Trail, names[id])
		}
	}
	return all, nil
}

// departmentNames reads the names that stand in the paths of plates, with one query.
func departmentNames(tx *gorm.DB, plates []Plate) (map[int64]string, error) {
	var ids []int64
	for _, p := range plates {
		ids = append(ids, PathIDs(p.DepartmentPath)...)
	}
	slices.Sort(ids)
	names := map[int64]string{}
	for chunk := range slices.Chunk(slices.Compact(ids), 1000) {
		var found []directory.Department
		if err := tx.Select("id", "name").Where("id IN ?", chunk).Find(&found).Error; err != nil {
			return nil, fmt.Errorf("read department names: %w", err)
		}
		for _, d := range found {
			names[d.ID] = d.Name
		}
	}
	return names, nil
}

// addPieces adds the copies that are neither revoked nor taken down.
func (s *Service) addPieces(tx *gorm.DB, plates []Plate, from, to int) error {
	at := map[int64]*Plate{}
	ids := make([]int64, len(plates))
	for i := range plates {
		at[plates[i].ID], ids[i] = &plates[i], plates[i].ID
	}
	for chunk := range slices.Chunk(ids, 500) {
		var rows []struct {
			CodeID int64
			Piece  `gorm:"embedded"`
		}
		err := tx.Raw(`SELECT code_id, serial, coalesce(typed_code, '') AS typed_code, place FROM code_copies
			WHERE code_id IN ? AND serial BETWEEN ? AND ? AND revoked_at IS NULL AND removed_at IS NULL ORDER BY code_id, serial LIMIT ?`,
			chunk, from, to, (MaxPieces+1)*len(chunk)).Scan(&rows).Error
		if err != nil {
			return fmt.Errorf("read copies: %w", err)
		}
		for _, r := range rows {
			p := at[r.CodeID]
			r.URL = s.URL(p.PublicID, r.Serial)
			p.Pieces = append(p.Pieces, r.Piece)
		}
	}
	return nil
}

// Handing is what is handed out of one code.
type Handing struct {
	Format  string
	Details map[string]any
	Serials []int // of copies
}

// HandOut records that by takes files of a code away. What died since it was
// drawn is fault.Gone: printing it would lead people to a closed door. req: A04, A06
func (s *Service) HandOut(ctx context.Context, by access.Actor, publicID string, h Handing) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		f, err := Reach(tx, by, access.CodeDownload, publicID)
		if err != nil {
			return err
		}
		if f.State(s.now()).Dead() {
			return fault.Gone{Message: fault.Msg("codes.gone")}
		}
		if err := s.MarkPrinted(tx, f.ID, h.Serials); err != nil {
			return err
		}
		details := map[string]any{"format": h.Format}
		for name, value := range h.Details {
			details[name] = value
		}
		return s.trail.Record(tx, by, event("code.download", f, details))
	})
}

// HandOutMany records that by takes files of several codes away: one entry with
// their number. copies are serials by code.
func (s *Service) HandOutMany(tx *gorm.DB, by access.Actor, sel Selection, format string, count int, copies map[int64][]int) error {
	for id, serials := range copies {
		if err := s.MarkPrinted(tx, id, serials); err != nil {
			return err
		}
	}
	e, err := s.manyEvent(tx, by, sel)
	if err != nil {
		return err
	}
	e.Action = "code.download.many"
	e.Details = map[string]any{"format": format, "count": count}
	return s.trail.Record(tx, by, e)
}

// manyEvent names what a selection is about, and who may read of it.
func (s *Service) manyEvent(tx *gorm.DB, by access.Actor, sel Selection) (e audit.Event, err error) {
	e.DepartmentPath = by.Seat(access.CodeDownload)
	switch {
	case sel.Group != "":
		var g group.Group
		if g, err = group.Load(tx, sel.Group); err == nil {
			e.DepartmentPath, e.Object = g.DepartmentPath, audit.Object{Kind: "group", ID: g.GID, Name: g.Name}
		}
	case sel.Department != 0:
		var d directory.Department
		if err = tx.Where("id = ?", sel.Department).Take(&d).Error; err == nil {
			e.DepartmentPath, e.Object = d.Path, audit.Object{Kind: "department", ID: fmt.Sprint(d.ID), Name: d.Name}
		}
	default:
		var org directory.Organisation
		if org, err = directory.LoadOrganisation(tx); err == nil {
			e.Object = audit.Object{Kind: "organisation", ID: "1", Name: strings.TrimSpace(org.Name)}
		}
	}
	return e, err
}

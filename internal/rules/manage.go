package rules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Page is everything that the rules of one scope are set with.
type Page struct {
	Scope
	Above       []Rule // of the organisation, that come before a group's own
	Rules       []Rule
	Lists       []List // the organisation's too
	Words       string // one a line
	WordCount   int
	WordsAbove  int              // how many words the organisation has
	Departments map[int64]string // in words, of those the rules name
	Questions   []string         // that the group asks
	Done        map[int64]Tally  // what each rule decided lately
}

// Tally is what a rule has done within TallyDays.
type Tally struct{ Decided, Overturned int }

// TallyDays is how far back a Tally counts.
const TallyDays = 30

// ByID finds a rule of the page.
func (p Page) ByID(id int64) (Rule, error) {
	for _, r := range p.Rules {
		if r.ID == id {
			return r, nil
		}
	}
	return Rule{}, fault.NotFound
}

// Page reads the rules of a group, or with "" those of the organisation, for
// those who may set them.
func (s *Service) Page(ctx context.Context, by access.Actor, gid string) (p Page, err error) {
	tx := s.db.WithContext(ctx)
	if p.Scope, err = In(tx, by, gid); err != nil {
		return p, err
	}
	all, err := read(tx.Where("group_id IS NULL OR group_id = ?", p.ID()))
	if err != nil {
		return p, err
	}
	for _, r := range all {
		if r.Own() == (p.Group != nil) {
			p.Rules = append(p.Rules, r)
		} else {
			p.Above = append(p.Above, r)
		}
	}
	if err := p.readWords(tx); err != nil {
		return p, err
	}
	if p.Lists, err = listsFor(tx, p.ID()); err != nil {
		return p, err
	}
	if p.Departments, err = namesOf(tx, all); err != nil {
		return p, err
	}
	if p.Group != nil {
		asking, err := group.AskingOf(tx, *p.Group)
		if err != nil {
			return p, err
		}
		for _, f := range asking.Fields {
			p.Questions = append(p.Questions, f.Label)
		}
	}
	return p, p.tally(tx, s.now())
}

func (p *Page) readWords(tx *gorm.DB) error {
	var rows []wordRow
	if err := tx.Where("scope IN ?", []int64{0, p.ID()}).Find(&rows).Error; err != nil {
		return fmt.Errorf("read the words: %w", err)
	}
	for _, w := range rows {
		n := len(words(w.Words))
		if w.Scope == p.ID() {
			p.Words, p.WordCount = w.Words, n
		} else {
			p.WordsAbove = n
		}
	}
	return nil
}

func (p *Page) tally(tx *gorm.DB, now time.Time) error {
	ids := []int64{0}
	for _, r := range p.Rules {
		ids = append(ids, r.ID)
	}
	var rows []struct {
		RuleID int64
		Tally  `gorm:"embedded"`
	}
	err := tx.Raw(`SELECT rule_id, count(*) AS decided, count(overturned_at) AS overturned FROM request_rulings
		WHERE rule_id IN ? AND outcome = 'done' AND at > ? GROUP BY rule_id`, ids, now.UTC().AddDate(0, 0, -TallyDays)).Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("count what the rules did: %w", err)
	}
	p.Done = map[int64]Tally{}
	for _, r := range rows {
		p.Done[r.RuleID] = r.Tally
	}
	return nil
}

// namesOf says the departments of some rules in words.
func namesOf(tx *gorm.DB, all []Rule) (map[int64]string, error) {
	ids := []int64{0}
	for _, r := range all {
		for _, c := range r.Conditions {
			if c.Kind == Department {
				ids = append(ids, c.IDs...)
			}
		}
	}
	var rows []struct {
		ID   int64
		Path string
	}
	if err := tx.Table("departments").Select("id", "path").Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read the rules' departments: %w", err)
	}
	paths := make([]string, len(rows))
	for i, r := range rows {
		paths[i] = r.Path
	}
	spoken, err := directory.Lineages(tx, paths)
	names := make(map[int64]string, len(rows))
	for _, r := range rows {
		names[r.ID] = spoken[r.Path]
	}
	return names, err
}

// Read makes a rule of a draft without keeping it; id is the rule it would
// change, 0 for a new one. fault.Invalid says what is wrong with it.
func (s *Service) Read(ctx context.Context, by access.Actor, gid string, id int64, d Draft) (Rule, error) {
	tx := s.db.WithContext(ctx)
	sc, err := In(tx, by, gid)
	if err != nil {
		return Rule{}, err
	}
	if id != 0 {
		if _, err := s.one(tx, sc, id); err != nil {
			return Rule{}, err
		}
	}
	r, bad, err := d.check(tx, sc)
	if err != nil {
		return r, err
	}
	r.ID, r.UpdatedBy = id, author(by)
	return r, bad.Or()
}

// Save keeps a rule: a new one (id 0) comes last. It returns its id.
func (s *Service) Save(ctx context.Context, by access.Actor, gid string, id int64, d Draft) (int64, error) {
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		sc, err := held(tx, by, gid)
		if err != nil {
			return err
		}
		if id != 0 {
			if _, err := s.one(tx, sc, id); err != nil {
				return err
			}
		}
		r, bad, err := d.check(tx, sc)
		if err != nil {
			return err
		}
		if err := bad.Or(); err != nil {
			return err
		}
		action := "rule.change"
		if id == 0 {
			action = "rule.create"
			id, err = s.insert(tx, by, sc, r)
		} else {
			err = s.change(tx, by, sc, id, r)
		}
		if err != nil {
			return err
		}
		e := sc.event(action, "rule", id, r.Name)
		e.Details["verdict"] = string(r.Verdict)
		return s.trail.Record(tx, by, e)
	})
	return id, err
}

func (s *Service) insert(tx *gorm.DB, by access.Actor, sc Scope, r Rule) (int64, error) {
	var there []row
	if err := sc.own(tx).Select("id", "position").Order("position DESC").Find(&there).Error; err != nil {
		return 0, fmt.Errorf("count the rules: %w", err)
	}
	if len(there) >= MaxRules {
		return 0, fault.Invalid{"": fault.Msg("ruling.error.rules", "Max", MaxRules)}
	}
	kept, err := r.row()
	if err != nil {
		return 0, err
	}
	kept.ID, kept.Position, kept.Version, kept.UpdatedBy = 0, 1, 1, author(by)
	if len(there) > 0 {
		kept.Position = there[0].Position + 1
	}
	kept.CreatedAt = s.now().UTC()
	kept.UpdatedAt = kept.CreatedAt
	if err := tx.Create(&kept).Error; err != nil {
		return 0, fmt.Errorf("write the rule: %w", err)
	}
	return kept.ID, nil
}

func (s *Service) change(tx *gorm.DB, by access.Actor, sc Scope, id int64, r Rule) error {
	now, err := s.one(tx, sc, id)
	if err != nil {
		return err
	}
	if r.Version >= 0 && r.Version != now.Version {
		return s.stale(tx, now)
	}
	kept, err := r.row()
	if err != nil {
		return err
	}
	err = tx.Model(&row{}).Where("id = ?", id).Updates(map[string]any{"name": kept.Name, "any_of": kept.AnyOf, "conditions": kept.Conditions, "verdict": kept.Verdict,
		"reason": kept.Reason, "enabled": kept.Enabled, "version": now.Version + 1, "updated_at": s.now().UTC(), "updated_by": author(by)}).Error
	if err != nil {
		return fmt.Errorf("change the rule: %w", err)
	}
	return nil
}

func (s *Service) one(tx *gorm.DB, sc Scope, id int64) (row, error) {
	var r row
	err := sc.own(tx).Where("id = ?", id).Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return r, fault.NotFound
	} else if err != nil {
		return r, fmt.Errorf("read the rule: %w", err)
	}
	return r, nil
}

func (s *Service) stale(tx *gorm.DB, r row) error {
	c := fault.Conflict{Message: fault.Msg("groups.error.stale"), At: r.UpdatedAt}
	if r.UpdatedBy != nil {
		if err := tx.Raw("SELECT name FROM members WHERE id = ?", *r.UpdatedBy).Scan(&c.By).Error; err != nil {
			return fmt.Errorf("read who changed the rule: %w", err)
		}
	}
	return c
}

// What Arrange does with a rule.
const (
	Up     = "up"
	Down   = "down"
	On     = "on"
	Off    = "off"
	Delete = "delete"
)

// Arrange moves a rule, turns it on or off, or deletes it. What it decided keeps its name.
func (s *Service) Arrange(ctx context.Context, by access.Actor, gid string, id int64, action string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		sc, err := held(tx, by, gid)
		if err != nil {
			return err
		}
		r, err := s.one(tx, sc, id)
		if err != nil {
			return err
		}
		switch action {
		case Up, Down:
			err = move(tx, sc, id, action)
		case On, Off:
			err = tx.Model(&row{}).Where("id = ?", id).Updates(map[string]any{"enabled": action == On, "version": r.Version + 1, "updated_at": s.now().UTC(), "updated_by": author(by)}).Error
		case Delete:
			err = tx.Where("id = ?", id).Delete(&row{}).Error
		default:
			return fault.Invalid{"action": fault.Msg("ruling.error.choice")}
		}
		if err != nil {
			return fmt.Errorf("arrange the rules: %w", err)
		}
		return s.trail.Record(tx, by, sc.event("rule."+action, "rule", id, r.Name))
	})
}

func move(tx *gorm.DB, sc Scope, id int64, action string) error {
	var ids []int64
	if err := sc.own(tx.Table("decision_rules")).Order("position, id").Pluck("id", &ids).Error; err != nil {
		return err
	}
	at := slices.Index(ids, id)
	to := at + map[string]int{Up: -1, Down: 1}[action]
	if to < 0 || to >= len(ids) {
		return nil
	}
	ids[at], ids[to] = ids[to], ids[at]
	for i, id := range ids {
		if err := tx.Model(&row{}).Where("id = ? AND position <> ?", id, i+1).Update("position", i+1).Error; err != nil {
			return err
		}
	}
	return nil
}

// SaveWords keeps the words of a scope, one a line. Twice the same is once.
func (s *Service) SaveWords(ctx context.Context, by access.Actor, gid, text string) error {
	kept, bad := checkWords(text)
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		sc, err := held(tx, by, gid)
		if err != nil {
			return err
		}
		if err := bad.Or(); err != nil {
			return err
		}
		err = tx.Exec(`INSERT INTO rule_words (scope, words, version, updated_at, updated_by) VALUES (?, ?, 1, ?, ?)
			ON CONFLICT (scope) DO UPDATE SET words = excluded.words, version = rule_words.version + 1, updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
			sc.ID(), strings.Join(kept, "\n"), s.now().UTC(), author(by)).Error
		if err != nil {
			return fmt.Errorf("keep the words: %w", err)
		}
		e := sc.event("words.save", "words", sc.ID(), "")
		e.Details["words"] = len(kept)
		return s.trail.Record(tx, by, e)
	})
}

func checkWords(text string) ([]string, fault.Invalid) {
	bad := fault.Invalid{}
	var kept []string
	seen := map[string]bool{}
	for _, w := range words(text) {
		key := Plain(w)
		if key == "" {
			bad["words"] = fault.Msg("ruling.error.word", "Word", clip(w))
			continue
		}
		tooLong(bad, "words", w, MaxWord)
		if !seen[key] {
			seen[key] = true
			kept = append(kept, w)
		}
	}
	if len(kept) > MaxWords {
		bad["words"] = fault.Msg("ruling.error.words", "Max", MaxWords, "Have", len(kept))
	}
	return kept, bad
}

package rules

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// MaxLists is how many lists a scope has, MaxEntries how many people one takes.
const (
	MaxLists   = 50
	MaxEntries = 20000
)

// List is a roster that rules look people up in.
type List struct {
	ID        int64
	GroupID   *int64
	Name      string
	Entries   int
	UpdatedAt time.Time
	UpdatedBy *int64
}

// TableName is for gorm.
func (List) TableName() string { return "rule_lists" }

// Own reports whether it is a group's.
func (l List) Own() bool { return l.GroupID != nil }

func listsFor(tx *gorm.DB, scope int64) (all []List, err error) {
	if err = tx.Where("group_id IS NULL OR group_id = ?", scope).Order("name, id").Find(&all).Error; err != nil {
		err = fmt.Errorf("read the lists: %w", err)
	}
	return all, err
}

// entries is a pasted or uploaded roster.
type entries struct{ kinds, keys []string }

// parseEntries reads phones and job numbers, parted by lines, commas or tabs. A
// first line that says what the columns are is passed over.
func parseEntries(text string) (out entries, bad fault.Invalid) {
	bad = fault.Invalid{}
	seen := map[string]bool{}
	text = strings.TrimPrefix(text, "\ufeff")
	for _, cell := range cells(strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("\r\n\t,;\uff0c\uff1b\u3001", r) })) {
		cell = strings.Trim(strings.TrimSpace(cell), `"'`)
		kind, key := "job", jobKey(cell)
		if phone, ok := directory.ParsePhone(cell); ok {
			kind, key = "phone", phone
		}
		switch {
		case key == "" || heading(key) || seen[kind+key]:
			continue
		case len([]rune(key)) > MaxWord || strings.ContainsFunc(key, unicode.IsControl):
			bad["people"] = fault.Msg("ruling.error.entry", "Text", clip(cell))
			return out, bad
		}
		seen[kind+key] = true
		out.kinds, out.keys = append(out.kinds, kind), append(out.keys, key)
	}
	if len(out.keys) > MaxEntries {
		bad["people"] = fault.Msg("ruling.error.entries", "Max", MaxEntries, "Have", len(out.keys))
	}
	return out, bad
}

// cells parts what only spaces part, unless the spaces are those of a phone.
func cells(all []string) (out []string) {
	for _, cell := range all {
		if _, ok := directory.ParsePhone(strings.Trim(strings.TrimSpace(cell), `"'`)); ok {
			out = append(out, cell)
			continue
		}
		out = append(out, strings.Fields(cell)...)
	}
	return out
}

func heading(key string) bool {
	switch key {
	case "手机", "手机号", "工号", "phone", "job_number":
		return true
	}
	return false
}

// MakeList makes a roster and returns its id.
func (s *Service) MakeList(ctx context.Context, by access.Actor, gid, name, people string) (id int64, err error) {
	name = strings.Join(strings.Fields(name), " ")
	all, bad := parseEntries(people)
	if name == "" {
		bad["list_name"] = fault.Msg("ruling.error.list.name")
	}
	tooLong(bad, "list_name", name, MaxName)
	if len(all.keys) == 0 && bad["people"].Key == "" {
		bad["people"] = fault.Msg("ruling.error.list.empty")
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		sc, err := held(tx, by, gid)
		if err != nil {
			return err
		}
		var there int64
		if err := sc.own(tx.Model(&List{})).Count(&there).Error; err != nil {
			return fmt.Errorf("count the lists: %w", err)
		}
		if there >= MaxLists {
			bad["list_name"] = fault.Msg("ruling.error.lists", "Max", MaxLists)
		}
		if err := bad.Or(); err != nil {
			return err
		}
		l := List{GroupID: sc.groupID(), Name: name, UpdatedAt: s.now().UTC(), UpdatedBy: author(by)}
		if err := tx.Create(&l).Error; err != nil {
			return fmt.Errorf("write the list: %w", err)
		}
		id = l.ID
		return s.fill(tx, by, sc, l, "list.make", all)
	})
	return id, err
}

// fill adds entries to a list and counts it anew.
func (s *Service) fill(tx *gorm.DB, by access.Actor, sc Scope, l List, action string, all entries) error {
	if len(all.keys) > 0 {
		v, args := database.Values(tx, database.Texts("kind", all.kinds), database.Texts("key", all.keys))
		err := tx.Exec("INSERT INTO rule_list_entries (list_id, kind, key) SELECT CAST(? AS bigint), v.kind, v.key FROM "+v+" WHERE true ON CONFLICT DO NOTHING", append([]any{l.ID}, args...)...).Error
		if err != nil {
			return fmt.Errorf("fill the list: %w", err)
		}
		for kind, same := range map[string]string{"phone": "m.phone = rule_list_entries.key", "job": "lower(m.job_number) = rule_list_entries.key"} {
			err := tx.Exec("UPDATE rule_list_entries SET member_id = m.id FROM members m WHERE list_id = ? AND kind = ? AND member_id IS NULL AND m.status = 'active' AND "+same, l.ID, kind).Error
			if err != nil {
				return fmt.Errorf("find the members of the list: %w", err)
			}
		}
	}
	var n int64
	if err := tx.Table("rule_list_entries").Where("list_id = ?", l.ID).Count(&n).Error; err != nil {
		return fmt.Errorf("count the list: %w", err)
	}
	if n > MaxEntries {
		return fault.Invalid{"people": fault.Msg("ruling.error.entries", "Max", MaxEntries, "Have", n)}
	}
	if err := tx.Model(&List{}).Where("id = ?", l.ID).Updates(map[string]any{"entries": n, "updated_at": s.now().UTC(), "updated_by": author(by)}).Error; err != nil {
		return fmt.Errorf("count the list: %w", err)
	}
	e := sc.event(action, "list", l.ID, l.Name)
	e.Details["entries"] = n
	return s.trail.Record(tx, by, e)
}

// What ChangeList does besides Delete.
const (
	Add     = "add"
	Remove  = "remove"
	Replace = "replace"
)

// ChangeList adds people to a list, takes them off, puts others in their place
// or deletes it. One that a rule uses stays: fault.Conflict names the rule.
func (s *Service) ChangeList(ctx context.Context, by access.Actor, gid string, id int64, action, people string) error {
	all, bad := parseEntries(people)
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		sc, err := held(tx, by, gid)
		if err != nil {
			return err
		}
		var l List
		err = sc.own(tx).Where("id = ?", id).Take(&l).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return fault.NotFound
		} else if err != nil {
			return fmt.Errorf("read the list: %w", err)
		}
		switch {
		case action == Delete:
			return s.deleteList(tx, by, sc, l)
		case action != Add && action != Remove && action != Replace:
			bad["action"] = fault.Msg("ruling.error.choice")
		case len(all.keys) == 0 && bad["people"].Key == "":
			bad["people"] = fault.Msg("ruling.error.list.empty")
		}
		if err := bad.Or(); err != nil {
			return err
		}
		if action == Replace {
			if err := tx.Exec("DELETE FROM rule_list_entries WHERE list_id = ?", id).Error; err != nil {
				return fmt.Errorf("empty the list: %w", err)
			}
		}
		if action == Remove {
			v, args := database.Values(tx, database.Texts("kind", all.kinds), database.Texts("key", all.keys))
			err := tx.Exec("DELETE FROM rule_list_entries WHERE list_id = ? AND EXISTS (SELECT 1 FROM "+v+" WHERE v.kind = rule_list_entries.kind AND v.key = rule_list_entries.key)", append([]any{id}, args...)...).Error
			if err != nil {
				return fmt.Errorf("take people off the list: %w", err)
			}
			all = entries{}
		}
		return s.fill(tx, by, sc, l, "list.change", all)
	})
}

func (s *Service) deleteList(tx *gorm.DB, by access.Actor, sc Scope, l List) error {
	var users []row
	if err := tx.Where("conditions LIKE '%\"kind\":\"list\"%'").Order("id").Find(&users).Error; err != nil {
		return fmt.Errorf("look who uses the list: %w", err)
	}
	for _, u := range users {
		r, err := u.rule()
		if err != nil {
			return err
		}
		for _, c := range r.Conditions {
			if c.Kind == OnList && containsID(c.IDs, l.ID) {
				return fault.Conflict{Message: fault.Msg("ruling.error.list.used", "Rule", r.Name)}
			}
		}
	}
	if err := tx.Exec("DELETE FROM rule_list_entries WHERE list_id = ?", l.ID).Error; err != nil {
		return fmt.Errorf("empty the list: %w", err)
	}
	if err := tx.Where("id = ?", l.ID).Delete(&List{}).Error; err != nil {
		return fmt.Errorf("delete the list: %w", err)
	}
	return s.trail.Record(tx, by, sc.event("list.delete", "list", l.ID, l.Name))
}

func containsID(ids []int64, id int64) bool {
	for _, one := range ids {
		if one == id {
			return true
		}
	}
	return false
}

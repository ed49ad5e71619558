package directory

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// maxOrganisationName is in characters: it stands on posters.
const maxOrganisationName = 60

// OrganisationDraft is what the organisation's form says.
type OrganisationDraft struct{ Name, Timezone, Language string }

// SaveOrganisation renames the organisation (and the root department with it)
// and sets its time zone and default language.
func (s *Service) SaveOrganisation(ctx context.Context, by access.Actor, d OrganisationDraft) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
			return err
		}
		d.Name = foldSpace(d.Name)
		if err := d.check(); err != nil {
			return err
		}
		was, err := lockOrganisation(tx)
		if err != nil {
			return err
		}
		if was.Name == d.Name && was.Timezone == d.Timezone && was.Language == d.Language {
			return nil
		}
		err = tx.Model(&Organisation{}).Where("id = 1").Updates(map[string]any{"name": d.Name, "timezone": d.Timezone, "language": d.Language}).Error
		if err != nil {
			return fmt.Errorf("save organisation: %w", err)
		}
		if err := tx.Model(&Department{}).Where("parent_id IS NULL").Updates(map[string]any{"name": d.Name}).Error; err != nil {
			return fmt.Errorf("rename the root department: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "organisation.save", Object: audit.Object{Kind: "organisation", ID: "1", Name: d.Name},
			Details: map[string]any{"name": d.Name, "name_was": was.Name, "timezone": d.Timezone, "timezone_was": was.Timezone,
				"language": d.Language, "language_was": was.Language}})
	})
}

func (d OrganisationDraft) check() error {
	bad := fault.Invalid{}
	if n := utf8.RuneCountInString(d.Name); n == 0 || n > maxOrganisationName {
		bad["name"] = fault.Msg("settings.error.name", "Max", maxOrganisationName)
	}
	// "Local" would mean the server's zone, whichever that is.
	if _, err := time.LoadLocation(d.Timezone); err != nil || d.Timezone == "" || d.Timezone == "Local" {
		bad["timezone"] = fault.Msg("settings.error.timezone")
	}
	if d.Language != "zh-CN" && d.Language != "en" {
		bad["language"] = fault.Msg("settings.error.language")
	}
	return bad.Or()
}

func foldSpace(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// lockOrganisation reads the organisation's row and holds it: changes that
// depend on how many super admins there are go one after the other.
func lockOrganisation(tx *gorm.DB) (Organisation, error) {
	var o Organisation
	if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = 1").Take(&o).Error; err != nil {
		return o, fmt.Errorf("lock organisation: %w", err)
	}
	return o, nil
}

// bounds are the least and greatest value of each policy that is a number.
var bounds = map[string][2]int{
	"temporary_max_days": {1, 3650}, "ticket_seconds": {5, 600}, "upstream_days": {1, 365}, "address_per_10s": {0, 1_000_000},
	"visitor_per_10s": {0, 1_000_000}, "session_idle_hours": {1, 8760}, "session_max_days": {1, 365}, "request_days": {1, 365}, "approval_days": {1, 90},
	"scan_days": {0, 36500}, "refresh_days": {0, 3650}, "scan_target": {0, 100}, "stay_target": {0, 100}, "upstream_warn_hours": {1, 720},
	"recert_days": {0, 3650}, "recert_grace_days": {1, 90},
	"notice_person_daily": {0, 10_000}, "notice_daily": {0, 1_000_000}, "notice_milestone": {0, 1_000_000},
	"ask_again_hours": {0, 8760}, "ask_again_times": {0, 100},
	"fuse_hours": {0, 720}, "fuse_minutes": {1, 60}, "fuse_burst": {0, 1_000_000}, "fuse_outside": {0, 1_000_000}, "fuse_refused": {0, 1_000_000},
	"due_hours": {0, 500}, "remind_hours": {0, 500}, "escalate_hours": {0, 500}, "work_from": {0, 23}, "work_to": {1, 24},
	"undo_minutes": {0, 1440},
}

// Policies reads the policies in force.
func (s *Service) Policies(ctx context.Context) (Policies, error) {
	return LoadPolicies(s.db.WithContext(ctx))
}

// Bounds are the least and greatest value of a numeric policy.
func Bounds(name string) (least, most int) { return bounds[name][0], bounds[name][1] }

// Texts is each policy as a form shows it, by stored name.
func (p Policies) Texts() map[string]string {
	out := map[string]string{}
	for name, field := range p.fields() {
		out[name] = formatPolicy(field)
	}
	return out
}

// SavePolicies changes the policies that values names (by stored name) and
// keeps the others. One wrong value refuses all; so does a shorter retention,
// with ErrSecondPerson.
func (s *Service) SavePolicies(ctx context.Context, by access.Actor, values map[string]string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		shorter, err := s.SavePoliciesIn(tx, by, values)
		if err == nil && shorter != nil {
			return ErrSecondPerson
		}
		return err
	})
}

// SavePoliciesIn is SavePolicies in the caller's transaction, with a shorter
// retention left out: it returns that, for a second super admin to agree to.
func (s *Service) SavePoliciesIn(tx *gorm.DB, by access.Actor, values map[string]string) (*Retention, error) {
	if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
		return nil, err
	}
	if _, err := lockOrganisation(tx); err != nil {
		return nil, err
	}
	was, err := LoadPolicies(tx)
	if err != nil {
		return nil, err
	}
	p, err := was.with(values)
	if err != nil {
		return nil, err
	}
	var shorter *Retention
	if r := (Retention{Was: was.ScanDays, Days: p.ScanDays}); r.shorter() {
		shorter, p.ScanDays = &r, was.ScanDays
	}
	before, after, details := was.Texts(), p.Texts(), map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if before[name] == after[name] {
			continue
		}
		details[name], details[name+"_was"] = after[name], before[name]
		if err := storePolicy(tx, name, after[name], s.now().UTC()); err != nil {
			return nil, err
		}
	}
	if len(details) == 0 {
		return shorter, nil
	}
	return shorter, s.trail.Record(tx, by, audit.Event{Action: "policies.save", Object: audit.Object{Kind: "organisation", ID: "1"}, Details: details})
}

// storePolicy keeps only what differs from the default.
func storePolicy(tx *gorm.DB, name, value string, at time.Time) error {
	standard := DefaultPolicies()
	if standard.Texts()[name] == value {
		if err := tx.Where("name = ?", name).Delete(&policyRow{}).Error; err != nil {
			return fmt.Errorf("reset policy %s: %w", name, err)
		}
		return nil
	}
	row := policyRow{Name: name, Value: value, UpdatedAt: at}
	err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "name"}}, DoUpdates: clause.AssignmentColumns([]string{"value", "updated_at"})}).Create(&row).Error
	if err != nil {
		return fmt.Errorf("save policy %s: %w", name, err)
	}
	return nil
}

// with is p with the values a form gave, or fault.Invalid.
func (p Policies) with(values map[string]string) (Policies, error) {
	bad := fault.Invalid{}
	for name, field := range p.fields() {
		value, given := values[name]
		if !given {
			continue
		}
		value = strings.TrimSpace(value)
		switch f := field.(type) {
		case *bool:
			*f = value == "on" || value == "true" || value == "1"
		case *int:
			n, err := strconv.Atoi(value)
			if least, most := Bounds(name); err != nil || n < least || n > most {
				bad[name] = fault.Msg("settings.error.number", "Min", least, "Max", most)
			}
			*f = n
		case *[]string:
			*f = strings.FieldsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == '，' || r == '、' })
			if l := lists[name]; !l.fits(*f) {
				bad[name] = fault.Msg(l.wrong)
			}
		case *Choice:
			if !slices.Contains(Choices[name], value) {
				bad[name] = fault.Msg("settings.error.choice")
			}
			*f = Choice(value)
		}
	}
	p.checkHours(bad)
	return p, bad.Or()
}

// prefix is a country code, perhaps with the first digits behind it.
var prefix = regexp.MustCompile(`^\+[1-9]\d{0,6}$`)

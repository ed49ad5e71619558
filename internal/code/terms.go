package code

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/secret"
)

// Keep is the validity of a terms form that leaves the end where it is.
const Keep = "keep"

// Limits of what people type, in characters.
const (
	MaxBenefit  = 60
	PasswordMin = 4
	passwordMax = 100
)

// desk is what a form is checked against.
type desk struct {
	tx       *gorm.DB
	by       access.Actor
	group    group.Group
	policies directory.Policies
	loc      *time.Location
	now      time.Time
	baseURL  string
}

func (s *Service) desk(tx *gorm.DB, by access.Actor, g group.Group) (desk, error) {
	d := desk{tx: tx, by: by, group: g, now: s.now().UTC().Truncate(time.Microsecond), baseURL: s.baseURL}
	var err error
	if d.policies, err = directory.LoadPolicies(tx); err != nil {
		return d, err
	}
	org, err := directory.LoadOrganisation(tx)
	d.loc = org.Location()
	return d, err
}

// fill lays a form over a code. It returns what is wrong with the fields, whether
// a second super admin has to agree, and fault.Forbidden for terms that by may not issue.
func (d desk) fill(c *Code, form Form) (wrong fault.Invalid, second bool, err error) {
	wrong = fault.Invalid{}
	c.Label = checkLabel(form.Label, d.group.Name, wrong)
	d.setTimes(c, form, wrong)
	c.Hours = checkOpening(form.Opening, wrong)
	c.DailyCap = checkCap("daily_cap", form.DailyCap, wrong)
	c.TotalCap = checkCap("total_cap", form.TotalCap, wrong)
	c.Networks = checkNetworks(form.Networks, wrong)
	if c.Audience, err = checkAudience(d.tx, form.Audience, wrong); err != nil {
		return wrong, false, err
	}
	c.AudienceRoles = checkRoles(form.Roles, wrong)
	if c.AudiencePeople, err = checkPeople(d.tx, c.AudiencePeople, form, wrong); err != nil {
		return wrong, false, err
	}
	checkPassword(form.Password, wrong)
	if err := d.checkNature(*c, form, wrong); err != nil {
		return wrong, false, err
	}
	if err := d.checkMode(c, form, wrong); err != nil {
		return wrong, false, err
	}
	if c.Benefit = oneLine(form.Benefit); utf8.RuneCountInString(c.Benefit) > MaxBenefit {
		wrong["benefit"] = fault.Msg("codes.error.label.long", "Max", MaxBenefit)
	}
	if err := d.setFallback(c, form, wrong); err != nil {
		return wrong, false, err
	}
	if form.Validity == Permanent && !form.ConfirmPermanent {
		wrong["confirm_permanent"] = fault.Msg("codes.error.confirm")
	}
	second, err = d.needsSecond(*c)
	return wrong, second, err
}

// setTimes sets start and end. Days are counted from the start.
func (d desk) setTimes(c *Code, form Form, wrong fault.Invalid) {
	from, start := c.ValidFrom, d.now
	if text := strings.TrimSpace(form.ValidFrom); text == "" {
		from = nil
	} else if at, ok := parseFrom(text, d.loc); !ok {
		wrong["valid_from"] = fault.Msg("codes.error.until")
	} else if kept := from != nil && from.Equal(at); !kept {
		from = &at
		if local := d.now.In(d.loc); at.Before(time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, d.loc)) {
			wrong["valid_from"] = fault.Msg("codes.error.past")
		}
	}
	if c.ValidFrom = from; from != nil && from.After(start) {
		start = *from
	}
	if form.Validity != Keep || c.Validity == "" {
		c.Validity = form.Validity
		c.ValidUntil = validUntil(form.Validity, form.ValidUntil, d.now, start, d.loc, d.policies.TemporaryMaxDays, wrong)
	}
	if from != nil && c.ValidUntil != nil && wrong["valid_until"].Key == "" && !c.ValidUntil.After(*from) {
		wrong["valid_until"] = fault.Msg("terms.error.endfirst")
	}
}

// parseFrom reads a start: a date alone is the beginning of that day.
func parseFrom(text string, loc *time.Location) (time.Time, bool) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if at, err := time.ParseInLocation(layout, text, loc); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

func checkRoles(typed []string, wrong fault.Invalid) string {
	var roles []string
	for _, role := range Roles { // in one order, each once
		if slices.Contains(typed, role) {
			roles = append(roles, role)
		}
	}
	for _, role := range typed {
		if role != "" && !slices.Contains(Roles, role) {
			wrong["audience_roles"] = fault.Msg("terms.error.roles")
		}
	}
	return strings.Join(roles, " ")
}

func checkPassword(password string, wrong fault.Invalid) {
	switch n := utf8.RuneCountInString(password); {
	case n > 0 && n < PasswordMin:
		wrong["password"] = fault.Msg("terms.error.password.short", "Min", PasswordMin)
	case n > passwordMax:
		wrong["password"] = fault.Msg("terms.error.password.long", "Max", passwordMax)
	}
}

// hash is the hash of the typed password, "" when there is none or it is refused anyway.
func (f Form) hash(ctx context.Context) (string, error) {
	wrong := fault.Invalid{}
	checkPassword(f.Password, wrong)
	if f.Password == "" || len(wrong) > 0 {
		return "", nil
	}
	return secret.HashPassword(ctx, f.Password)
}

// fixed reports whether the preset that the form was filled from says that the
// end cannot be moved. Such a preset allows no other validity. req: B07, B08
func (d desk) fixed(form Form, wrong fault.Invalid) (bool, error) {
	id, err := strconv.ParseInt(form.Preset, 10, 64)
	if err != nil {
		return false, nil
	}
	var found []group.Preset
	if err := d.tx.Where("id = ? AND type = ?", id, d.group.Type).Limit(1).Find(&found).Error; err != nil {
		return false, fmt.Errorf("read preset: %w", err)
	}
	if len(found) == 0 || !found[0].ValidityFixed {
		return false, nil
	}
	if form.Validity != found[0].Validity {
		wrong["validity"] = fault.Msg("terms.error.fixed.preset")
	}
	return true, nil
}

// SaveTerms changes a code's terms: nothing that was printed changes, the next
// scan is decided by the new ones. by needs the rights to issue the code as it
// is and as it becomes. A form filled from older terms is fault.Conflict,
// naming who changed them; terms that a second super admin has to agree to are NeedsSecond.
func (s *Service) SaveTerms(ctx context.Context, by access.Actor, publicID string, form Form) error {
	hash, err := form.hash(ctx)
	if err != nil {
		return err
	}
	return s.change(ctx, by, access.CodeTemporary, publicID, func(tx *gorm.DB, f Facts) error {
		if form.Version != 0 && form.Version != f.Version {
			return staleTerms(tx, f)
		}
		if err := holdBehind(tx, f); err != nil {
			return err
		}
		g, err := lockGroup(tx, f.GroupGID)
		if err != nil {
			return err
		}
		d, err := s.desk(tx, by, g)
		if err != nil {
			return err
		}
		if missing, _ := Permanence(by, g, d.policies, true); f.Validity == Permanent && missing != "" {
			return fault.Forbidden{Right: missing}
		}
		c := f.Code
		wrong, second, err := d.fill(&c, form)
		if err != nil {
			return err
		}
		if f.ValidityFixed && form.Validity != Keep {
			wrong["validity"] = fault.Msg("terms.error.fixed")
		}
		if err := wrong.Or(); err != nil {
			return err
		}
		c.setPassword(hash, form)
		if second {
			if approved, err := d.agreed(f.Code, c); err != nil || !approved {
				return s.orSecond(err, f.GroupGID, f.Code, c)
			}
		}
		event, changed, err := s.saveTerms(tx, by, f, c)
		if err != nil || !changed {
			return err
		}
		return s.trail.Record(tx, by, event)
	})
}

func (c *Code) setPassword(hash string, form Form) {
	switch {
	case hash != "":
		c.PasswordHash = hash
	case form.PasswordRemove:
		c.PasswordHash = ""
	}
}

// saveTerms writes what differs. The caller records the event.
func (s *Service) saveTerms(tx *gorm.DB, by access.Actor, f Facts, c Code) (audit.Event, bool, error) {
	set := termChanges(f.Code, c)
	if len(set) == 0 {
		return audit.Event{}, false, nil
	}
	if c.Validity == Permanent && f.Validity != Permanent {
		set["issued_by"] = by.MemberID // who answers for it: the issuer of a temporary code may lack the right to a permanent one
	}
	details := c.details()
	details["changed"] = slices.Sorted(maps.Keys(set))
	if _, changed := set["password_hash"]; changed {
		// Who knew the old one is asked for the new one.
		if err := tx.Exec("UPDATE join_sessions SET password_ok = ? WHERE code_id = ? AND password_ok", false, f.ID).Error; err != nil {
			return audit.Event{}, false, fmt.Errorf("forget the old password: %w", err)
		}
	}
	set["version"], set["terms_by"], set["terms_at"] = f.Version+1, by.MemberID, s.now().UTC()
	if err := tx.Model(&Code{}).Where("id = ?", f.ID).Updates(set).Error; err != nil {
		return audit.Event{}, false, fmt.Errorf("save terms: %w", err)
	}
	return event("code.terms", f, details), true, nil
}

// termChanges are the columns in which two versions of a code's terms differ.
func termChanges(was, c Code) map[string]any {
	set := map[string]any{}
	put := func(column string, differs bool, value any) {
		if differs {
			set[column] = value
		}
	}
	for column, pair := range map[string][2]string{
		"label": {was.Label, c.Label}, "validity": {was.Validity, c.Validity}, "networks": {was.Networks, c.Networks},
		"hours": {string(was.Hours), string(c.Hours)}, "audience": {was.Audience, c.Audience}, "audience_roles": {was.AudienceRoles, c.AudienceRoles},
		"audience_people": {was.AudiencePeople, c.AudiencePeople}, "password_hash": {was.PasswordHash, c.PasswordHash}, "benefit": {was.Benefit, c.Benefit},
		"fallback": {was.Fallback, c.Fallback}, "fallback_url": {was.FallbackURL, c.FallbackURL}, "own_mode": {was.OwnMode, c.OwnMode}, "own_asks": {was.OwnAsks, c.OwnAsks},
	} {
		put(column, pair[0] != pair[1], pair[1])
	}
	put("valid_from", !sameTime(was.ValidFrom, c.ValidFrom), c.ValidFrom)
	put("valid_until", !sameTime(was.ValidUntil, c.ValidUntil), c.ValidUntil)
	put("daily_cap", was.DailyCap != c.DailyCap, c.DailyCap)
	put("total_cap", was.TotalCap != c.TotalCap, c.TotalCap)
	a, b := was.FallbackGroupID, c.FallbackGroupID
	put("fallback_group_id", (a == nil) != (b == nil) || a != nil && *a != *b, b)
	return set
}

func sameTime(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

// staleTerms is the conflict of a form filled from terms that somebody changed since.
func staleTerms(tx *gorm.DB, f Facts) error {
	c := fault.Conflict{Message: fault.Msg("terms.conflict.stale")}
	if f.TermsBy == nil || f.TermsAt == nil {
		return c
	}
	name, err := nameOf(tx, *f.TermsBy)
	if err != nil {
		return err
	}
	c.By, c.At = name, *f.TermsAt
	return c
}

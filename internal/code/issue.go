package code

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Issue makes a code for the group and returns its public id. A wrong form is
// fault.Invalid, a disbanded group fault.Conflict; what by may not do is
// fault.Forbidden, naming why; what a second super admin has to agree to is
// NeedsSecond, with what they would agree to. req: A01, A03, A07, A17
func (s *Service) Issue(ctx context.Context, by access.Actor, gid string, form Form) (string, error) {
	var public string
	hash, err := form.hash(ctx) // takes long: not inside the transaction
	if err != nil {
		return "", err
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lockGroup(tx, gid)
		if err != nil {
			return err
		}
		joined, err := joins(tx, by, g.ID, g.DepartmentPath)
		if err != nil {
			return err
		}
		if err := access.Check(by, access.CodeTemporary, g.Object(joined)); err != nil {
			return err
		}
		if g.Status != group.Active {
			return disbanded(tx, g.ID)
		}
		c, second, err := s.parse(tx, by, g, form)
		if err != nil {
			return err
		}
		if c.PasswordHash = hash; second {
			return s.orSecond(nil, gid, Code{}, c)
		}
		if err := Create(tx, &c); err != nil {
			return err
		}
		public = c.PublicID
		return s.trail.Record(tx, by, event("code.issue", Facts{Code: c, DepartmentPath: g.DepartmentPath, GroupName: g.Name}, c.details()))
	})
	return public, err
}

// Create writes a code and its counters, inside the caller's transaction. It
// fills in an empty public id and the typed code.
func Create(tx *gorm.DB, c *Code) error {
	if c.PublicID == "" {
		c.PublicID = newPublicID()
	}
	if c.TypedCode == nil {
		typed, err := newTyped(tx)
		if err != nil {
			return err
		}
		c.TypedCode = &typed
	}
	if err := tx.Create(c).Error; err != nil {
		return fmt.Errorf("write code: %w", err)
	}
	if err := tx.Exec("INSERT INTO code_counters (code_id) VALUES (?)", c.ID).Error; err != nil {
		return fmt.Errorf("write the code's counters: %w", err)
	}
	return nil
}

// lockGroup keeps a group from being disbanded while a code is issued for it.
func lockGroup(tx *gorm.DB, gid string) (group.Group, error) {
	return group.Load(tx.Clauses(clause.Locking{Strength: "SHARE", Table: clause.Table{Name: "g"}}), gid)
}

// disbanded says who disbanded the group, and when.
func disbanded(tx *gorm.DB, groupID int64) error {
	c := fault.Conflict{Message: fault.Msg("codes.conflict.disbanded")}
	var row struct {
		Name        string
		DisbandedAt *time.Time
	}
	err := tx.Raw("SELECT m.name, g.disbanded_at FROM groups g JOIN members m ON m.id = g.disbanded_by WHERE g.id = ?", groupID).Scan(&row).Error
	if err != nil {
		return fmt.Errorf("read who disbanded: %w", err)
	}
	if row.DisbandedAt != nil {
		c.By, c.At = row.Name, *row.DisbandedAt
	}
	return c
}

// parse checks every field and the right to what they ask for.
func (s *Service) parse(tx *gorm.DB, by access.Actor, g group.Group, form Form) (Code, bool, error) {
	d, err := s.desk(tx, by, g)
	if err != nil {
		return Code{}, false, err
	}
	if err := d.policies.MayMake(by); err != nil {
		return Code{}, false, err
	}
	if form.Validity == "" {
		form.Validity = Validities[0]
	}
	c := Code{GroupID: g.ID, Fallback: Message, IssuedBy: by.MemberID, IssuedAt: d.now}
	wrong, second, err := d.fill(&c, form)
	if err != nil {
		return c, false, err
	}
	if c.ValidityFixed, err = d.fixed(form, wrong); err != nil {
		return c, false, err
	}
	return c, second, wrong.Or()
}

// checkAudience keeps the ids of departments that exist. req: A05
func checkAudience(tx *gorm.DB, typed []string, wrong fault.Invalid) (string, error) {
	var ids []int64
	for _, field := range typed {
		if field = strings.TrimSpace(field); field == "" {
			continue
		}
		id, err := strconv.ParseInt(field, 10, 64)
		if err != nil || len(ids) == maxAudience {
			wrong["audience"] = fault.Msg("codes.error.audience", "Max", maxAudience)
			return "", nil
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return "", nil
	}
	var known []string
	if err := tx.Raw("SELECT CAST(id AS text) FROM departments WHERE id IN ? ORDER BY id", ids).Scan(&known).Error; err != nil {
		return "", fmt.Errorf("read audience: %w", err)
	}
	slices.Sort(ids)
	if len(known) != len(slices.Compact(ids)) {
		wrong["audience"] = fault.Msg("codes.error.audience", "Max", maxAudience)
	}
	return strings.Join(known, " "), nil
}

// Permanence says whether by may issue a permanent code for g: nothing missing
// is the empty text, else the right that is missing (catalog key "right."+it),
// or needsSecond when a second super admin would have to agree. The form shows it.
// narrow says that the code is only for some of those who could join anyway.
func Permanence(by access.Actor, g group.Group, p directory.Policies, narrow bool) (missing string, needsSecond bool) {
	o := g.Object(false)
	o.Permanent, o.ExternalPermanent = true, p.ExternalPermanent
	o.OpenToAll = g.JoinMode == group.Open && !narrow
	switch access.Decide(by, access.CodePermanent, o) {
	case access.Allowed:
		return "", false
	case access.NeedsApproval:
		return "", true
	}
	right := string(access.CodePermanent)
	switch {
	case o.UserStarted:
		right += ".user"
	case o.External && !o.ExternalPermanent:
		right += ".external"
	case o.OpenToAll && by.Holds(access.CodePermanent, o.Path):
		right += ".open"
	}
	return right, false
}

// details are what the audit trail keeps of a code's terms.
func (c Code) details() map[string]any {
	d := map[string]any{"validity": c.Validity}
	if c.ValidUntil != nil {
		d["valid_until"] = c.ValidUntil.UTC().Format(time.RFC3339)
	}
	for name, n := range map[string]int{"daily_cap": c.DailyCap, "total_cap": c.TotalCap} {
		if n > 0 {
			d[name] = n
		}
	}
	for name, text := range map[string]string{"networks": c.Networks, "audience": c.Audience, "audience_roles": c.AudienceRoles, "audience_people": c.AudiencePeople,
		"own_mode": c.OwnMode, "own_asks": c.OwnAsks} {
		if text != "" {
			d[name] = text
		}
	}
	for name, is := range map[string]bool{"hours": c.Hours != "", "password": c.PasswordHash != "", "validity_fixed": c.ValidityFixed} {
		if is {
			d[name] = true
		}
	}
	if c.ValidFrom != nil {
		d["valid_from"] = c.ValidFrom.UTC().Format(time.RFC3339)
	}
	if c.Fallback != "" && c.Fallback != Message {
		d["fallback"] = c.Fallback
	}
	return d
}

// event is one entry of the trail about a code.
func event(action string, f Facts, details map[string]any) audit.Event {
	return audit.Event{Action: action, DepartmentPath: f.DepartmentPath, Details: details,
		Object: audit.Object{Kind: "code", ID: f.PublicID, Name: f.GroupName + " · " + f.Label}}
}

func nameOf(tx *gorm.DB, memberID int64) (string, error) {
	var name string
	if err := tx.Raw("SELECT name FROM members WHERE id = ?", memberID).Scan(&name).Error; err != nil {
		return "", fmt.Errorf("read a member's name: %w", err)
	}
	return name, nil
}

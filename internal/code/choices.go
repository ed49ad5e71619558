package code

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/group"
)

// maxChoices bounds every list to choose from.
const maxChoices = 300

// Choices is what a form about a code's terms offers.
type Choices struct {
	Organisation string
	Groups       []GroupChoice // to go on to
	MaxDays      int
	PerAddress   int // scans one address may make in 10 s; 0 = no limit
	PerVisitor   int
	Now          time.Time
	Location     *time.Location
	Plain        bool // the base URL is not encrypted
	MaySettle    bool // the code may have a join mode and challenges of its own
}

func (s *Service) choices(tx *gorm.DB, by access.Actor, groupID int64) (c Choices, err error) {
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return c, err
	}
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return c, err
	}
	c = Choices{Organisation: org.Name, MaxDays: policies.TemporaryMaxDays, PerAddress: policies.AddressPer10s, PerVisitor: policies.VisitorPer10s,
		Now: s.now(), Location: org.Location(), Plain: s.plain()}
	g, err := group.LoadByID(tx, groupID)
	if err != nil {
		return c, err
	}
	c.MaySettle = access.Can(by, access.GroupSettings, g.Object(false))
	c.Groups, err = groupChoices(tx, by, groupID)
	return c, err
}

// Terms is the page of one code's terms.
type Terms struct {
	View
	Choices
	Group     group.Group
	Permanent Permission
	MayChange Permission
}

// Terms reads a code's terms for somebody who may see the code. req: B29, C29
func (s *Service) Terms(ctx context.Context, by access.Actor, publicID string) (Terms, error) {
	v, err := s.View(ctx, by, publicID)
	if err != nil {
		return Terms{}, err
	}
	t, tx := Terms{View: v}, s.db.WithContext(ctx)
	if t.Group, err = group.LoadByID(tx, v.GroupID); err != nil {
		return t, err
	}
	if t.Choices, err = s.choices(tx, by, v.GroupID); err != nil {
		return t, err
	}
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return t, err
	}
	t.Permanent.Missing, t.Permanent.NeedsSecond = Permanence(by, t.Group, policies, true)
	switch {
	case !access.Can(by, access.CodeTemporary, v.Object(false)):
		t.MayChange.Missing = string(access.CodeTemporary)
	case v.Validity == Permanent:
		t.MayChange = t.Permanent
	}
	return t, nil
}

// Form is the form that would change nothing.
func (f Facts) Form(fallbackGroup string) Form {
	form := Form{Label: f.Label, Validity: Keep, Opening: f.Hours.openings(), Networks: f.Networks, Benefit: f.Benefit, Fallback: f.Fallback,
		FallbackURL: f.FallbackURL, Mode: f.OwnMode, Asks: strings.Fields(f.OwnAsks), FallbackGroup: fallbackGroup, Version: f.Version, DailyCap: capText(f.DailyCap), TotalCap: capText(f.TotalCap)}
	if f.ValidFrom != nil {
		form.ValidFrom = f.ValidFrom.In(f.Location()).Format("2006-01-02T15:04:05")
	}
	for _, id := range numbers(f.Audience) {
		form.Audience = append(form.Audience, strconv.FormatInt(id, 10))
	}
	for _, id := range numbers(f.AudiencePeople) {
		form.Kept = append(form.Kept, strconv.FormatInt(id, 10))
	}
	for _, role := range Roles {
		if f.HasRole(role) {
			form.Roles = append(form.Roles, role)
		}
	}
	return form
}

func capText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// Start fills the form with a preset's terms, as far as by may issue them. req: B08, B22
func (f Form) Start(p group.Preset, permanent Permission) Form {
	f.Preset = strconv.FormatInt(p.ID, 10)
	if p.Validity != Permanent || permanent.Allowed() {
		f.Validity = p.Validity
	}
	f.DailyCap, f.TotalCap = capText(p.DailyCap), capText(p.TotalCap)
	return f
}

// Fix fills in what cures a risk; an unknown name changes nothing.
func (f Form) Fix(name string, g group.Group) Form {
	switch name {
	case FixAudience:
		f.Audience = []string{strconv.FormatInt(g.DepartmentID, 10)}
	case FixCap:
		f.TotalCap = strconv.Itoa(g.Capacity)
	case FixPassword:
		n, err := rand.Int(rand.Reader, big.NewInt(900_000))
		if err == nil {
			f.Password = strconv.FormatInt(100_000+n.Int64(), 10)
		}
	}
	return f
}

// readTerms reads the names that the terms point to.
func (v *View) readTerms(tx *gorm.DB) (err error) {
	if v.People, err = people(tx, v.AudiencePeople); err != nil || v.FallbackGroupID == nil {
		return err
	}
	if err := tx.Raw("SELECT gid, name FROM groups WHERE id = ?", *v.FallbackGroupID).Scan(&v.FallbackGroup).Error; err != nil {
		return fmt.Errorf("read the group to go on to: %w", err)
	}
	return nil
}

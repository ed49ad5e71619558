package code

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Plan is a code, or new terms of one, that waits for a second super admin's
// word. It survives as JSON; the password's hash is sealed in it.
type Plan struct {
	GroupGID string
	PublicID string `json:",omitempty"` // of the code whose terms change; "" = a new code
	Code     Code   // without its password
	Sealed   []byte `json:",omitempty"` // the hash of the password, if there is one
	Changed  bool   `json:",omitempty"` // the password is another one than now
}

// NeedsSecond is the answer to terms that a second super admin has to agree to:
// permanent, open joining and no audience. Nothing was written. req: A07
type NeedsSecond struct{ Plan Plan }

func (NeedsSecond) Error() string { return "code: needs a second super admin's approval" }

// Print tells whether two plans are for the same thing: it leaves out what
// differs each time a form is sent.
func (p Plan) Print() string {
	c := p.Code
	bare, err := json.Marshal(map[string]any{"group": p.GroupGID, "code": p.PublicID, "label": c.Label, "version": c.Version, "from": c.ValidFrom, "caps": []int{c.DailyCap, c.TotalCap},
		"networks": c.Networks, "hours": c.Hours, "roles": c.AudienceRoles, "password": p.Sealed != nil, "changed": p.Changed, "benefit": c.Benefit, "fallback": c.Fallback, "url": c.FallbackURL, "next": c.FallbackGroupID, "mode": c.OwnMode, "asks": c.OwnAsks})
	if err != nil {
		return ""
	}
	return string(bare)
}

const sealPurpose = "planned-code-password"

// orSecond is the answer for a plan that was not written, or err.
func (s *Service) orSecond(err error, gid string, was, c Code) error {
	if err != nil {
		return err
	}
	p := Plan{GroupGID: gid, PublicID: was.PublicID, Code: c, Changed: was.PasswordHash != c.PasswordHash}
	if c.PasswordHash != "" {
		p.Sealed = s.keys.Seal(sealPurpose, []byte(c.PasswordHash))
	}
	p.Code.PasswordHash = ""
	return NeedsSecond{p}
}

// needsSecond reports whether the terms need a second super admin's word; what
// by may not issue at all is fault.Forbidden.
func (d desk) needsSecond(c Code) (bool, error) {
	if c.Validity != Permanent {
		return false, nil
	}
	missing, second := Permanence(d.by, c.issued(d.group), d.policies, c.narrows(d.group.Type))
	if missing != "" {
		return false, fault.Forbidden{Right: missing}
	}
	behind, err := d.checkBehind(c)
	return second || behind, err
}

// agreed reports whether the code already hangs with a second person's word and
// the change takes nothing away that kept people out.
func (d desk) agreed(was, c Code) (bool, error) {
	before, err := d.needsSecond(was)
	if err != nil || !before {
		return false, err
	}
	loosened := was.PasswordHash != "" && c.PasswordHash == "" || was.Networks != "" && c.Networks != was.Networks || was.Hours != "" && c.Hours != was.Hours ||
		looser(was.DailyCap, c.DailyCap) || looser(was.TotalCap, c.TotalCap) ||
		c.OwnMode == group.Open && was.OwnMode != group.Open || c.OwnAsks != was.OwnAsks
	return !loosened, nil
}

func looser(was, is int) bool { return was > 0 && (is == 0 || is > was) }

// Now is what a plan is about, as the world is.
type Now struct {
	Group group.Group
	Was   *Facts // the code whose terms change; nil for a new one
	Next  GroupChoice
	Doors []group.Group // open groups that the code leads to beside its own
}

// ReadPlan reads what a plan is about, whoever asks.
func (s *Service) ReadPlan(tx *gorm.DB, p Plan) (n Now, err error) {
	if n.Group, err = group.Load(tx, p.GroupGID); err != nil {
		return n, err
	}
	if p.PublicID != "" {
		f, err := LoadFacts(tx, p.PublicID)
		if err != nil {
			return n, err
		}
		n.Was = &f
		all, err := targets(tx, f.ID, "")
		if err != nil {
			return n, err
		}
		for _, t := range all {
			if !t.Own && t.Status == group.Active && p.Code.ModeIn(t.Group) == group.Open {
				n.Doors = append(n.Doors, t.Group)
			}
		}
	}
	if id := p.Code.FallbackGroupID; id != nil {
		if err := tx.Raw("SELECT gid, name FROM groups WHERE id = ?", *id).Scan(&n.Next).Error; err != nil {
			return n, fmt.Errorf("read the group to go on to: %w", err)
		}
	}
	return n, nil
}

// CheckPlan holds what the plan is about and asks whether author may still do
// it, with a second person's word: fault.Conflict when the code or its group is
// over or was changed since, fault.Forbidden when author lost the right.
func (s *Service) CheckPlan(tx *gorm.DB, author access.Actor, p Plan) (Now, error) {
	if p.PublicID != "" {
		if err := lockCode(tx, p.PublicID); err != nil {
			return Now{}, err
		}
	}
	n, err := s.ReadPlan(tx, p)
	if err != nil {
		return n, err
	}
	if n.Was != nil {
		if err := refuseOver(tx, *n.Was); err != nil {
			return n, err
		}
		if n.Was.Version != p.Code.Version {
			return n, staleTerms(tx, *n.Was)
		}
		if err := holdBehind(tx, *n.Was); err != nil {
			return n, err
		}
	}
	if n.Group, err = lockGroup(tx, p.GroupGID); err != nil {
		return n, err
	}
	if n.Group.Status != group.Active {
		return n, disbanded(tx, n.Group.ID)
	}
	return n, s.checkAgain(tx, author, n, p)
}

// checkAgain asks the rights anew, and for what the plan names.
func (s *Service) checkAgain(tx *gorm.DB, author access.Actor, n Now, p Plan) error {
	if err := access.Check(author, access.CodeTemporary, n.Group.Object(false)); err != nil {
		return err
	}
	d, err := s.desk(tx, author, n.Group)
	if err != nil {
		return err
	}
	if _, err := d.needsSecond(p.Code); err != nil {
		return err
	}
	if id := p.Code.FallbackGroupID; id != nil && (n.Was == nil || n.Was.FallbackGroupID == nil || *n.Was.FallbackGroupID != *id) {
		next, err := group.LoadByID(tx, *id)
		if errors.Is(err, fault.NotFound) || err == nil && next.Status != group.Active {
			return fault.Conflict{Message: fault.Msg("second.error.fallback", "Name", next.Name)}
		}
		return err
	}
	return nil
}

// Apply carries a plan out on behalf of author, with a second super admin's
// word, and returns the code's public id. The caller records the event.
func (s *Service) Apply(tx *gorm.DB, author access.Actor, p Plan) (string, audit.Event, error) {
	n, err := s.CheckPlan(tx, author, p)
	if err != nil {
		return "", audit.Event{}, err
	}
	c := p.Code
	if p.Sealed != nil {
		hash, err := s.keys.Open(sealPurpose, p.Sealed)
		if err != nil {
			return "", audit.Event{}, fmt.Errorf("open the planned password: %w", err)
		}
		c.PasswordHash = string(hash)
	}
	if n.Was != nil {
		e, _, err := s.saveTerms(tx, author, *n.Was, c)
		return p.PublicID, e, err
	}
	c.GroupID, c.IssuedBy, c.IssuedAt = n.Group.ID, author.MemberID, s.now().UTC().Truncate(time.Microsecond)
	if err := Create(tx, &c); err != nil {
		return "", audit.Event{}, err
	}
	return c.PublicID, event("code.issue", Facts{Code: c, DepartmentPath: n.Group.DepartmentPath, GroupName: n.Group.Name}, c.details()), nil
}

// OpenCodes lists permanent codes without an audience by which people come to a
// group: what hangs when it is opened.
func OpenCodes(tx *gorm.DB, groupID int64) ([]Facts, error) {
	all, err := facts(tx, `WHERE c.revoked_at IS NULL AND c.validity = 'permanent' AND (g.id = ? OR c.id IN (SELECT code_id FROM code_targets WHERE group_id = ?)
		OR g.series_id = (SELECT o.series_id FROM groups o WHERE o.id = ?)) ORDER BY c.id LIMIT 20`, groupID, groupID, groupID)
	if err != nil {
		return nil, err
	}
	open := all[:0]
	for _, f := range all {
		if !f.narrows(f.GroupType) && (f.OwnMode == "" || f.OwnMode == group.Open) {
			open = append(open, f)
		}
	}
	return open, nil
}

package group

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// Rules is one version of what a joiner must agree to. Versions are never changed.
type Rules struct {
	ID        int64
	GroupID   int64
	Version   int
	Text      string
	Hash      string // of the text, SHA-256 in hex
	AskAgain  bool   // who accepted an older version is asked again
	CreatedAt time.Time
	CreatedBy *int64

	AuthorName string `gorm:"->;-:migration"`
	Accepted   int    `gorm:"->;-:migration"` // by how many of those who are in
}

// TableName is for gorm.
func (Rules) TableName() string { return "group_rules" }

// Token names this very version in a form: the numbers of two groups' rules may agree.
func (r Rules) Token() string { return strconv.FormatInt(r.ID, 10) }

// RulesOf reads the rules in force; nil when there are none.
func RulesOf(tx *gorm.DB, g Group) (*Rules, error) {
	if g.RulesVersion == 0 {
		return nil, nil
	}
	var r Rules
	if err := tx.Where("group_id = ? AND version = ?", g.ID, g.RulesVersion).Take(&r).Error; err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	return &r, nil
}

// Acceptance is the evidence that somebody agreed to one version.
type Acceptance struct {
	ID       int64
	GroupID  int64
	RulesID  int64
	Version  int
	Hash     string
	MemberID *int64
	GuestID  *int64
	Name     string
	Address  string
	At       time.Time
}

// TableName is for gorm.
func (Acceptance) TableName() string { return "rule_acceptances" }

// Accept writes down that p agreed to r, once: the first time counts.
func (r Rules) Accept(tx *gorm.DB, p Person, name, address string, at time.Time) error {
	row := Acceptance{GroupID: r.GroupID, RulesID: r.ID, Version: r.Version, Hash: r.Hash, MemberID: p.MemberID, GuestID: p.GuestID,
		Name: name, Address: address, At: at.UTC()}
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
		return fmt.Errorf("write down who agreed: %w", err)
	}
	err := p.where(tx.Model(&Membership{}).Where("group_id = ? AND status = 'active' AND rules_version < ?", r.GroupID, r.Version)).
		Update("rules_version", r.Version).Error
	if err != nil {
		return fmt.Errorf("note the rules at the membership: %w", err)
	}
	return nil
}

// Agreed is the newest version that p, who is in the group, agreed to, and
// whether that is too little now. Nobody is asked where there are no rules.
func Agreed(tx *gorm.DB, g Group, p Person) (version int, due bool, err error) {
	if g.RulesVersion == 0 {
		return 0, false, nil
	}
	var rows []int
	err = p.where(tx.Table("memberships").Where("group_id = ? AND status = 'active'", g.ID)).Limit(1).Pluck("rules_version", &rows).Error
	if err != nil || len(rows) == 0 {
		return 0, false, err
	}
	return rows[0], rows[0] == 0 || rows[0] < g.RulesDue, nil
}

// SaveRules makes a new version of the rules; an empty text takes them away.
// version is the one the form was filled from, -1 for whatever is there: a text
// written over another's is fault.Conflict with who wrote that. again asks those
// who agreed to an older version anew. req: C31
func (s *Service) SaveRules(ctx context.Context, by access.Actor, gid, text string, version int, again bool) error {
	text = Lines(text)
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.GroupSettings, gid)
		if err != nil {
			return err
		}
		bad := fault.Invalid{}
		atMost(bad, "rules", text, MaxRules)
		if err := bad.Or(); err != nil {
			return err
		}
		newest, err := newestRules(tx, g.ID)
		if err != nil {
			return err
		}
		if version >= 0 && version != g.RulesVersion {
			return staleRules(newest)
		}
		switch {
		case text == "" && g.RulesVersion == 0:
			return nil
		case text == "":
			return s.dropRules(tx, by, g)
		case g.RulesVersion > 0 && newest.Text == text && (!again || g.RulesDue == g.RulesVersion):
			return nil
		case g.RulesVersion > 0 && newest.Text == text:
			return s.setRules(tx, by, g, g.RulesVersion, g.RulesVersion, newest.Hash)
		}
		r := Rules{GroupID: g.ID, Version: newest.Version + 1, Text: text, Hash: Digest(text), AskAgain: again, CreatedAt: s.now().UTC()}
		if by.MemberID != 0 {
			r.CreatedBy = &by.MemberID
		}
		if err := tx.Create(&r).Error; err != nil {
			return fmt.Errorf("write the rules: %w", err)
		}
		due := g.RulesDue
		if again {
			due = r.Version
		}
		return s.setRules(tx, by, g, r.Version, due, r.Hash)
	})
}

// Digest is the hash under which a text of rules is known.
func Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// newestRules is the last version there ever was, in force or not; the zero value when none.
func newestRules(tx *gorm.DB, groupID int64) (Rules, error) {
	var rows []Rules
	err := tx.Table("group_rules r").Select("r.*, coalesce(m.name, '') AS author_name").Joins("LEFT JOIN members m ON m.id = r.created_by").
		Where("r.group_id = ?", groupID).Order("r.version DESC").Limit(1).Find(&rows).Error
	if err != nil {
		return Rules{}, fmt.Errorf("read the newest rules: %w", err)
	}
	if len(rows) == 0 {
		return Rules{}, nil
	}
	return rows[0], nil
}

func staleRules(newest Rules) error {
	return fault.Conflict{Message: fault.Msg("charter.error.rules.stale", "Version", newest.Version), By: newest.AuthorName, At: newest.CreatedAt}
}

func (s *Service) setRules(tx *gorm.DB, by access.Actor, g Group, version, due int, hash string) error {
	err := tx.Model(&Group{}).Where("id = ?", g.ID).Updates(map[string]any{"rules_version": version, "rules_due": due}).Error
	if err != nil {
		return fmt.Errorf("put the rules in force: %w", err)
	}
	return s.trail.Record(tx, by, audit.Event{Action: "group.rules", Object: g.audited(), DepartmentPath: g.DepartmentPath,
		Details: map[string]any{"version": version, "version_was": g.RulesVersion, "hash": hash, "again": due == version}})
}

func (s *Service) dropRules(tx *gorm.DB, by access.Actor, g Group) error {
	err := tx.Model(&Group{}).Where("id = ?", g.ID).Updates(map[string]any{"rules_version": 0, "rules_due": 0}).Error
	if err != nil {
		return fmt.Errorf("take the rules away: %w", err)
	}
	return s.trail.Record(tx, by, audit.Event{Action: "group.rules.drop", Object: g.audited(), DepartmentPath: g.DepartmentPath,
		Details: map[string]any{"version_was": g.RulesVersion}})
}

// AcceptRules lets a member of the group agree to the rules in force from the
// console. token names the version that was shown: any other is fault.Conflict.
func (s *Service) AcceptRules(ctx context.Context, by access.Actor, gid, token string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.GroupSee, gid)
		if err != nil {
			return err
		}
		me := Person{MemberID: &by.MemberID}
		in, err := Joined(tx, g.ID, me)
		if err != nil {
			return fmt.Errorf("look for the membership: %w", err)
		}
		if !in {
			return fault.Forbidden{Right: "group.member"}
		}
		r, err := RulesOf(tx, g)
		if err != nil {
			return err
		}
		if r == nil || r.Token() != token {
			return fault.Conflict{Message: fault.Msg("charter.error.rules.changed")}
		}
		if err := r.Accept(tx, me, by.Name, by.Address, s.now()); err != nil {
			return err
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.rules.accept", Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"version": r.Version, "hash": r.Hash}})
	})
}

// CopyRules gives a group the rules of another, as its first version: for a
// group that is made after it.
func CopyRules(tx *gorm.DB, from Group, to *Group, at time.Time) error {
	r, err := RulesOf(tx, from)
	if err != nil || r == nil {
		return err
	}
	fresh := Rules{GroupID: to.ID, Version: 1, Text: r.Text, Hash: r.Hash, CreatedAt: at.UTC(), CreatedBy: r.CreatedBy}
	if err := tx.Create(&fresh).Error; err != nil {
		return fmt.Errorf("copy the rules: %w", err)
	}
	to.RulesVersion, to.RulesDue = 1, 0
	if err := tx.Model(&Group{}).Where("id = ?", to.ID).Updates(map[string]any{"rules_version": 1}).Error; err != nil {
		return fmt.Errorf("put the copied rules in force: %w", err)
	}
	return nil
}

// RulesPage is everything about a group's rules that the reader may see: the
// text for all who see the group, who agreed for those who see its codes.
type RulesPage struct {
	Header
	Aside
	Evidence []Acceptance // the newest first
}

// evidenceShown bounds how many acceptances a page lists.
const evidenceShown = 50

// Rules reads the page of a group's rules.
func (s *Service) Rules(ctx context.Context, by access.Actor, gid string) (RulesPage, error) {
	h, err := s.ByID(ctx, by, gid)
	if err != nil {
		return RulesPage{}, err
	}
	out := RulesPage{Header: h}
	if out.Aside, err = s.Aside(ctx, by, h); err != nil || !h.Can.Codes {
		return out, err
	}
	err = s.db.WithContext(ctx).Where("group_id = ?", h.ID).Order("id DESC").Limit(evidenceShown).Find(&out.Evidence).Error
	if err != nil {
		return out, fmt.Errorf("list who agreed: %w", err)
	}
	return out, nil
}

package group

import (
	"context"
	"fmt"

	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
)

// Tiered management: from so many members on a group wants so many people with
// a duty. req: C26
const (
	ManyMembers   = 200
	EnoughHolders = 3
)

// Hint is one thing about a group that its rules would not allow today, or that
// its size asks for, in words under "charter.hint."+Name. Nothing is changed by it.
type Hint struct {
	Name  string
	Count int
}

// Aside is what a group's page says beyond who is in.
type Aside struct {
	Hints      []Hint
	JoiningOff bool      // the organisation closed all doors
	Versions   []Rules   // the newest first, with how many of those inside agreed to each
	Agreed     int       // the version the reader, who is in, agreed to
	Due        bool      // and that is too little
	Unagreed   int       // members who agreed to no version
	Undoable   []Removal // removals the reader may take back
	Joined     bool      // the reader is in
	Rules      *Rules    // in force
}

// versionsShown bounds the history of the rules on a page.
const versionsShown = 10

// Aside reads it for a group that by may see.
func (s *Service) Aside(ctx context.Context, by access.Actor, h Header) (Aside, error) {
	tx, out := s.db.WithContext(ctx), Aside{}
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return out, err
	}
	out.JoiningOff = policies.JoiningOff && h.Status == Active
	if out.Rules, err = RulesOf(tx, h.Group); err != nil {
		return out, err
	}
	me := Person{MemberID: &by.MemberID}
	if out.Joined, err = Joined(tx, h.ID, me); err != nil {
		return out, fmt.Errorf("look for the membership: %w", err)
	}
	if out.Agreed, out.Due, err = Agreed(tx, h.Group, me); err != nil {
		return out, err
	}
	if out.Undoable, err = s.Undoable(ctx, by, h); err != nil {
		return out, err
	}
	if !h.Can.Codes || h.Status != Active {
		return out, nil
	}
	if out.Hints, err = hints(tx, h.Group, policies, s.now().UTC()); err != nil {
		return out, err
	}
	out.Versions, out.Unagreed, err = versions(tx, h.Group)
	return out, err
}

// versions lists the newest versions of the rules with how many agreed to each.
func versions(tx *gorm.DB, g Group) ([]Rules, int, error) {
	var all []Rules
	err := tx.Table("group_rules r").Select("r.*, coalesce(m.name, '') AS author_name").Joins("LEFT JOIN members m ON m.id = r.created_by").
		Where("r.group_id = ?", g.ID).Order("r.version DESC").Limit(versionsShown).Find(&all).Error
	if err != nil || len(all) == 0 {
		return nil, 0, err
	}
	var counts []struct{ Version, N int }
	err = tx.Raw("SELECT rules_version AS version, count(*) AS n FROM memberships WHERE group_id = ? AND status = 'active' GROUP BY rules_version", g.ID).Scan(&counts).Error
	if err != nil {
		return nil, 0, fmt.Errorf("count who agreed: %w", err)
	}
	by := map[int]int{}
	for _, c := range counts {
		by[c.Version] = c.N
	}
	for i := range all {
		all[i].Accepted = by[all[i].Version]
	}
	return all, by[0], nil
}

// hints compares a group with what its type and its size ask for.
func hints(tx *gorm.DB, g Group, p directory.Policies, now time.Time) ([]Hint, error) {
	var n struct{ NoPassword, Endless, Guests, Holders int }
	err := tx.Raw(`SELECT
		(SELECT count(*) FROM codes c WHERE c.group_id = ? AND c.revoked_at IS NULL AND (c.valid_until IS NULL OR c.valid_until > ?) AND c.password_hash = '') AS no_password,
		(SELECT count(*) FROM codes c WHERE c.group_id = ? AND c.revoked_at IS NULL AND c.validity = 'permanent') AS endless,
		(SELECT count(*) FROM memberships ms WHERE ms.group_id = ? AND ms.status = 'active' AND ms.guest_id IS NOT NULL) AS guests,
		(SELECT count(DISTINCT gd.member_id) FROM group_duties gd WHERE gd.group_id = ?) AS holders`, g.ID, now, g.ID, g.ID, g.ID).Scan(&n).Error
	if err != nil {
		return nil, fmt.Errorf("compare a group with its type: %w", err)
	}
	var out []Hint
	put := func(broken bool, name string, count int) {
		if broken && count > 0 {
			out = append(out, Hint{name, count})
		}
	}
	nature := NatureOf(g.Type)
	put(nature.CodePassword, "password", n.NoPassword)
	put(nature.CodeEnd, "endless", n.Endless)
	put(nature.ByPolicy && !p.ExternalPermanent, "policy", n.Endless)
	put(g.Origin == ByUser, "started", n.Endless)
	put(!nature.Guests, "guests", n.Guests)
	put(!nature.MayInvite && g.MembersInvite, "invite", 1)
	if g.MemberCount > ManyMembers && n.Holders < EnoughHolders {
		out = append(out, Hint{"holders", n.Holders})
	}
	return out, nil
}

// Thin is a large group with too few people who have a duty.
type Thin struct {
	GID         string `gorm:"column:gid"`
	Name        string
	MemberCount int
	Holders     int
}

// Understaffed lists the large groups with fewer than three people with a duty,
// among those whose duties by may give; twenty at most, the largest first.
func (s *Service) Understaffed(ctx context.Context, by access.Actor) ([]Thin, error) {
	where, args := access.Scope(by, access.GroupDuties, "d.path")
	if by.MemberID != 0 {
		where, args = "("+where+" OR g.owner_id = ?)", append(args, by.MemberID)
	}
	var all []Thin
	err := s.db.WithContext(ctx).Raw(`SELECT * FROM (SELECT g.id, g.gid, g.name, g.member_count,
			(SELECT count(DISTINCT gd.member_id) FROM group_duties gd WHERE gd.group_id = g.id) AS holders
		FROM groups g JOIN departments d ON d.id = g.department_id WHERE g.status = 'active' AND g.member_count > ? AND `+where+`) x
		WHERE holders < ? ORDER BY member_count DESC, id LIMIT ?`,
		append(append([]any{ManyMembers}, args...), EnoughHolders, remindMax)...).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("look for groups with too few duties: %w", err)
	}
	return all, nil
}

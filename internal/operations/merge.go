package operations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/database"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Merging is everything that would happen if one group went into another, and
// what stands against it.
type Merging struct {
	From, Into  group.Group
	FromLineage string
	IntoLineage string
	group.Sum
	code.Links
	Codes     []code.Standing
	EndSeries bool // the series of From has no other living group
	Against   []fault.Message
}

// Lost are the codes that would stop because their issuer has no right there, Won those that come back.
func (m Merging) Lost() []code.Standing {
	return slices.DeleteFunc(slices.Clone(m.Codes), func(s code.Standing) bool { return !s.Lost() })
}

// Won counts the codes that stand still now and would work.
func (m Merging) Won() (n int) {
	for _, s := range m.Codes {
		if s.Won() {
			n++
		}
	}
	return n
}

// Rights that a merge takes: to end the one group, and to change and fill the other.
var (
	fromRights = []access.Right{access.GroupDisband}
	intoRights = []access.Right{access.GroupSettings, access.MemberAdd}
)

// MergeFrom reads a group that by might merge into another: fault.Conflict once it is over.
func (s *Service) MergeFrom(ctx context.Context, by access.Actor, gid string) (group.Group, error) {
	tx := s.db.WithContext(ctx)
	g, err := group.Find(tx, by, gid, fromRights...)
	if err != nil {
		return g, err
	}
	return g, group.Over(tx, g)
}

// Choice is a group that may take another one over.
type Choice struct {
	group.Group
	Lineage string
}

// choicesShown is how many groups the form offers at once: search for others.
const choicesShown = 30

// Successors lists groups in by's scope that could take g over, those of its own department first.
func (s *Service) Successors(ctx context.Context, by access.Actor, g group.Group, q string) (all []Choice, more bool, err error) {
	tx := s.db.WithContext(ctx)
	where, args := access.Scope(by, access.GroupSettings, "d.path")
	args = append([]any{g.ID}, args...)
	if q = strings.ToLower(strings.TrimSpace(q)); q != "" {
		where += ` AND (lower(g.name) LIKE ? ESCAPE '\' OR lower(g.gid) LIKE ? ESCAPE '\')`
		like := "%" + database.EscapeLike(q) + "%"
		args = append(args, like, like)
	}
	args = append(args, g.DepartmentID, g.Type, choicesShown+1)
	var groups []group.Group
	err = tx.Raw(`SELECT g.*, d.path AS department_path, d.name AS department_name FROM groups g JOIN departments d ON d.id = g.department_id
		WHERE g.status = 'active' AND g.id <> ? AND `+where+` ORDER BY CASE WHEN g.department_id = ? THEN 0 ELSE 1 END, CASE WHEN g.type = ? THEN 0 ELSE 1 END, g.name, g.id LIMIT ?`,
		args...).Scan(&groups).Error
	if err != nil {
		return nil, false, fmt.Errorf("list groups to merge into: %w", err)
	}
	if more = len(groups) > choicesShown; more {
		groups = groups[:choicesShown]
	}
	paths := make([]string, len(groups))
	for i, g := range groups {
		paths[i] = g.DepartmentPath
	}
	lineages, err := group.Lineages(tx, paths)
	for _, g := range groups {
		all = append(all, Choice{g, lineages[g.DepartmentPath]})
	}
	return all, more, err
}

// PreviewMerge says what Merge would do now.
func (s *Service) PreviewMerge(ctx context.Context, by access.Actor, from, into string) (Merging, error) {
	tx := s.db.WithContext(ctx)
	m, err := s.pair(tx, by, from, into)
	if err != nil {
		return m, err
	}
	if err := s.examine(tx, &m); err != nil {
		return m, err
	}
	names, err := group.Lineages(tx, []string{m.From.DepartmentPath, m.Into.DepartmentPath})
	m.FromLineage, m.IntoLineage = names[m.From.DepartmentPath], names[m.Into.DepartmentPath]
	return m, err
}

// pair reads both groups and asks the rights on them.
func (s *Service) pair(tx *gorm.DB, by access.Actor, from, into string) (m Merging, err error) {
	if m.From, err = group.Find(tx, by, from, fromRights...); err != nil {
		return m, err
	}
	if err := group.Over(tx, m.From); err != nil {
		return m, err
	}
	if strings.TrimSpace(into) == "" || into == from {
		return m, fault.Invalid{"into": fault.Msg("operations.merge.error.into")}
	}
	if m.Into, err = group.Find(tx, by, into, intoRights...); err != nil {
		return m, err
	}
	return m, group.Over(tx, m.Into)
}

// examine counts, and asks the rules that no right overrules.
func (s *Service) examine(tx *gorm.DB, m *Merging) (err error) {
	if m.Sum, err = group.SumUp(tx, m.From, m.Into); err != nil {
		return err
	}
	if m.Codes, err = code.StandingsIn(tx, m.From, m.Into, s.now()); err != nil {
		return err
	}
	if m.Links, err = code.LinksTo(tx, m.From); err != nil {
		return err
	}
	if m.From.SeriesID != nil {
		siblings, err := group.Siblings(tx, []int64{*m.From.SeriesID})
		if err != nil {
			return err
		}
		m.EndSeries = !slices.ContainsFunc(siblings, func(g group.Group) bool { return g.ID != m.From.ID && g.Status == group.Active })
	}
	if m.Guests > 0 && !m.Into.Admits() {
		m.Against = append(m.Against, fault.Msg("operations.merge.error.guests", "Count", m.Guests))
	}
	if n := m.Excess(); n > 0 {
		m.Against = append(m.Against, fault.Msg("operations.merge.error.room", "Count", n, "Room", max(0, m.Room), "Coming", m.Coming()))
	}
	unconfirmed, err := group.Unconfirmed(tx, m.From, m.Into, s.now())
	if err != nil {
		return err
	}
	if unconfirmed {
		m.Against = append(m.Against, fault.Msg("operations.merge.error.recert", "From", m.From.Name, "Into", m.Into.Name))
	}
	open, err := code.TooOpen(tx, m.From, m.Into)
	if open {
		m.Against = append(m.Against, fault.Msg("operations.merge.error.open"))
	}
	return err
}

// errUnsettled: codes were hung on one of the groups while the locks were taken.
var errUnsettled = errors.New("operations: the groups changed meanwhile")

// Merge moves everybody and every code of one group into another and disbands
// the first, in one transaction. What people printed goes on working. confirm is
// the first one's name as typed on the confirmation page, nil for scripts.
// req: A20, C53
func (s *Service) Merge(ctx context.Context, by access.Actor, from, into, reason string, confirm *string) error {
	for range 5 {
		err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return s.merge(tx, by, from, into, reason, confirm) })
		if !errors.Is(err, errUnsettled) {
			return err
		}
	}
	return fault.Conflict{Message: fault.Msg("operations.merge.error.busy")}
}

func (s *Service) merge(tx *gorm.DB, by access.Actor, from, into, reason string, confirm *string) error {
	if err := holdPair(tx, from, into); err != nil {
		return err
	}
	m, err := s.pair(tx, by, from, into)
	if err != nil {
		return err
	}
	if err := s.examine(tx, &m); err != nil {
		return err
	}
	reason = strings.TrimSpace(reason)
	if err := m.check(reason, confirm); err != nil {
		return err
	}
	at := s.now().UTC().Truncate(time.Microsecond)
	if err := group.CarryCodes(tx, m.From, m.Into); err != nil {
		return err
	}
	moved, err := code.Follow(tx, m.From, m.Into, at)
	if err != nil {
		return err
	}
	if err := group.Absorb(tx, by, m.From, m.Into, reason, at); err != nil {
		return err
	}
	if err := group.GrowIfDue(tx, s.trail, m.Into.ID, at); err != nil {
		return err
	}
	return s.trail.RecordAll(tx, by, m.events(reason, moved))
}

// holdPair takes people, codes, series and groups in the order everybody takes them.
func holdPair(tx *gorm.DB, from, into string) error {
	ids, err := group.IDsOf(tx, []string{from, into})
	if err != nil {
		return err
	}
	a, known := ids[from]
	b := ids[into]
	if !known {
		return fault.NotFound
	}
	if err := group.HoldPeople(tx, a); err != nil {
		return err
	}
	held, err := code.HoldLinks(tx, a, b)
	if err != nil {
		return err
	}
	if err := group.HoldSeries(tx, []int64{a, b}); err != nil {
		return err
	}
	if err := group.HoldGroups(tx, a, b); err != nil {
		return err
	}
	again, err := code.HoldLinks(tx, a, b)
	if err == nil && !slices.Equal(held, again) {
		err = errUnsettled // the new ones may be held by somebody who waits for us
	}
	return err
}

// check is what the form has to say, and then what stands against it.
func (m Merging) check(reason string, confirm *string) error {
	bad := fault.Invalid{}
	switch n := utf8.RuneCountInString(reason); {
	case n == 0:
		bad["reason"] = fault.Msg("groups.error.reason.empty")
	case n > group.MaxReason:
		bad["reason"] = fault.Msg("groups.error.reason.long", "Max", group.MaxReason, "Have", n)
	}
	if confirm != nil && group.OneLine(*confirm) != m.From.Name {
		bad["confirm_name"] = fault.Msg("groups.error.confirm", "Name", m.From.Name)
	}
	if len(m.Against) > 0 {
		bad["into"] = m.Against[0]
	}
	return bad.Or()
}

// events are one entry for each of the two groups.
func (m Merging) events(reason string, codes int64) []audit.Event {
	numbers := func(other group.Group, key string) map[string]any {
		return map[string]any{key: other.GID, key + "_name": other.Name, "members": m.Coming(), "already": m.Already, "requests": m.Requests - m.Doubled,
			"requests_closed": m.Doubled, "waiting": m.Waiting, "codes": codes, "codes_stopped": len(m.Lost()), "reason": reason}
	}
	return []audit.Event{
		{Action: "group.merge", Object: m.From.Audited(), DepartmentPath: m.From.DepartmentPath, Details: numbers(m.Into, "into")},
		{Action: "group.absorb", Object: m.Into.Audited(), DepartmentPath: m.Into.DepartmentPath, Details: numbers(m.From, "from")},
	}
}

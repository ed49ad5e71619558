package group

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/database"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// PageSize is how many rows a list shows.
const PageSize = 30

// Seat is one line of a group's members. Phone is empty for readers who may
// not add or remove people.
type Seat struct {
	ID             int64 // of the membership
	MemberID       *int64
	Name           string
	Phone          string
	Departed       bool
	DepartmentPath string
	Department     string
	Duties         string // comma-separated, owner first
	Source         string // code, added, demo
	CodeLabel      string
	LetInBy        string
	JoinedAt       time.Time
	Linked         bool       // the reader may open this member's page
	Held           bool       // stands still until a head confirms it
	Unagreed       bool       // has yet to agree to the rules; for whoever adds and removes people
	Until          *time.Time // when the stay ends by itself
}

// Guest reports whether the seat is taken by somebody outside the directory.
func (s Seat) Guest() bool { return s.MemberID == nil }

// Roster is one page of a group's members, the latest first.
type Roster struct {
	Seats []Seat
	Next  int64 // pass it as after for the next page; 0 = the last one
}

// Roster lists who is in a group, narrowed to names or job numbers that contain q.
func (s *Service) Roster(ctx context.Context, by access.Actor, gid, q string, after int64) (Roster, error) {
	db := s.db.WithContext(ctx)
	g, o, err := find(db, by, gid)
	if err != nil {
		return Roster{}, err
	}
	if err := access.Check(by, access.GroupRoster, o); err != nil {
		return Roster{}, err
	}
	where, args := "ms.group_id = ? AND ms.status = 'active'", []any{g.ID}
	if after > 0 {
		where, args = where+" AND ms.id < ?", append(args, after)
	}
	if q != "" {
		like := contains(q)
		where += ` AND (lower(m.name) LIKE ? ESCAPE '\' OR lower(m.job_number) LIKE ? ESCAPE '\' OR lower(gu.name) LIKE ? ESCAPE '\')`
		args = append(args, like, like, like)
	}
	var seats []Seat
	err = db.Raw(`SELECT ms.id, ms.member_id, coalesce(m.name, gu.name) AS name, coalesce(m.phone, gu.phone) AS phone,
			coalesce(m.status = 'departed', false) AS departed, coalesce(c.label, '') AS code_label, ms.source, coalesce(dm.name, '') AS let_in_by, ms.joined_at, ms.until,
			(ms.rules_version = 0 OR ms.rules_version < ?) AS unagreed
		FROM memberships ms LEFT JOIN members m ON m.id = ms.member_id LEFT JOIN guests gu ON gu.id = ms.guest_id
			LEFT JOIN codes c ON c.id = ms.code_id LEFT JOIN join_requests r ON r.id = ms.request_id LEFT JOIN members dm ON dm.id = r.decided_by
		WHERE `+where+` ORDER BY ms.id DESC LIMIT ?`, append(append([]any{g.RulesDue}, args...), PageSize+1)...).Scan(&seats).Error
	if err != nil {
		return Roster{}, fmt.Errorf("list members: %w", err)
	}
	out := Roster{Seats: seats}
	if len(seats) > PageSize {
		out.Seats, out.Next = seats[:PageSize], seats[PageSize-1].ID
	}
	if err := fillHeld(db, out.Seats, s.now()); err != nil {
		return out, err
	}
	if g.RulesVersion == 0 {
		for i := range out.Seats {
			out.Seats[i].Unagreed = false
		}
	}
	if !access.Can(by, access.MemberAdd, o) {
		for i := range out.Seats {
			out.Seats[i].Phone, out.Seats[i].Unagreed = "", false
		}
	}
	return out, fillSeats(db, by, g, out.Seats)
}

// contains is a LIKE pattern for a part of a text, whatever characters it has.
func contains(q string) string {
	return "%" + database.EscapeLike(strings.ToLower(q)) + "%"
}

// fillSeats adds departments and duties with three statements for the whole page.
func fillSeats(tx *gorm.DB, by access.Actor, g Group, seats []Seat) error {
	var ids []int64
	for _, seat := range seats {
		if seat.MemberID != nil {
			ids = append(ids, *seat.MemberID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var rows []struct {
		MemberID int64
		Path     string
		Duty     string
	}
	err := tx.Raw(`SELECT md.member_id, d.path, '' AS duty, 0 AS rank FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id IN ?
		UNION ALL SELECT owner_id, '', 'owner', 1 FROM groups WHERE id = ? AND owner_id IN ?
		UNION ALL SELECT member_id, '', duty, CASE duty WHEN 'review' THEN 2 WHEN 'content' THEN 3 ELSE 4 END FROM group_duties WHERE group_id = ? AND member_id IN ?
		ORDER BY rank, path DESC`, ids, g.ID, ids, g.ID, ids).Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("list members' departments: %w", err)
	}
	paths, duties, used := map[int64]string{}, map[int64][]string{}, []string{}
	for _, r := range rows {
		if r.Duty != "" {
			duties[r.MemberID] = append(duties[r.MemberID], r.Duty)
		} else {
			paths[r.MemberID] = r.Path
			used = append(used, r.Path)
		}
	}
	lineages, err := Lineages(tx, used)
	if err != nil {
		return err
	}
	for i := range seats {
		if id := seats[i].MemberID; id != nil {
			seats[i].DepartmentPath = paths[*id]
			seats[i].Linked = by.Super || paths[*id] != "" && access.Can(by, access.ContactsSee, access.Object{Path: paths[*id]})
			seats[i].Department = lineages[paths[*id]]
			seats[i].Duties = strings.Join(duties[*id], ",")
		}
	}
	return nil
}

// AddMember lets an active member in without a request. Somebody who is in
// already, and a full group, answer fault.Conflict; a pending request of the
// same person is thereby approved.
func (s *Service) AddMember(ctx context.Context, by access.Actor, gid, memberID, phone string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		// The person before the group, as everywhere: a departure under way ends
		// first. What is wrong with the person is told after the right is checked.
		m, unknown := directory.ActiveMember(tx.Clauses(clause.Locking{Strength: "SHARE"}), memberID, phone)
		if err := holdSeriesOf(tx, gid); err != nil {
			return err
		}
		g, err := lock(tx, by, access.MemberAdd, gid)
		if err != nil {
			return err
		}
		if unknown != nil {
			return unknown
		}
		now := s.now().UTC()
		switch in, err := Admit(tx, &Membership{GroupID: g.ID, MemberID: &m.ID, Source: "added"}, now); {
		case err != nil:
			return err
		case in == AlreadyIn:
			return fault.Conflict{Message: fault.Msg("groups.error.member.already", "Name", m.Name)}
		case in == NoSeat:
			return fault.Conflict{Message: fault.Msg("groups.error.full", "Count", g.Capacity)}
		}
		err = tx.Exec("UPDATE join_requests SET status = 'approved', decided_at = ?, decided_by = ? WHERE group_id = ? AND member_id = ? AND status = 'pending'",
			now, by.MemberID, g.ID, m.ID).Error
		if err != nil {
			return fmt.Errorf("close the request: %w", err)
		}
		if err := GrowIfDue(tx, s.trail, g.ID, now); err != nil {
			return err
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.member.add", Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"member": m.Name, "member_id": m.ID}})
	})
}

// RemoveMember ends one membership and frees its seat.
func (s *Service) RemoveMember(ctx context.Context, by access.Actor, gid, membership string) error {
	id, err := strconv.ParseInt(membership, 10, 64)
	if err != nil {
		return fault.NotFound
	}
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.MemberAdd, gid)
		if err != nil {
			return err
		}
		var rows []struct{ Name, Status string }
		err = tx.Raw(`SELECT coalesce(m.name, gu.name) AS name, ms.status FROM memberships ms LEFT JOIN members m ON m.id = ms.member_id
			LEFT JOIN guests gu ON gu.id = ms.guest_id WHERE ms.id = ? AND ms.group_id = ?`, id, g.ID).Scan(&rows).Error
		if err != nil {
			return fmt.Errorf("look up membership: %w", err)
		}
		if len(rows) == 0 {
			return fault.NotFound
		}
		ended := tx.Exec("UPDATE memberships SET status = 'ended', ended_at = ?, ended_reason = 'removed', ended_by = ? WHERE id = ? AND status = 'active'", s.now().UTC(), by.MemberID, id)
		if ended.Error != nil {
			return fmt.Errorf("end membership: %w", ended.Error)
		}
		if ended.RowsAffected == 0 {
			return fault.Conflict{Message: fault.Msg("groups.error.member.gone", "Name", rows[0].Name)}
		}
		if err := tx.Exec("UPDATE groups SET member_count = member_count - 1 WHERE id = ?", g.ID).Error; err != nil {
			return fmt.Errorf("free a seat: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.member.remove", Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"member": rows[0].Name}})
	})
}

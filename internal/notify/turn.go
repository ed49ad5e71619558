package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/database"
	"doorplate/internal/directory"
	"doorplate/internal/events"
)

// turnBatch bounds one transaction of Turn: on the embedded database nobody
// else writes meanwhile.
const turnBatch = 100

// fact is an event with what its messages say.
type fact struct {
	events.Event
	GroupGID      string `gorm:"column:group_gid"`
	GroupName     string
	GroupPath     string
	GroupOwner    *int64
	GroupMembers  int
	Welcome       string
	Applicant     string
	Reason        string
	RequestStatus string
	ActorName     string
	CodePublicID  string
	CodeLabel     string
	data          map[string]any
}

const factSQL = `SELECT e.*, g.gid AS group_gid, g.name AS group_name, d.path AS group_path, g.owner_id AS group_owner, g.member_count AS group_members,
		g.welcome, coalesce(r.name, x.name, gu.name) AS applicant, r.reason, r.status AS request_status, a.name AS actor_name, c.public_id AS code_public_id, c.label AS code_label
	FROM events e LEFT JOIN groups g ON g.id = e.group_id LEFT JOIN departments d ON d.id = g.department_id LEFT JOIN join_requests r ON r.id = e.request_id
	LEFT JOIN members x ON x.id = e.member_id LEFT JOIN guests gu ON gu.id = e.guest_id LEFT JOIN members a ON a.id = e.actor_id LEFT JOIN codes c ON c.id = e.code_id
	WHERE e.id IN ? ORDER BY e.id`

// Turn makes the messages of some events that have none yet, and reports
// whether there were any. Messages and handled_at are one transaction: an event
// has all of its messages or is turned again. One of which none can be made
// holds up no other; it is named by the error and tried again.
func (s *Service) Turn(ctx context.Context) (worked bool, err error) {
	var stuck error
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		ids, err := claim(tx)
		if err != nil || len(ids) == 0 {
			return err
		}
		worked = true
		if err := s.at("claimed"); err != nil {
			return err
		}
		b, err := s.batch(tx, ids)
		if err != nil {
			return err
		}
		for i := range b.facts {
			if err := b.tellAlone(&b.facts[i]); err != nil {
				stuck = errors.Join(stuck, err)
				ids = slices.DeleteFunc(ids, func(id int64) bool { return id == b.facts[i].ID })
			}
		}
		if err := s.at("written"); err != nil {
			return err
		}
		if err := tx.Exec("UPDATE events SET handled_at = ? WHERE id IN ?", s.now().UTC(), append(ids, 0)).Error; err != nil {
			return errors.Join(fmt.Errorf("note the events: %w", err), stuck)
		}
		return s.at("noted")
	})
	if err == nil && worked {
		err = errors.Join(stuck, s.at("turned"))
	}
	return worked, err
}

// tellAlone is tell, undone as a whole when it fails.
func (b *batch) tellAlone(f *fact) error {
	outer := b.tx
	defer func() { b.tx = outer }()
	err := outer.Transaction(func(tx *gorm.DB) error {
		b.tx = tx
		return b.tell(f)
	})
	if err != nil {
		return fmt.Errorf("event %d, %s: %w", f.ID, f.Kind, err)
	}
	return nil
}

// claim takes events that no other instance is at.
func claim(tx *gorm.DB) ([]int64, error) {
	sql := "SELECT id FROM events WHERE handled_at IS NULL ORDER BY id LIMIT ?"
	if database.Postgres(tx) {
		sql += " FOR UPDATE SKIP LOCKED"
	}
	var ids []int64
	if err := tx.Raw(sql, turnBatch).Scan(&ids).Error; err != nil {
		return nil, fmt.Errorf("take events: %w", err)
	}
	return ids, nil
}

// batch is what the messages of some events are made with.
type batch struct {
	s         *Service
	tx        *gorm.DB
	now       time.Time
	facts     []fact
	policies  directory.Policies
	zone      *time.Location
	language  string
	mail      bool // there is a mail server
	endpoints []Endpoint
	people    map[int64]person
	expected  map[string][]expected // department path → who may decide there
	supers    []int64
}

func (s *Service) batch(tx *gorm.DB, ids []int64) (*batch, error) {
	b := &batch{s: s, tx: tx, now: s.now().UTC(), people: map[int64]person{}, expected: map[string][]expected{}}
	if err := tx.Raw(factSQL, ids).Scan(&b.facts).Error; err != nil {
		return nil, fmt.Errorf("read the facts: %w", err)
	}
	for i := range b.facts {
		if f := &b.facts[i]; f.Data != "" {
			d := json.NewDecoder(strings.NewReader(f.Data))
			d.UseNumber()
			_ = d.Decode(&f.data) // a fact without its details is told all the same
		}
	}
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return nil, err
	}
	b.zone, b.language = org.Location(), org.Language
	if b.policies, err = directory.LoadPolicies(tx); err != nil {
		return nil, err
	}
	server, err := s.server(tx)
	if err != nil {
		return nil, err
	}
	b.mail = server != nil
	b.endpoints, err = liveEndpoints(tx)
	return b, err
}

// tell writes all messages of one fact.
func (b *batch) tell(f *fact) error {
	if err := b.hook(f); err != nil {
		return err
	}
	if f.Kind == events.Joined {
		if err := b.milestone(f); err != nil {
			return err
		}
	}
	k, known := kinds[f.Kind]
	if !known || k.to == nobody || k.open && f.RequestStatus != "pending" || f.Kind == events.Joined && (f.Welcome == "" || f.RequestID != nil) {
		return nil // an approval brings the welcome along
	}
	if k.to == applicant && f.MemberID == nil && f.GuestID != nil {
		return b.tellGuest(f, k)
	}
	to, err := b.recipients(f, k)
	if err != nil {
		return err
	}
	for _, id := range to {
		if err := b.tellMember(f, k, id); err != nil {
			return err
		}
	}
	return nil
}

// milestone notes that a group has a remarkable number of members, once.
func (b *batch) milestone(f *fact) error {
	n := b.policies.NoticeMilestone
	if n <= 0 || f.GroupID == nil || f.GroupMembers < n {
		return nil
	}
	done := b.tx.Exec("INSERT INTO group_milestones (group_id, members, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", *f.GroupID, n, b.now)
	if done.Error != nil {
		return fmt.Errorf("note the milestone: %w", done.Error)
	} else if done.RowsAffected == 0 {
		return nil
	}
	return events.Publish(b.tx, events.Event{Kind: events.Milestone, GroupID: f.GroupID, Data: fmt.Sprintf(`{"members":%d}`, n), At: b.now})
}

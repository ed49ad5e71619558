package demo

import (
	"fmt"
	"time"

	"doorplate/internal/group"
	"doorplate/internal/join"
)

const (
	pendingCount = 150
	decidedCount = 240
)

var notes = []string{
	"刚调到组里，需要看发布通知。", "导师让我加入的。", "负责下周的签到台。", "想问差旅标准。", "项目需要对接，辛苦通过一下。",
	"", "换了手机，重新进群。", "新人报到，工号已经下来了。", "参加周末活动。", "客户那边的对接人，之前加过旧群。",
}

func (b *builder) addRequests() error {
	var rows []*join.Request
	taken := map[[2]int64]bool{}
	open := b.approvalGroups()
	for i := range pendingCount {
		// The first rounds give every group five, so that both heads' queues are never empty.
		g := open[i%len(open)]
		if i >= 5*len(open) {
			g = pick(b, open)
		}
		r, err := b.request(g, taken)
		if err != nil {
			return err
		}
		r.Status, r.CreatedAt = join.Pending, b.now.Add(-time.Duration(10+b.rng.IntN(60*47))*time.Minute)
		rows = append(rows, r)
	}
	for range decidedCount {
		r, err := b.decided(pick(b, open), taken)
		if err != nil {
			return err
		}
		rows = append(rows, r)
	}
	if err := b.tx.CreateInBatches(&rows, 300).Error; err != nil {
		return fmt.Errorf("requests: %w", err)
	}
	b.requests = rows
	return nil
}

// decided is a request of the last weeks: half of them approved, the others
// rejected or withdrawn.
func (b *builder) decided(g *group.Group, taken map[[2]int64]bool) (*join.Request, error) {
	approved := b.rng.IntN(2) == 0
	var r *join.Request
	var err error
	if approved {
		r = b.insider(g)
	} else if r, err = b.request(g, taken); err != nil {
		return nil, err
	}
	r.CreatedAt = b.ago(3+b.rng.IntN(50), 9+b.rng.IntN(9), b.rng.IntN(60))
	at := r.CreatedAt.Add(time.Duration(3+b.rng.IntN(300)) * time.Minute)
	r.DecidedAt = &at
	switch {
	case approved:
		r.Status, r.DecidedBy = join.Approved, &b.members[0].ID
	case b.rng.IntN(3) == 0:
		r.Status = join.Withdrawn
	default:
		r.Status, r.DecidedBy, r.Reason = join.Rejected, &b.members[0].ID, "这个群只收项目成员，请联系你的导师。"
	}
	return r, nil
}

// insider is the request of somebody who was let in.
func (b *builder) insider(g *group.Group) *join.Request {
	for {
		if m := pick(b, b.members[6:]); b.inGroup[g.ID][m.ID] {
			return &join.Request{GroupID: g.ID, Note: pick(b, notes), MemberID: &m.ID, Name: m.Name, Phone: m.Phone}
		}
	}
}

// approvalGroups are the active groups that take requests; those of the two
// heads' departments first.
func (b *builder) approvalGroups() []*group.Group {
	var out []*group.Group
	for _, g := range b.groups {
		if g.Status == group.Active && g.JoinMode == group.Approval && g.MemberCount < g.Capacity {
			out = append(out, g)
		}
	}
	return out[:min(len(out), pendingCount/5)]
}

// request is one person's wish: a member who is not in the group, or a guest
// where the group takes guests.
func (b *builder) request(g *group.Group, taken map[[2]int64]bool) (*join.Request, error) {
	r := &join.Request{GroupID: g.ID, Note: pick(b, notes)}
	for _, c := range b.codes {
		if c.GroupID == g.ID {
			r.CodeID = &c.ID
			break
		}
	}
	if g.Admits() && b.rng.IntN(3) > 0 {
		return r, b.guest(r)
	}
	for {
		m := pick(b, b.members[6:])
		key := [2]int64{g.ID, m.ID}
		if !taken[key] && !b.inGroup[g.ID][m.ID] {
			taken[key] = true
			r.MemberID, r.Name, r.Phone = &m.ID, m.Name, m.Phone
			return r, nil
		}
	}
}

func (b *builder) guest(r *join.Request) error {
	r.Name = string(surnames[b.rng.IntN(len(surnames))]) + pick(b, given)
	r.Phone = fmt.Sprintf("+86186%08d", b.rng.IntN(100000000))
	var id int64
	err := b.tx.Raw(`INSERT INTO guests (name, phone, created_at) VALUES (?, ?, ?)
		ON CONFLICT (phone) DO UPDATE SET name = excluded.name RETURNING id`, r.Name, r.Phone, b.now).Scan(&id).Error
	r.GuestID = &id
	return err
}

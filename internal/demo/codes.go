package demo

import (
	"fmt"
	"time"

	"doorplate/internal/code"
	"doorplate/internal/group"
)

// codeCount is one short of sixty: the replaced code brings its successor.
const codeCount = 59

var labels = []string{"前台海报", "电梯厅立牌", "食堂桌贴", "入职手册", "会议室门口", "展会易拉宝", "工位隔板", "培训教室", "园区西门", "欢迎邮件"}

// states are what the first codes show, one of each; the rest is live.
var states = []string{"live", "notyet", "expired", "exhausted", "limited", "full", "revoked", "replaced", "suspended", "orphaned", "disbanded", "off", "closed", "password"}

const codeLetters = urlLetters + "-_"

func (b *builder) addCodes() error {
	for i := range codeCount {
		state := "live"
		if i < len(states) {
			state = states[i]
		}
		c := b.newCode(i, state)
		if err := b.tx.Create(c).Error; err != nil {
			return fmt.Errorf("code %s: %w", c.Label, err)
		}
		b.codes, b.kinds[c.ID] = append(b.codes, c), state
		if state == "replaced" {
			if err := b.replace(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// newCode makes one code; permanent ones only where the rules would allow them.
func (b *builder) newCode(i int, state string) *code.Code {
	g := b.groupFor(state, i)
	c := &code.Code{PublicID: b.text(11, codeLetters), TypedCode: b.typed(), GroupID: g.ID, Label: labels[i%len(labels)], IssuedBy: b.members[0].ID, IssuedAt: b.ago(61+b.rng.IntN(30), 11, b.rng.IntN(60))}
	if i >= len(labels) {
		c.Label = fmt.Sprintf("%s #%02d", c.Label, i/len(labels)+1)
	}
	c.Validity = "permanent"
	if g.Type == group.External || i%4 == 3 {
		until := b.now.AddDate(0, 0, 10+b.rng.IntN(60))
		c.Validity, c.ValidUntil = "until", &until
	}
	b.shapeCode(c, state)
	return c
}

func (b *builder) typed() *string {
	typed := code.TypedWith(b.text(code.TypedLength-1, code.TypedAlphabet))
	return &typed
}

// groupFor chooses the group whose own state makes the code's.
func (b *builder) groupFor(state string, i int) *group.Group {
	for _, g := range b.groups {
		switch {
		case state == "full" && g.MemberCount == g.Capacity,
			state == "disbanded" && g.Status == group.Disbanded,
			state == "off" && g.JoinMode == group.Off:
			return g
		}
	}
	active := b.groups[:groupCount-3]
	for ; ; i++ {
		g := active[i%len(active)]
		if g.MemberCount < g.Capacity && g.JoinMode != group.Off {
			return g
		}
	}
}

func (b *builder) shapeCode(c *code.Code, state string) {
	super := b.members[0].ID
	at := b.ago(3, 15, 20)
	switch state {
	case "notyet":
		from, until := b.now.AddDate(0, 0, 2), b.now.AddDate(0, 0, 30)
		c.Validity, c.ValidFrom, c.ValidUntil = "until", &from, &until
	case "expired":
		until := b.ago(1, 18, 0)
		c.Validity, c.ValidUntil = "7d", &until
		c.IssuedAt = until.AddDate(0, 0, -7)
	case "revoked":
		c.RevokedAt, c.RevokedBy, c.RevokeReason = &at, &super, "照片被发到外部群"
	case "replaced":
		c.RevokedAt, c.RevokedBy, c.RevokeReason = &at, &super, "海报重新设计"
	case "suspended":
		c.SuspendedAt, c.SuspendedBy = &at, &super
	case "orphaned":
		c.IssuedBy = b.departed.ID
	default:
		b.shapeTerms(c, state)
	}
}

// replace issues the successor of a regenerated code.
func (b *builder) replace(old *code.Code) error {
	next := *old
	next.ID, next.PublicID, next.TypedCode, next.IssuedAt = 0, b.text(11, codeLetters), b.typed(), *old.RevokedAt
	next.RevokedAt, next.RevokedBy, next.RevokeReason = nil, nil, ""
	if err := b.tx.Create(&next).Error; err != nil {
		return err
	}
	b.codes, b.kinds[next.ID] = append(b.codes, &next), "live"
	old.ReplacedBy = &next.ID
	return b.tx.Model(old).Update("replaced_by", next.ID).Error
}

// end is when a code stopped letting people in, or now.
func (b *builder) end(c *code.Code) (at time.Time, outcome string) {
	switch kind := b.kinds[c.ID]; kind {
	case "expired":
		return *c.ValidUntil, "expired"
	case "revoked", "replaced":
		return *c.RevokedAt, kind
	case "suspended":
		return *c.SuspendedAt, kind
	case "orphaned":
		return *b.departed.DepartedAt, "suspended"
	case "disbanded":
		return *b.groupOf(c).DisbandedAt, kind
	case "off":
		return b.now.AddDate(0, 0, -20), kind
	case "notyet":
		return c.IssuedAt, "off"
	}
	return b.now, "live"
}

func (b *builder) groupOf(c *code.Code) *group.Group { return b.byID(c.GroupID) }

func (b *builder) byID(groupID int64) *group.Group {
	for _, g := range b.groups {
		if g.ID == groupID {
			return g
		}
	}
	return nil
}

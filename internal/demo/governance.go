package demo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/approval"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/group"
	"doorplate/internal/recert"
)

const rulesText = `1. 用真实姓名，不发客户和个人信息。
2. 招聘和入职的事走系统，群里只答疑。
3. 离开项目的当天退群。`

// governed is who may do what beyond the fixed people, and what waits for a
// second person. It goes through the same use cases as a page, so that the
// trail tells it too, and draws nothing: what was there before stays the same.
type governed struct {
	*builder
	ctx       context.Context
	directory *directory.Service
	groups    *group.Service
	codes     *code.Service
	approvals *approval.Service
	rounds    *recert.Service
}

// addGovernance is the last two days: a custom role, a deputy, rules and
// questions, stages, a round of the quarterly check, and two things that wait for
// a second person.
func (b *builder) addGovernance() error {
	now := func() time.Time { return b.clock }
	g := governed{builder: b, ctx: context.Background(), directory: directory.New(b.tx, b.trail, now), groups: group.New(b.tx, b.trail, now),
		codes: code.New(b.tx, b.keys, b.trail, now, "")}
	g.approvals = approval.New(b.tx, b.trail, g.groups, g.codes, now)
	g.rounds = recert.New(b.tx, b.trail, g.codes, now)
	for i, step := range []struct {
		by int // of the fixed people
		do func(by access.Actor) error
	}{{0, g.role}, {0, g.deputy}, {0, g.rules}, {0, g.asking}, {2, g.stages}, {0, g.round}, {2, g.confirm}, {3, g.askForGroup}, {1, g.askForCode}} {
		b.clock = b.now.Add(-time.Duration(38-4*i) * time.Hour)
		by, err := directory.LoadActor(b.tx, b.members[step.by].ID, b.clock)
		if err == nil {
			err = step.do(by)
		}
		if err != nil {
			return fmt.Errorf("governance, step %d: %w", i+1, err)
		}
	}
	return nil
}

// role lets one member look after the codes of a department they do not lead.
func (g governed) role(by access.Actor) error {
	d := directory.RoleDraft{Name: "二维码巡检"}
	for _, r := range []access.Right{access.CodeDownload, access.CodeRevoke, access.ScansSee} {
		d.Rights = append(d.Rights, string(r))
	}
	id, err := g.directory.CreateRole(g.ctx, by, d)
	if err != nil {
		return err
	}
	return g.directory.GrantRole(g.ctx, by, id, g.second("行政部"), "", strconv.FormatInt(g.byName["客户成功部"].ID, 10))
}

func (g governed) deputy(by access.Actor) error {
	return g.directory.AddDeputy(g.ctx, by, g.byName["客户成功部"].ID, g.second("客户成功部"), "")
}

// second is the second of a department's members: the first leads it.
func (b *builder) second(department string) string {
	n := 0
	for _, m := range b.members[len(fixed):] {
		if b.home[m.ID].Name == department {
			if n++; n == 2 {
				return strconv.FormatInt(m.ID, 10)
			}
		}
	}
	return ""
}

// rules are asked of who joins one group, far from both heads; every third
// member has agreed.
func (g governed) rules(by access.Actor) error {
	to := g.groupNamed("人力资源部项目协作 30")
	if err := g.groups.SaveRules(g.ctx, by, to.GID, rulesText, -1, false); err != nil {
		return err
	}
	r, err := group.RulesOf(g.tx, group.Group{ID: to.ID, Charter: group.Charter{RulesVersion: 1}})
	if err != nil {
		return err
	}
	for i, m := range g.members {
		if g.inGroup[to.ID][m.ID] && i%3 == 0 {
			if err := r.Accept(g.tx, group.Person{MemberID: &m.ID}, m.Name, "", g.clock.Add(time.Duration(i)*time.Minute/2)); err != nil {
				return err
			}
		}
	}
	return nil
}

// asking is what the group with rules wants to know beside them.
func (g governed) asking(by access.Actor) error {
	return g.groups.SaveAsking(g.ctx, by, g.groupNamed("人力资源部项目协作 30").GID, group.AskingDraft{Version: -1,
		Question: "你现在跟的项目叫什么？", Answers: "校招\n薪酬改版\n新员工训练营",
		Fields: []group.FieldDraft{{Label: "你在项目里的角色", Kind: group.FieldChoice, Options: "负责人\n成员\n旁听", Required: true}, {Label: "预计几时结束", Kind: group.FieldDate}}})
}

// round began a little earlier; one head has been through one group.
func (g governed) round(by access.Actor) error { return g.rounds.Start(g.ctx, by) }

func (g governed) confirm(by access.Actor) error {
	gid := g.groupNamed("旧版系统交流").GID
	p, err := g.rounds.Pass(g.ctx, by, gid, 0)
	if err != nil {
		return err
	}
	done, err := g.rounds.Confirm(g.ctx, by, gid, recert.Decisions{Round: p.Plan.Round.ID, Others: true})
	if err == nil && !done.Done {
		err = errors.New("the group is not confirmed")
	}
	return err
}

func (g governed) stages(by access.Actor) error {
	for _, s := range []struct{ name, stage, done string }{
		{"平台技术交流群", group.StageMature, "mature.refresh"}, {"前端周会", group.StageGrowing, "growing.duties"}, {"旧版系统交流", group.StageWinding, "winding.tell"},
	} {
		gid := g.groupNamed(s.name).GID
		if err := g.groups.SetStage(g.ctx, by, gid, s.stage); err != nil {
			return err
		}
		if err := g.groups.Tick(g.ctx, by, gid, s.done, true); err != nil {
			return err
		}
	}
	return nil
}

func (g governed) askForGroup(by access.Actor) error {
	_, err := g.approvals.AskForGroup(g.ctx, by, group.Draft{Name: "渠道伙伴答疑", Type: group.External, DepartmentID: strconv.FormatInt(g.byName["活动组"].ID, 10),
		Capacity: "200", Purpose: "秋季发布会的渠道伙伴，会后继续答疑。", JoinMode: group.Approval, EntryKind: group.EntryNone})
	return err
}

// askForCode wants a permanent code at a group that lets everybody in.
func (g governed) askForCode(by access.Actor) error {
	var second code.NeedsSecond
	_, err := g.codes.Issue(g.ctx, by, g.groupNamed("测试环境值班").GID, code.Form{Label: "机房门口立牌", Validity: "permanent", ConfirmPermanent: true})
	if !errors.As(err, &second) {
		return fmt.Errorf("a permanent code at an open group was not held back: %w", err)
	}
	_, err = g.approvals.AskForCode(g.ctx, by, second.Plan, "立牌是刻的，换码要重做。")
	return err
}

// addDeparture is the receipt of the one who left: two memberships and the
// ownership of a group ended, which nobody took over yet, nor the codes.
func (b *builder) addDeparture() error {
	at, who, by := *b.departed.DepartedAt, b.departed.ID, b.members[0].ID
	var id int64
	err := b.tx.Raw(`INSERT INTO departures (member_id, effects, reason, at, departed_by) VALUES (?, ?, ?, ?, ?) RETURNING id`, who,
		`[{"key":"sessions","count":1},{"key":"requests","count":0},{"key":"memberships","count":2},{"key":"duties","count":1},{"key":"heads","count":0},{"key":"roles","count":0}]`,
		b.departed.DepartedReason, at, by).Scan(&id).Error
	if err != nil {
		return fmt.Errorf("receipt of the departure: %w", err)
	}
	for _, name := range []string{"平台技术交流群", "旧版系统交流"} {
		g := b.groupNamed(name)
		m := group.Membership{GroupID: g.ID, MemberID: &who, Status: "ended", Source: "demo", JoinedAt: g.CreatedAt.AddDate(0, 0, 3), EndedAt: &at, EndedReason: "departed", EndedBy: &by}
		if err := b.tx.Create(&m).Error; err != nil {
			return fmt.Errorf("memberships of the departed: %w", err)
		}
		if err := b.left(id, "membership", g.ID); err != nil {
			return err
		}
	}
	orphan := b.groupNamed("旧版系统交流")
	if err := b.tx.Model(&group.Group{}).Where("id = ?", orphan.ID).Update("owner_id", nil).Error; err != nil {
		return fmt.Errorf("group of the departed: %w", err)
	}
	for _, c := range b.codes {
		if c.IssuedBy == who {
			if err := b.left(id, "code", c.ID); err != nil {
				return err
			}
		}
	}
	return b.left(id, "owner", orphan.ID)
}

func (b *builder) left(departure int64, kind string, object int64) error {
	err := b.tx.Exec("INSERT INTO departure_items (departure_id, kind, object_id) VALUES (?, ?, ?)", departure, kind, object).Error
	if err != nil {
		return fmt.Errorf("what the departed held: %w", err)
	}
	return nil
}

package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"doorplate/internal/group"
	"doorplate/internal/qr"
)

const groupCount = 40

// named are the groups the pages are easiest to understand with; the rest is
// made up by department.
var named = []struct {
	name, department, kind, mode, purpose string
	capacity                              int
}{
	{"平台技术交流群", "平台组", group.Internal, group.Approval, "发布通知与技术答疑。平台改动会先在这里说。", 500},
	{"前端周会", "前端组", group.Internal, group.Approval, "每周三前端同步，评审和排期。", 200},
	{"研发中心公告", "研发中心", group.Internal, group.Approval, "只发公告：值班、发布窗口、放假安排。", 500},
	{"测试环境值班", "测试组", group.Internal, group.Open, "测试环境坏了在这里说，值班同学会认领。", 100},
	{"2026 秋季发布会", "市场部", group.External, group.Approval, "发布会嘉宾与合作伙伴的联络群，会后一个月关闭。", 200},
	{"活动志愿者", "活动组", group.Internal, group.Approval, "活动志愿者排班和签到。", 120},
	{"品牌素材共享", "品牌组", group.Internal, group.Approval, "新版标识、模板和照片，只用这里的。", 300},
	{"市场部公告", "市场部", group.Internal, group.Approval, "市场部的通知和周报。", 200},
	{"北区客户群 3", "客户成功部", group.External, group.Approval, "北区客户的售后和升级答疑，工作日两小时内回复。", 200},
	{"南区客户群 1", "客户成功部", group.External, group.Approval, "南区客户的售后和升级答疑。", 200},
	{"新员工训练营 11 月", "人力资源部", group.Training, group.Approval, "入职两周的课程、作业和导师答疑。", 200},
	{"2027 校招答疑", "人力资源部", group.Training, group.Open, "校招流程、面试时间和常见问题。", 500},
	{"周末羽毛球", "行政部", group.Internal, group.Open, "每周六下午两点，园区体育馆。", 12},
	{"报销答疑", "财务部", group.Internal, group.Approval, "差旅标准、发票和报销进度。", 500},
	{"旧版系统交流", "平台组", group.Internal, group.Off, "旧版系统已停止维护，只留历史。", 200},
}

const urlLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func (b *builder) addGroups() error {
	kinds := []string{group.Internal, group.Internal, group.Internal, group.External, group.Internal, group.Training}
	topics := []string{"项目协作", "技术分享", "值班", "读书会", "客户沙龙", "新人答疑"}
	for i := range groupCount {
		g := &group.Group{Origin: group.ByAdmin, Status: group.Active, EntryKind: group.EntryNone, GID: "G" + b.text(9, urlLetters)}
		if i < len(named) {
			n := named[i]
			g.Name, g.Type, g.JoinMode, g.Purpose, g.Capacity = n.name, n.kind, n.mode, n.purpose, n.capacity
			g.DepartmentID, g.DepartmentPath, g.DepartmentName = b.byName[n.department].ID, b.byName[n.department].Path, n.department
		} else {
			d := b.departments[1+i%(len(b.departments)-1)]
			topic := topics[i%len(topics)]
			g.Name, g.Type, g.JoinMode = fmt.Sprintf("%s%s %d", d.Name, topic, i), kinds[i%len(kinds)], group.Approval
			g.Purpose, g.Capacity = d.Name+"的"+topic+"。", 200
			g.DepartmentID, g.DepartmentPath, g.DepartmentName = d.ID, d.Path, d.Name
		}
		if err := b.shapeGroup(g, i); err != nil {
			return err
		}
		if err := b.tx.Create(g).Error; err != nil {
			return fmt.Errorf("group %s: %w", g.Name, err)
		}
		if err := b.addImages(g); err != nil {
			return err
		}
		b.groups, b.inGroup[g.ID] = append(b.groups, g), map[int64]bool{}
	}
	return nil
}

// shapeGroup gives a group its owner, its entry and, to the last three, its end.
func (b *builder) shapeGroup(g *group.Group, i int) error {
	g.CreatedBy, g.OwnerID = &b.members[0].ID, &b.members[6+i].ID
	g.CreatedAt = b.ago(70+b.rng.IntN(200), 10+b.rng.IntN(8), b.rng.IntN(60))
	g.UpdatedAt = g.CreatedAt
	b.charter(g)
	switch {
	case i >= groupCount-3:
		at := b.ago(5+i, 17, 30)
		g.Status, g.DisbandedAt, g.DisbandedBy, g.DisbandReason = group.Disbanded, &at, &b.members[0].ID, "项目结束"
	case g.Name == "北区客户群 3":
		return b.upstream(g, b.now.Add(47*time.Hour)) // runs out, no spare
	case g.Name == "南区客户群 1":
		return b.upstream(g, b.now.Add(-26*time.Hour))
	case g.Name == "2026 秋季发布会":
		return b.upstream(g, b.now.AddDate(0, 0, 3), b.now.AddDate(0, 0, 6), b.now.AddDate(0, 0, 7))
	case i%3 == 0:
		g.EntryKind, g.EntryURL = group.EntryLink, "https://chat.chenxing.example/invite/"+b.text(12, urlLetters)
	}
	return nil
}

// upstream makes a chat's own QR images the way in, the current one first, and
// dying in order; they are written once the group is.
func (b *builder) upstream(g *group.Group, ends ...time.Time) error {
	g.EntryKind = group.EntryUpstream
	for n, until := range ends {
		url := "https://weixin.qq.com/g/" + b.text(20, urlLetters)
		matrix, err := qr.Encode(url, qr.M)
		if err != nil {
			return err
		}
		image, err := matrix.PNG(512)
		if err != nil {
			return err
		}
		i := &group.Image{URL: url, Position: n + 1, ValidUntil: until, AddedBy: &b.members[0].ID, AddedAt: until.AddDate(0, 0, -7)}
		sum := sha256.Sum256(image)
		err = b.tx.Raw("INSERT INTO files (sha256, content_type, content, created_at) VALUES (?, 'image/png', ?, ?) RETURNING id",
			hex.EncodeToString(sum[:]), image, b.now).Scan(&i.FileID).Error
		if err != nil {
			return err
		}
		b.images[g] = append(b.images[g], i)
	}
	return nil
}

func (b *builder) addImages(g *group.Group) error {
	for _, i := range b.images[g] {
		i.GroupID = g.ID
		if err := b.tx.Create(i).Error; err != nil {
			return fmt.Errorf("images of %s: %w", g.Name, err)
		}
	}
	return nil
}

func (b *builder) addMemberships() error {
	var rows []*group.Membership
	for i, g := range b.groups {
		size := min(g.Capacity-1, 20+b.rng.IntN(60))
		if g.Name == "周末羽毛球" {
			size = g.Capacity
		}
		in := b.inGroup[g.ID]
		switch i { // both staff belong to a group of their own department
		case 0:
			in[b.members[4].ID] = true
		case 5:
			in[b.members[5].ID] = true
		}
		for len(in) < size {
			if m := pick(b, b.members[6:]); g.Type != group.Internal || b.rng.IntN(3) > 0 || b.home[m.ID].Path == g.DepartmentPath {
				in[m.ID] = true
			}
		}
		for _, m := range b.members {
			if in[m.ID] {
				rows = append(rows, &group.Membership{GroupID: g.ID, MemberID: &m.ID, Status: group.Active, Source: "demo", JoinedAt: b.ago(b.rng.IntN(60), 9+b.rng.IntN(9), b.rng.IntN(60))})
			}
		}
		if err := b.tx.Model(&group.Group{}).Where("id = ?", g.ID).Update("member_count", len(in)).Error; err != nil {
			return err
		}
		g.MemberCount = len(in)
	}
	return b.tx.CreateInBatches(&rows, 300).Error
}

package demo

import (
	"strings"

	"doorplate/internal/group"
)

// charter says what some groups are, beyond who gets in. Nothing here asks a
// joiner for more than the usual.
func (b *builder) charter(g *group.Group) {
	g.Archive = group.NatureOf(g.Type).Archive
	g.Announcement = strings.HasSuffix(g.Name, "公告")
	switch g.Name {
	case "平台技术交流群":
		g.Welcome, g.MembersInvite = "欢迎。先看 https://wiki.chenxing.example/platform，再说你在做什么。", true
	case "北区客户群 3", "南区客户群 1":
		g.Tier = "核心"
	case "2026 秋季发布会":
		g.Tier = "临时"
	case "人力资源部项目协作 30":
		g.Welcome = "先看群规则，再改群昵称：部门加姓名。"
	case "周末羽毛球":
		g.Origin = group.ByUser
	}
}

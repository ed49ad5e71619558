package demo

import (
	"fmt"

	"doorplate/internal/code"
	"doorplate/internal/group"
)

// addLive makes one code lead to three groups.
func (b *builder) addLive() error {
	for _, c := range b.codes {
		own := b.groupOf(c)
		if b.kinds[c.ID] != "live" || own.Type != group.Internal || own.DepartmentID != b.byName["平台组"].ID {
			continue
		}
		if err := b.tx.Model(c).Update("route", code.RouteLeast).Error; err != nil {
			return fmt.Errorf("live code: %w", err)
		}
		return b.addTargets(c, "前端周会", "研发中心公告")
	}
	return nil
}

func (b *builder) addTargets(c *code.Code, names ...string) error {
	for n, name := range names {
		g := b.groupNamed(name)
		err := b.tx.Exec("INSERT INTO code_targets (code_id, group_id, position, weight, department_id) VALUES (?, ?, ?, ?, ?)",
			c.ID, g.ID, n+1, n+2, g.DepartmentID).Error
		if err != nil {
			return fmt.Errorf("the code's groups: %w", err)
		}
	}
	return nil
}

// addSeries makes three groups a series: two nearly full, the third takes people.
func (b *builder) addSeries() error {
	row := group.Series{BaseName: "北区客户群", Threshold: group.DefaultThreshold, NextNo: 4, CreatedBy: &b.members[0].ID, CreatedAt: b.ago(60, 9, 0)}
	if err := b.tx.Create(&row).Error; err != nil {
		return fmt.Errorf("series: %w", err)
	}
	for n, g := range b.seriesGroups() {
		no := n + 1
		g.Name, g.SeriesID, g.SeriesNo = fmt.Sprintf("%s %d", row.BaseName, no), &row.ID, &no
		set := map[string]any{"name": g.Name, "series_id": row.ID, "series_no": no}
		if no < 3 {
			g.Capacity, g.Type, g.EntryKind, g.EntryURL = g.MemberCount+2, group.External, group.EntryLink, "https://chat.chenxing.example/north/"+fmt.Sprint(no)
			g.Purpose = b.groupNamed("北区客户群 3").Purpose
			set["capacity"], set["type"], set["entry_kind"], set["entry_url"], set["purpose"] = g.Capacity, g.Type, g.EntryKind, g.EntryURL, g.Purpose
		}
		if err := b.tx.Model(&group.Group{}).Where("id = ?", g.ID).Updates(set).Error; err != nil {
			return fmt.Errorf("groups of the series: %w", err)
		}
	}
	return nil
}

// seriesGroups are two of the department's made-up groups and its named third.
func (b *builder) seriesGroups() []*group.Group {
	third := b.groupNamed("北区客户群 3")
	var all []*group.Group
	for _, g := range b.groups[len(named):] {
		if g.DepartmentID == third.DepartmentID && g.Status == group.Active && len(all) < 2 {
			all = append(all, g)
		}
	}
	return append(all, third)
}

func (b *builder) groupNamed(name string) *group.Group {
	for _, g := range b.groups {
		if g.Name == name {
			return g
		}
	}
	return nil
}

// addEntries says by which code the members of a group came, so that the last
// step of its funnel has something to count.
func (b *builder) addEntries() error {
	err := b.tx.Exec(`UPDATE memberships SET code_id = (SELECT c.id FROM codes c WHERE c.group_id = memberships.group_id AND c.issued_at <= memberships.joined_at ORDER BY c.id LIMIT 1)
		WHERE source = 'demo'`).Error
	if err != nil {
		return fmt.Errorf("say how members came: %w", err)
	}
	return nil
}

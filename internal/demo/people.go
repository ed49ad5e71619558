package demo

import (
	"fmt"

	"doorplate/internal/directory"
)

const organisation = "晨星科技"

const memberCount = 300

var tree = []struct{ name, parent string }{
	{organisation, ""},
	{"研发中心", organisation}, {"平台组", "研发中心"}, {"前端组", "研发中心"}, {"测试组", "研发中心"},
	{"市场部", organisation}, {"活动组", "市场部"}, {"品牌组", "市场部"},
	{"客户成功部", organisation}, {"人力资源部", organisation}, {"行政部", organisation}, {"财务部", organisation},
}

// fixed are the people the documentation names, in the order of their numbers.
var fixed = []struct {
	name, department string
	super            bool
	leads            string
}{
	{"周岚", organisation, true, ""},
	{"陆望", organisation, true, ""},
	{"许一诺", "研发中心", false, "研发中心"},
	{"程远", "市场部", false, "市场部"},
	{"顾晓棠", "研发中心", false, ""},
	{"卢嘉禾", "市场部", false, ""},
}

var (
	surnames = []rune("赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎")
	given    = []string{"子涵", "雨桐", "浩然", "思齐", "嘉怡", "若溪", "明哲", "书瑶", "一鸣", "可欣", "景行", "语嫣", "承宇", "安然", "知行", "清越", "沐阳", "念真", "予安", "星河", "晨", "岚", "毅", "宁", "朗"}
)

func (b *builder) addDepartments() error {
	for _, n := range tree {
		d := &directory.Department{Name: n.name, CreatedAt: b.ago(400, 9, 0)}
		path := "/"
		if up := b.byName[n.parent]; up != nil {
			d.ParentID, d.Depth, path = &up.ID, up.Depth+1, up.Path
		}
		if err := b.tx.Create(d).Error; err != nil {
			return fmt.Errorf("department %s: %w", n.name, err)
		}
		d.Path = fmt.Sprintf("%s%d/", path, d.ID)
		if err := b.tx.Model(d).Update("path", d.Path).Error; err != nil {
			return err
		}
		b.departments, b.byName[n.name] = append(b.departments, d), d
	}
	return nil
}

func (b *builder) addMembers() error {
	all := make([]*directory.Member, 0, memberCount+1)
	var homes []*directory.Department
	for i := range memberCount + 1 {
		m := &directory.Member{Status: directory.Active, CreatedAt: b.ago(90+b.rng.IntN(300), 10, b.rng.IntN(60))}
		m.UpdatedAt = m.CreatedAt
		job := fmt.Sprintf("DP%04d", i+1)
		m.JobNumber = &job
		home := b.departments[1+b.rng.IntN(len(b.departments)-1)]
		if i < len(fixed) {
			m.Name, m.SuperAdmin, home = fixed[i].name, fixed[i].super, b.byName[fixed[i].department]
			m.Phone = fmt.Sprintf("+861380000%04d", i+1)
		} else {
			m.Name = string(surnames[b.rng.IntN(len(surnames))]) + pick(b, given)
			m.Phone = fmt.Sprintf("+861390010%04d", i+1)
			m.Email = fmt.Sprintf("dp%04d@chenxing.example", i+1)
		}
		if i == memberCount { // one more than the 300: the one who left and still has codes on walls
			m.Name, m.Status, home = "钱思齐", directory.Departed, b.byName["平台组"]
			at := b.ago(2, 18, 5)
			m.DepartedAt, m.DepartedReason = &at, "离职"
			b.departed = m
		}
		m.Index()
		all, homes = append(all, m), append(homes, home)
	}
	if err := b.tx.CreateInBatches(&all, 200).Error; err != nil {
		return fmt.Errorf("members: %w", err)
	}
	b.members = all[:memberCount]
	places := make([]map[string]any, len(all))
	for i, m := range all {
		b.home[m.ID] = homes[i]
		places[i] = map[string]any{"member_id": m.ID, "department_id": homes[i].ID}
	}
	return b.tx.Table("member_departments").CreateInBatches(&places, 500).Error
}

func (b *builder) addHeads() error {
	var rows []map[string]any
	led := map[string]bool{}
	for i, f := range fixed {
		if f.leads != "" {
			rows = append(rows, map[string]any{"department_id": b.byName[f.leads].ID, "member_id": b.members[i].ID})
			led[f.leads] = true
		}
	}
	for _, m := range b.members[len(fixed):] {
		if d := b.home[m.ID]; !led[d.Name] && d.Depth > 0 {
			rows = append(rows, map[string]any{"department_id": d.ID, "member_id": m.ID})
			led[d.Name] = true
		}
	}
	return b.tx.Table("department_heads").Create(&rows).Error
}

package directory_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// someone is a member of the plain model: what a reader of the rules would write down.
type someone struct{ job, name, phone, place string }

// byHand does an import row by row, as the contract says it: found by job
// number, else by phone; the second row of a person and somebody else's phone are refused.
func byHand(people []*someone, rows [][4]string) (after []*someone, outcomes []string) {
	jobs, phones, seen := map[string]bool{}, map[string]bool{}, map[*someone]bool{}
	find := func(f func(*someone) bool) *someone {
		if i := slices.IndexFunc(people, f); i >= 0 {
			return people[i]
		}
		return nil
	}
	for _, r := range rows {
		job, name, phone, place := r[0], r[1], r[2], r[3]
		var who *someone
		if job != "" {
			who = find(func(s *someone) bool { return s.job == job })
		}
		owner := find(func(s *someone) bool { return s.phone == phone })
		if who == nil && owner != nil && (job == "" || owner.job == "") {
			who = owner
		}
		switch {
		case who != nil && seen[who], job != "" && jobs[job], phones[phone], owner != nil && owner != who:
			outcomes = append(outcomes, "refused")
			continue
		case who == nil:
			who = &someone{place: "晨星科技"}
			people = append(people, who)
			outcomes = append(outcomes, "created")
		default:
			outcomes = append(outcomes, "")
		}
		was := *who
		who.name, who.phone = name, phone
		if job != "" {
			who.job = job
		}
		if place != "" {
			who.place = place
		}
		if last := len(outcomes) - 1; outcomes[last] == "" {
			outcomes[last] = "changed"
			if was == *who {
				outcomes[last] = "unchanged"
			}
		}
		seen[who], phones[phone] = true, true
		if job != "" {
			jobs[job] = true
		}
	}
	return people, outcomes
}

// Random lists over few people, so that phones are swapped, rows stand twice and
// numbers meet: what the set-based import does is what a row-by-row one would do.
func TestTheImportIsTheRowByRowModel(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		o.exec("DELETE FROM member_departments WHERE member_id > 6")
		random := rand.New(rand.NewPCG(1, 2))
		people := o.everybody()
		for round := range 40 {
			rows := make([][4]string, 1+random.IntN(25))
			var list strings.Builder
			list.WriteString("工号,姓名,手机,部门\n")
			for i := range rows {
				rows[i] = [4]string{"", fmt.Sprint("人", random.IntN(4)), fmt.Sprintf("+86139000000%02d", random.IntN(14)), ""}
				if random.IntN(4) > 0 {
					rows[i][0] = fmt.Sprint("J", random.IntN(12))
				}
				if random.IntN(2) > 0 {
					rows[i][3] = []string{"研发中心", "市场部", "研发中心/平台组"}[random.IntN(3)]
				}
				list.WriteString(strings.Join(rows[i][:], ",") + "\n")
			}
			var outcomes []string
			people, outcomes = byHand(people, rows)
			count := func(outcome string) int {
				return len(slices.DeleteFunc(slices.Clone(outcomes), func(o string) bool { return o != outcome }))
			}
			want := fmt.Sprintf("done created %d changed %d unchanged %d refused %d departments 0", count("created"), count("changed"), count("unchanged"), count("refused"))
			dry, _ := o.importFile(o.w.Super, list.String(), true)
			wantFigures(t, dry, want)
			i, _ := o.importFile(o.w.Super, list.String(), false)
			wantFigures(t, i, want)
			if got, want := tell(o.everybody()), tell(people); got != want {
				t.Fatalf("round %d, list:\n%s\nis:\n%s\nwant:\n%s", round, list.String(), got, want)
			}
			if t.Failed() {
				t.Fatalf("round %d, list:\n%s", round, list.String())
			}
		}
	})
}

// everybody is who the database knows, without those of the fixture.
func (o office) everybody() []*someone {
	o.t.Helper()
	var rows []struct{ Job, Name, Phone, Place string }
	err := o.db.Raw(`SELECT coalesce(m.job_number, '') AS job, m.name, m.phone, d.name AS place FROM members m
		JOIN member_departments md ON md.member_id = m.id JOIN departments d ON d.id = md.department_id
		WHERE m.id > ? AND m.status = 'active' ORDER BY m.id`, o.w.OtherStaff.MemberID).Scan(&rows).Error
	if err != nil {
		o.t.Fatal(err)
	}
	all := make([]*someone, len(rows))
	for i, r := range rows {
		all[i] = &someone{r.Job, r.Name, r.Phone, r.Place}
	}
	return all
}

func tell(people []*someone) string {
	all := make([]string, len(people))
	for i, p := range people {
		all[i] = strings.ReplaceAll(fmt.Sprint(*p), "平台组", "研发中心/平台组")
	}
	slices.Sort(all)
	return strings.ReplaceAll(strings.Join(all, "\n"), "研发中心/研发中心", "研发中心")
}

package join

import (
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
)

// From is the scan that led to a request, as far as it is kept.
type From struct {
	At      *time.Time
	Ref     string
	Address string // empty for readers who may not see it
	Device  string
	App     string
}

// Facts are what else helps to decide a request.
type Facts struct {
	Before   []Past   // the person's other requests that the reader may decide on, by outcome
	GroupsIn []string // some groups in the reader's scope the person is in
	GroupsN  int      // how many those are
	Answers  []Answer // what they said beside the note
}

// Past counts requests with one outcome.
type Past struct {
	Status string
	Count  int
}

// groupsShown is how many of a person's groups are named.
const groupsShown = 3

// addFacts reads them for a page, three statements in all.
func addFacts(tx *gorm.DB, by access.Actor, rows []Row) error {
	where, args := mine(by)
	members, guests := people(rows)
	if err := addBefore(tx, rows, members, guests, where, args); err != nil {
		return err
	}
	if err := addGroups(tx, rows, members, guests, where, args); err != nil {
		return err
	}
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	answers, err := AnswersOf(tx, ids...)
	if err != nil {
		return err
	}
	for i := range rows {
		rows[i].Answers = answers[rows[i].ID]
		if !by.Holds(access.ScansSee, rows[i].GroupPath) {
			rows[i].From.Address = ""
		}
	}
	return nil
}

// someone is the key of a member or a guest.
type someone struct{ member, guest int64 }

func (r Request) someone() someone {
	if r.MemberID != nil {
		return someone{member: *r.MemberID}
	}
	return someone{guest: *r.GuestID}
}

// people are the members and the guests of some rows; 0, who is nobody, keeps a list legal SQL.
func people(rows []Row) (members, guests []int64) {
	members, guests = []int64{0}, []int64{0}
	for _, r := range rows {
		if r.MemberID != nil {
			members = append(members, *r.MemberID)
		} else {
			guests = append(guests, *r.GuestID)
		}
	}
	return members, guests
}

func addBefore(tx *gorm.DB, rows []Row, members, guests []int64, where string, args []any) error {
	var all []struct {
		Member, Guest int64
		Status        string
		N             int
	}
	one := func(column string) string {
		return `SELECT coalesce(r.member_id, 0) AS member, coalesce(r.guest_id, 0) AS guest, r.status, count(*) AS n FROM join_requests r
			JOIN groups g ON g.id = r.group_id JOIN departments d ON d.id = g.department_id WHERE r.` + column + ` IN ? AND ` + where + ` GROUP BY 1, 2, 3`
	}
	values := append(append(append([]any{members}, args...), guests), args...)
	if err := tx.Raw(one("member_id")+" UNION ALL "+one("guest_id")+" ORDER BY 3", values...).Scan(&all).Error; err != nil {
		return fmt.Errorf("read earlier requests: %w", err)
	}
	past := map[someone][]Past{}
	for _, p := range all {
		who := someone{p.Member, p.Guest}
		past[who] = append(past[who], Past{p.Status, p.N})
	}
	for i, r := range rows {
		for _, p := range past[r.someone()] {
			if p.Status == r.Status {
				p.Count--
			}
			if p.Count > 0 {
				rows[i].Before = append(rows[i].Before, p)
			}
		}
	}
	return nil
}

func addGroups(tx *gorm.DB, rows []Row, members, guests []int64, where string, args []any) error {
	var all []struct {
		Member, Guest int64
		Name          string
		N             int
	}
	one := func(column string) string {
		return `SELECT coalesce(i.member_id, 0) AS member, coalesce(i.guest_id, 0) AS guest, g.name, row_number() OVER (PARTITION BY i.` + column + ` ORDER BY i.id DESC) AS place,
			count(*) OVER (PARTITION BY i.` + column + `) AS n FROM memberships i
			JOIN groups g ON g.id = i.group_id JOIN departments d ON d.id = g.department_id
			WHERE i.` + column + ` IN ? AND i.status = 'active' AND g.status = 'active' AND ` + where
	}
	values := append(append(append([]any{members}, args...), guests), args...)
	err := tx.Raw("SELECT member, guest, name, n FROM ("+strings.Join([]string{one("member_id"), one("guest_id")}, " UNION ALL ")+") x WHERE place <= ? ORDER BY member, guest, place",
		append(values, groupsShown)...).Scan(&all).Error
	if err != nil {
		return fmt.Errorf("read the applicants' groups: %w", err)
	}
	at := map[someone][]int{}
	for i, r := range rows {
		at[r.someone()] = append(at[r.someone()], i)
	}
	for _, g := range all {
		for _, i := range at[someone{g.Member, g.Guest}] {
			rows[i].GroupsIn, rows[i].GroupsN = append(rows[i].GroupsIn, g.Name), g.N
		}
	}
	return nil
}

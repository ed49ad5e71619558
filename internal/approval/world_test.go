package approval_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/approval"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/testkit"
)

func service(db *gorm.DB, clock *testkit.Clock) *approval.Service {
	return newBoard(nil, db, clock).Service
}

// board is the approvals beside all that they are about.
type board struct {
	*approval.Service
	t         *testing.T
	db        *gorm.DB
	w         testkit.World
	clock     *testkit.Clock
	groups    *group.Service
	codes     *code.Service
	directory *directory.Service
	gid       string // an open group of 平台组
	group     int64
	closed    string // one that asks, with a permanent code
	closedID  int64
	third     access.Actor // one more super admin
}

func newBoard(t *testing.T, db *gorm.DB, clock *testkit.Clock) *board {
	trail := audit.New(testkit.Keys(), clock.Now)
	b := &board{t: t, db: db, clock: clock, groups: group.New(db, trail, clock.Now), codes: code.New(db, testkit.Keys(), trail, clock.Now, "http://door.example"),
		directory: directory.New(db, trail, clock.Now)}
	b.Service = approval.New(db, trail, b.groups, b.codes, clock.Now)
	return b
}

func onBoard(t *testing.T, test func(t *testing.T, b *board)) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		b := newBoard(t, db, clock)
		b.w = testkit.Org(t, db, clock)
		b.group, b.gid = b.w.Group(t, db, "大厅", group.Internal, group.Open, b.w.Platform, 100)
		b.closedID, b.closed = b.w.Group(t, db, "答疑", group.Internal, group.Approval, b.w.Platform, 100)
		b.w.Code(t, db, b.closedID, "立牌", nil, b.w.Super.MemberID)
		b.third = b.w.OtherHead
		b.third.Super = true
		b.exec("UPDATE members SET super_admin = ? WHERE id = ?", true, b.third.MemberID)
		test(t, b)
	})
}

func (b *board) exec(sql string, args ...any) {
	b.t.Helper()
	if err := b.db.Exec(sql, args...).Error; err != nil {
		b.t.Fatal(err)
	}
}

func (b *board) count(sql string, args ...any) (n int64) {
	b.t.Helper()
	if err := b.db.Raw(sql, args...).Scan(&n).Error; err != nil {
		b.t.Fatal(err)
	}
	return n
}

// permanent is the form of a code that needs a second person on an open group.
func permanent(label string) code.Form {
	return code.Form{Label: label, Validity: code.Permanent, ConfirmPermanent: true}
}

// plan is what code.NeedsSecond holds back.
func (b *board) plan(err error) code.Plan {
	b.t.Helper()
	var second code.NeedsSecond
	if !errors.As(err, &second) {
		b.t.Fatalf("no second person is asked: %v", err)
	}
	return second.Plan
}

// act is one kind of request: how it is asked for, and how often it was carried out.
type act struct {
	name   string
	author func(b *board) access.Actor
	ask    func(b *board) (int64, error)
	done   func(b *board) int64
	group  func(b *board) string // whose end makes it impossible; nil = none
}

func super(b *board) access.Actor { return b.w.Super }
func head(b *board) access.Actor  { return b.w.Head }
func hall(b *board) string        { return b.gid }

// temporary issues a code that is about to become permanent.
func (b *board) temporary() string {
	b.t.Helper()
	id, err := b.codes.Issue(context.Background(), b.w.Super, b.gid, code.Form{Label: "短"})
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

var acts = []act{
	{"external group", head, func(b *board) (int64, error) {
		return b.AskForGroup(context.Background(), b.w.Head, group.Draft{Name: "客户群", Type: group.External, DepartmentID: fmt.Sprint(b.w.RD), Capacity: "200", Purpose: "答疑"})
	}, func(b *board) int64 { return b.count("SELECT count(*) FROM groups WHERE name = '客户群'") }, nil},
	{"appoint", super, func(b *board) (int64, error) {
		return b.AskForSuper(context.Background(), b.w.Super, approval.SuperAppoint, fmt.Sprint(b.w.Staff.MemberID), "", "")
	}, func(b *board) int64 {
		return b.count("SELECT count(*) FROM members WHERE super_admin AND id = ?", b.w.Staff.MemberID)
	}, nil},
	{"remove", super, func(b *board) (int64, error) {
		return b.AskForSuper(context.Background(), b.w.Super, approval.SuperRemove, fmt.Sprint(b.third.MemberID), "", "")
	}, func(b *board) int64 {
		return b.count("SELECT count(*) FROM members WHERE NOT super_admin AND id = ?", b.third.MemberID)
	}, nil},
	{"export", super, func(b *board) (int64, error) {
		return b.AskForExport(context.Background(), b.w.Super, approval.ExportDraft{What: "members"}, "")
	}, func(b *board) int64 {
		return b.count("SELECT count(*) FROM audit_entries WHERE action = 'export.grant'")
	}, nil},
	{"issue", super, func(b *board) (int64, error) {
		_, err := b.codes.Issue(context.Background(), b.w.Super, b.gid, permanent("大堂"))
		return b.AskForCode(context.Background(), b.w.Super, b.plan(err), "")
	}, func(b *board) int64 { return b.count("SELECT count(*) FROM codes WHERE label = '大堂'") }, hall},
	{"terms", super, func(b *board) (int64, error) {
		err := b.codes.SaveTerms(context.Background(), b.w.Super, b.temporary(), permanent("改过"))
		return b.AskForCode(context.Background(), b.w.Super, b.plan(err), "")
	}, func(b *board) int64 {
		return b.count("SELECT count(*) FROM codes WHERE label = '改过' AND validity = 'permanent'")
	}, hall},
	{"open", super, func(b *board) (int64, error) {
		return b.AskToOpen(context.Background(), b.w.Super, b.closed, "")
	}, func(b *board) int64 {
		return b.count("SELECT count(*) FROM groups WHERE id = ? AND join_mode = 'open'", b.closedID)
	}, func(b *board) string { return b.closed }},
	{"retention", super, func(b *board) (int64, error) {
		return b.SavePolicies(context.Background(), b.w.Super, b.directory, map[string]string{"scan_days": "30", "refresh_days": "60"}, "")
	}, func(b *board) int64 {
		return b.count("SELECT count(*) FROM policies WHERE name = 'scan_days' AND value = '30'")
	}, nil},
}

// together runs what happens at once and returns the errors.
func together(all ...func() error) []error {
	errs := make([]error, len(all))
	var begin, end sync.WaitGroup
	begin.Add(1)
	for i, f := range all {
		end.Go(func() {
			begin.Wait()
			errs[i] = f()
		})
	}
	begin.Done()
	end.Wait()
	return errs
}

// plain reports whether an error is an answer to a person.
func plain(err error) bool {
	var conflict fault.Conflict
	var forbidden fault.Forbidden
	return err == nil || errors.As(err, &conflict) || errors.As(err, &forbidden) || errors.Is(err, fault.NotFound)
}

package code_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/testkit"
)

var ctx = context.Background()

// world is the small organisation with one group and the codes' service.
type world struct {
	testkit.World
	t     *testing.T
	db    *gorm.DB
	clock *testkit.Clock
	codes *code.Service
	group int64
	gid   string
}

func copiesOnBoth(t *testing.T, test func(t *testing.T, w *world)) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		w := &world{World: testkit.Org(t, db, clock), t: t, db: db, clock: clock}
		w.codes = code.New(db, testkit.Keys(), audit.New(testkit.Keys(), clock.Now), clock.Now, "http://door.example")
		w.group, w.gid = w.Group(t, db, "平台群", "internal", "approval", w.Platform, 100)
		test(t, w)
	})
}

func (w *world) issue(form code.Form) string {
	w.t.Helper()
	if form.Validity == code.Permanent {
		form.ConfirmPermanent = true
	}
	id, err := w.codes.Issue(ctx, w.Super, w.gid, form)
	w.ok(err)
	return id
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) number(query string, args ...any) (n int64) {
	w.t.Helper()
	w.ok(w.db.Raw(query, args...).Scan(&n).Error)
	return n
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	w.ok(w.db.Exec(query, args...).Error)
}

// together runs f n times at once and returns the errors.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var begin, end sync.WaitGroup
	begin.Add(1)
	for i := range n {
		end.Go(func() {
			begin.Wait()
			errs[i] = f(i)
		})
	}
	begin.Done()
	end.Wait()
	return errs
}

// invalid fails the test unless err complains about the field.
func (w *world) invalid(err error, field string) {
	w.t.Helper()
	var wrong fault.Invalid
	if !errors.As(err, &wrong) || wrong[field].Key == "" {
		w.t.Errorf("%v does not complain about %q", err, field)
	}
}

func (w *world) conflict(err error, by string) {
	w.t.Helper()
	var c fault.Conflict
	if !errors.As(err, &c) || c.By != by {
		w.t.Errorf("%v is no conflict with %q", err, by)
	}
}

func (w *world) line(id string, serial int) code.CopyLine {
	w.t.Helper()
	v, err := w.codes.Copy(ctx, w.Super, id, serial)
	w.ok(err)
	return v.Line
}

func (w *world) facts(id string) code.Facts {
	w.t.Helper()
	f, err := code.LoadFacts(w.db, id)
	w.ok(err)
	return f
}

func (w *world) print(id string, serials ...int) {
	w.t.Helper()
	w.ok(w.db.Transaction(func(tx *gorm.DB) error { return w.codes.MarkPrinted(tx, w.facts(id).ID, serials) }))
}

func errorsOf(errs []error) (done int, rest []error) {
	for _, err := range errs {
		if err == nil {
			done++
		} else {
			rest = append(rest, err)
		}
	}
	return done, rest
}

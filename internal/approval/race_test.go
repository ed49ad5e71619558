package approval_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/testkit"
)

func TestOneOfTwoSuperAdminsDecides(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		w := testkit.Org(t, db, clock)
		s := service(db, clock)
		ctx := context.Background()
		id, err := s.AskForGroup(ctx, w.Head, group.Draft{Name: "客户群", Type: group.External, DepartmentID: fmt.Sprint(w.RD), Capacity: "200", Purpose: "答疑"})
		if err != nil {
			t.Fatal(err)
		}
		for who, want := range map[string]int{"super": 1, "head": 0, "other": 0} {
			actor := map[string]access.Actor{"super": w.Super, "head": w.Head, "other": w.OtherHead}[who]
			if n, err := s.Waiting(ctx, actor, 100); n != want || err != nil {
				t.Errorf("%s counts %d, %v", who, n, err)
			}
		}
		var mu sync.Mutex
		var wait sync.WaitGroup
		done, conflicts := 0, 0
		for i := range 20 {
			wait.Add(1)
			go func() {
				defer wait.Done()
				decision, by := []string{"approve", "reject"}[i%2], []access.Actor{w.Super, w.Super2}[i/2%2]
				err := s.Decide(ctx, by, id, decision, "因为")
				mu.Lock()
				defer mu.Unlock()
				var c fault.Conflict
				switch {
				case err == nil:
					done++
				case errors.As(err, &c) && c.By != "" && !c.At.IsZero():
					conflicts++
				default:
					t.Errorf("err = %v", err)
				}
			}()
		}
		wait.Wait()
		if done != 1 || conflicts != 19 {
			t.Errorf("%d decided, %d were told who was first", done, conflicts)
		}
		var groups, approved int64
		db.Table("groups").Count(&groups)
		db.Table("approvals").Where("status = 'approved'").Count(&approved)
		if groups != approved {
			t.Errorf("%d groups of %d approvals", groups, approved)
		}
		if n, _ := s.Waiting(ctx, w.Super, 100); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}

package approval_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/approval"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/testkit"
)

// req: D15
func TestAFullExportNeedsASecondSuperAdmin(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		ctx, clock := context.Background(), testkit.NewClock()
		w := testkit.Org(t, db, clock)
		s := service(db, clock)

		var forbidden fault.Forbidden
		if _, err := s.AskForExport(ctx, w.Head, approval.ExportDraft{What: "members"}, ""); !errors.As(err, &forbidden) {
			t.Fatalf("a head: %v", err)
		}
		var invalid fault.Invalid
		if _, err := s.AskForExport(ctx, w.Super, approval.ExportDraft{What: "secrets"}, ""); !errors.As(err, &invalid) {
			t.Fatalf("nonsense: %v", err)
		}
		id, err := s.AskForExport(ctx, w.Super, approval.ExportDraft{What: "members"}, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Fetch(ctx, w.Super, id); !errors.Is(err, fault.NotFound) {
			t.Errorf("before approval: %v", err)
		}
		if err := s.Decide(ctx, w.Super, id, "approve", ""); !errors.As(err, &forbidden) {
			t.Errorf("own approval: %v", err)
		}
		if err := s.Decide(ctx, w.Super2, id, "approve", ""); err != nil {
			t.Fatal(err)
		}
		for _, by := range []access.Actor{w.Super2, w.Head} {
			if _, err := s.Fetch(ctx, by, id); !errors.Is(err, fault.NotFound) {
				t.Errorf("fetched by %s: %v", by.Name, err)
			}
		}
		f, err := s.Fetch(ctx, w.Super, id)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := f.Write(ctx, &out); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(out.String(), "\n"); lines != 7 || !strings.Contains(out.String(), "顾晓棠,+8613800000005") {
			t.Errorf("%d lines: %s", lines, out.String())
		}
		clock.Add(25 * time.Hour)
		var gone fault.Gone
		if _, err := s.Fetch(ctx, w.Super, id); !errors.As(err, &gone) {
			t.Errorf("after a day: %v", err)
		}
	})
}

func TestExportedScansAndTrail(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		ctx, clock := context.Background(), testkit.NewClock()
		w := testkit.Org(t, db, clock)
		s := service(db, clock)
		g, _ := w.Group(t, db, "群", group.Internal, group.Approval, w.RD, 10)
		c, _ := w.Code(t, db, g, "前台", nil, w.Super.MemberID)
		const public = "abcdefghijk" // a random one may begin with a dash, which the file masks
		if err := db.Exec("UPDATE codes SET public_id = ? WHERE id = ?", public, c).Error; err != nil {
			t.Fatal(err)
		}
		if err := db.Exec("INSERT INTO scans (ref, at, code_id, outcome, address) VALUES ('=R1', ?, ?, 'live', '192.0.2.7')", clock.Now(), c).Error; err != nil {
			t.Fatal(err)
		}
		for what, want := range map[string]string{"scans": "'=R1,2026-11-22T01:00:00Z,live," + public + ",192.0.2.7,", "audit": `{"head":{`} {
			id, err := s.AskForExport(ctx, w.Super, approval.ExportDraft{What: what}, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Decide(ctx, w.Super2, id, "approve", ""); err != nil {
				t.Fatal(err)
			}
			f, err := s.Fetch(ctx, w.Super, id)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := f.Write(ctx, &out); err != nil || !strings.Contains(out.String(), want) {
				t.Errorf("%s: %v\n%s", what, err, out.String())
			}
		}
	})
}

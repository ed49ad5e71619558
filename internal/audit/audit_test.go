package audit_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/testkit"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// filled returns a trail with n sealed entries.
func filled(t *testing.T, db *gorm.DB, n int) *audit.Trail {
	t.Helper()
	trail := audit.New(testkit.Keys(), testkit.NewClock().Now)
	for range n {
		write(t, db, trail)
	}
	if err := trail.SealAll(context.Background(), db, quiet); err != nil {
		t.Fatal(err)
	}
	return trail
}

func write(t *testing.T, db *gorm.DB, trail *audit.Trail) {
	t.Helper()
	err := db.Transaction(func(tx *gorm.DB) error {
		return trail.Record(tx, access.Actor{Kind: access.Member, MemberID: 7, Name: "周岚<b>\x00"},
			audit.Event{Action: "code.revoke", Object: audit.Object{Kind: "code", ID: "abc", Name: "前台"}, DepartmentPath: "/1/2/",
				Details: map[string]any{"reason": "照片外传"}})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, db *gorm.DB, trail *audit.Trail, checkpoint audit.Head) audit.Report {
	t.Helper()
	r, err := trail.Verify(context.Background(), db, checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAnUntouchedTrailVerifies(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail := filled(t, db, 5)
		write(t, db, trail)
		r := verify(t, db, trail, audit.Head{})
		if r.Broken != nil || r.Head.Seq != 5 || r.Unsealed != 1 {
			t.Fatalf("report = %+v, broken = %+v", r, r.Broken)
		}
	})
}

// req: D38
func TestTamperingIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		sql   []string
		seq   int64
		cause string
	}{
		"changed text":   {[]string{"UPDATE audit_entries SET object_name = 'x' WHERE id = 3"}, 3, "changed"},
		"changed time":   {[]string{"UPDATE audit_entries SET actor_id = 8 WHERE id = 2"}, 2, "changed"},
		"deleted":        {[]string{"DELETE FROM audit_entries WHERE id = 4"}, 4, "deleted"},
		"deleted both":   {[]string{"DELETE FROM audit_seals WHERE seq = 2", "DELETE FROM audit_entries WHERE id = 2"}, 2, "missing"},
		"inserted":       {[]string{insertCopy("'forged'")}, 0, "inserted"},
		"inserted queue": {[]string{insertCopy("'forged'"), "INSERT INTO audit_unsealed SELECT max(id) FROM audit_entries"}, 0, "MAC"},
		"cut off":        {[]string{"DELETE FROM audit_seals WHERE seq > 3", "DELETE FROM audit_entries WHERE id > 3"}, 4, "cut off"},
		"all gone":       {[]string{"DELETE FROM audit_seals", "DELETE FROM audit_entries"}, 1, "cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.DB(t, func(t *testing.T, db *gorm.DB) {
				trail := filled(t, db, 5)
				checkpoint := verify(t, db, trail, audit.Head{}).Head
				testkit.Unguard(t, db)
				for _, statement := range c.sql {
					if err := db.Exec(statement).Error; err != nil {
						t.Fatal(err)
					}
				}
				r := verify(t, db, trail, checkpoint)
				if r.Broken == nil || r.Broken.Seq != c.seq || !strings.Contains(r.Broken.Cause(), c.cause) {
					t.Fatalf("broken = %+v, want seq %d and %q", r.Broken, c.seq, c.cause)
				}
			})
		})
	}
}

func insertCopy(uid string) string {
	return `INSERT INTO audit_entries (uid, at, actor_kind, actor_id, actor_name, action, object_kind, object_id, object_name, department_path, outcome, details, address, device, mac)
		SELECT ` + uid + `, at, actor_kind, actor_id, actor_name, action, object_kind, object_id, object_name, department_path, outcome, details, address, device, mac FROM audit_entries WHERE id = 1`
}

func TestTheSealerRefusesAForgedEntry(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail := filled(t, db, 1)
		write(t, db, trail)
		testkit.Unguard(t, db)
		if err := db.Exec("UPDATE audit_entries SET action = 'nothing' WHERE id = 2").Error; err != nil {
			t.Fatal(err)
		}
		write(t, db, trail)
		if err := trail.SealAll(context.Background(), db, quiet); err != nil {
			t.Fatal(err)
		}
		var entries []int64
		db.Raw("SELECT entry_id FROM audit_seals ORDER BY seq").Scan(&entries)
		if len(entries) != 2 || entries[1] != 3 {
			t.Fatalf("sealed %v, want entries 1 and 3", entries)
		}
	})
}

func TestExportedFile(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail := filled(t, db, 4)
		var file bytes.Buffer
		if err := trail.Export(context.Background(), db, &file); err != nil {
			t.Fatal(err)
		}
		keys := testkit.Keys()
		lines := strings.SplitAfter(strings.TrimSpace(file.String())+"\n", "\n")
		for name, c := range map[string]struct {
			text   string
			broken int64
		}{
			"whole":   {file.String(), 0},
			"changed": {strings.Replace(file.String(), `"actor_id":7`, `"actor_id":8`, 1), 1},
			"deleted": {strings.Join(append(append([]string{}, lines[:1]...), lines[2:]...), ""), 2},
			"cut off": {strings.Join(append(append([]string{}, lines[:3]...), lines[4:]...), ""), 4},
		} {
			for _, with := range []bool{true, false} {
				k := &keys
				if !with {
					k = nil
				}
				r, err := audit.VerifyFile(strings.NewReader(c.text), audit.Proof{Keys: k})
				if err != nil {
					t.Fatal(name, err)
				}
				got := int64(0)
				if r.Broken != nil {
					got = r.Broken.Seq
				}
				if got != c.broken || r.MACChecked != with {
					t.Errorf("%s: broken at %d, want %d (%+v)", name, got, c.broken, r.Broken)
				}
			}
		}
		if r, err := audit.VerifyFile(strings.NewReader(strings.Join(lines[:3], "")), audit.Proof{}); err != nil || r.Broken == nil || r.Broken.Kind != audit.CutOff || r.Broken.Seq != 4 {
			t.Errorf("a file without its head: %+v, %v", r.Broken, err)
		}
	})
}

func TestSealersSideBySideMakeOneChain(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail := audit.New(testkit.Keys(), time.Now)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 10 {
					write(t, db, trail)
					if err := trail.SealAll(context.Background(), db, quiet); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if r := verify(t, db, trail, audit.Head{}); r.Broken != nil || r.Head.Seq != 80 || r.Unsealed != 0 {
			t.Fatalf("report = %+v %+v", r, r.Broken)
		}
	})
}

func TestCheckpoint(t *testing.T) {
	db := testkit.SQLite(t)
	trail := filled(t, db, 3)
	path := filepath.Join(t.TempDir(), "audit.head")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	trail.RunSealer(ctx, db, quiet, path)
	head, err := audit.ReadCheckpoint(path)
	if err != nil || head.Seq != 3 || head.Hash == "" {
		t.Fatalf("checkpoint = %+v, %v", head, err)
	}
}

func TestHeadsReadTheirOwnScope(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail := filled(t, db, 2)
		log := audit.NewLog(db, trail)
		for name, c := range map[string]struct {
			by   access.Actor
			want int
		}{
			"super":      {access.Actor{Kind: access.Member, Super: true}, 2},
			"head":       {access.Actor{Kind: access.Member, Led: []string{"/1/2/"}}, 2},
			"other head": {access.Actor{Kind: access.Member, Led: []string{"/1/3/"}}, 0},
		} {
			got, err := log.List(context.Background(), c.by, audit.Filter{Action: "code."}, 50)
			if err != nil || len(got) != c.want {
				t.Errorf("%s: %d entries, %v; want %d", name, len(got), err, c.want)
			}
		}
		if _, err := log.List(context.Background(), access.Actor{Kind: access.Member}, audit.Filter{}, 50); err == nil {
			t.Error("staff read the trail")
		}
	})
}

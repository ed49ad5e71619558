package main_test

import (
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/code"
	"doorplate/internal/database"
	"doorplate/internal/secret"
	"doorplate/internal/testkit"
)

// stores runs test with the embedded database and with PostgreSQL.
func stores(t *testing.T, test func(t *testing.T, i *instance, open func() *gorm.DB)) {
	t.Run("sqlite", func(t *testing.T) {
		i := newInstance(t, "")
		test(t, i, func() *gorm.DB { return opened(t, database.InDir(i.dir)) })
	})
	t.Run("postgres", func(t *testing.T) {
		dsn := testkit.PostgresURL(t)
		test(t, newInstance(t, dsn), func() *gorm.DB { return opened(t, dsn) })
	})
}

func opened(t *testing.T, dsn string) *gorm.DB {
	t.Helper()
	db, err := database.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// liveToken finds a demo code that takes scans without a cap.
func liveToken(t *testing.T, db *gorm.DB) string {
	t.Helper()
	keys, err := secret.New([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	var id string
	err = db.Raw(`SELECT c.public_id FROM codes c JOIN groups g ON g.id = c.group_id WHERE c.validity = 'permanent' AND c.revoked_at IS NULL
		AND c.suspended_at IS NULL AND c.total_cap = 0 AND c.daily_cap = 0 AND c.issued_by = 1 AND g.status = 'active' AND g.join_mode <> 'off' ORDER BY c.id LIMIT 1`).Scan(&id).Error
	if err != nil || id == "" {
		t.Fatal("no live code in the demo", err)
	}
	return code.Token(keys, id, 0)
}

// fire sends scans from several clients until stop closes and returns the
// references of those that were answered with a ticket.
func fire(base, token string, stop <-chan struct{}) (refs []string) {
	client := &http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(40 * time.Millisecond): // 8 clients at 25 a second each
				}
				r, err := http.NewRequest(http.MethodGet, base+"/j/"+token, nil)
				if err != nil {
					return
				}
				r.Header.Set("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)")
				answer, err := client.Do(r)
				if err != nil {
					continue
				}
				answer.Body.Close()
				if answer.StatusCode == http.StatusSeeOther {
					mu.Lock()
					refs = append(refs, answer.Header.Get("Doorplate-Scan"))
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return refs
}

// What was answered is in the history, however the server ended.
func TestNoAnsweredScanIsLost(t *testing.T) {
	stores(t, func(t *testing.T, i *instance, open func() *gorm.DB) {
		if _, errs, code := i.run("demo"); code != 0 {
			t.Fatal(errs)
		}
		db := open()
		token := liveToken(t, db)
		database.Close(db)
		for _, end := range []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGTERM} {
			s := i.serve()
			s.ready()
			stop, answered := make(chan struct{}), make(chan []string)
			go func() { answered <- fire(i.base, token, stop) }()
			time.AfterFunc(1500*time.Millisecond, func() { s.cmd.Process.Signal(end) })
			<-s.done
			close(stop)
			refs := <-answered
			if len(refs) < 50 {
				t.Fatalf("only %d scans were answered: %s", len(refs), s.logs.String())
			}
			db := open()
			var kept int64
			if err := db.Raw("SELECT count(*) FROM scans WHERE ref IN ? AND outcome = 'live'", refs).Scan(&kept).Error; err != nil {
				t.Fatal(err)
			}
			if int(kept) != len(refs) {
				t.Errorf("%v: %d scans answered, %d kept", end, len(refs), kept)
			}
			var drift int64
			db.Raw(`SELECT count(*) FROM code_counters k WHERE total <> (SELECT count(*) FROM scans s WHERE s.code_id = k.code_id AND s.outcome = 'live')`).Scan(&drift)
			if drift != 0 {
				t.Errorf("%v: %d counters differ from the history", end, drift)
			}
			database.Close(db)
		}
	})
}

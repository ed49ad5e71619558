package main_test

import (
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/code"
	"doorplate/internal/database"
	"doorplate/internal/secret"
	"doorplate/internal/testkit"
	"doorplate/internal/testkit/cluster"
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

// drift are the questions whose answer is how much something differs from the history.
var drift = map[string]string{
	"counters": `SELECT count(*) FROM code_counters k WHERE total <> (SELECT count(*) FROM scans s WHERE s.code_id = k.code_id AND s.outcome = 'live')`,
	"days":     `SELECT count(*) FROM codes c WHERE (SELECT coalesce(sum(live), 0) FROM scan_days d WHERE d.code_id = c.id) <> (SELECT count(*) FROM scans s WHERE s.code_id = c.id AND s.outcome = 'live')`,
	"funnel":   `SELECT count(*) FROM codes c WHERE (SELECT coalesce(sum(live), 0) FROM scan_funnel f WHERE f.code_id = c.id) <> (SELECT count(*) FROM scans s WHERE s.code_id = c.id AND s.outcome = 'live')`,
}

// kept checks that every answered scan is there, and that everything which counts scans agrees.
func kept(t *testing.T, when any, db *gorm.DB, refs []string) {
	t.Helper()
	var there int
	for chunk := range slices.Chunk(refs, 500) {
		var n int
		if err := db.Raw("SELECT count(*) FROM scans WHERE ref IN ? AND outcome = 'live'", chunk).Scan(&n).Error; err != nil {
			t.Fatal(err)
		}
		there += n
	}
	if there != len(refs) {
		t.Errorf("%v: %d scans answered, %d kept", when, len(refs), there)
	}
	for what, question := range drift {
		var n int
		if err := db.Raw(question).Scan(&n).Error; err != nil || n != 0 {
			t.Errorf("%v: %d %s differ from the history, %v", when, n, what, err)
		}
	}
}

// What was answered is in the history, however the server ended, and however often.
func TestNoAnsweredScanIsLost(t *testing.T) {
	stores(t, func(t *testing.T, i *instance, open func() *gorm.DB) {
		if _, errs, code := i.run("demo"); code != 0 {
			t.Fatal(errs)
		}
		db := open()
		defer func() { database.Close(db) }()
		token := liveToken(t, db)
		for round := range 20 {
			end := []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM}[round%2]
			s := i.serve()
			s.ready()
			stop, answered := make(chan struct{}), make(chan []string)
			go func() { answered <- fire(i.base, token, stop) }()
			time.AfterFunc(time.Duration(300+20*round)*time.Millisecond, func() { s.cmd.Process.Signal(end) })
			<-s.done
			close(stop)
			refs := <-answered
			if len(refs) < 8 {
				t.Fatalf("only %d scans were answered: %s", len(refs), s.logs.String())
			}
			kept(t, end, db, refs)
		}
	})
}

// A PostgreSQL that dies under load: every scan meanwhile is answered 503 with a
// reference, in time; the program stays well; afterwards everything is exact.
func TestTheDatabaseDiesUnderLoad(t *testing.T) {
	server, err := cluster.StartServer(cluster.Durable...)
	if err != nil {
		t.Fatal(err)
	}
	i := newInstance(t, server.DSN)
	if _, errs, code := i.run("demo"); code != 0 {
		t.Fatal(errs)
	}
	db := opened(t, server.DSN)
	defer database.Close(db)
	token := liveToken(t, db)
	s := i.serve()
	s.ready()
	var all []string
	for range 2 {
		stop, answered := make(chan struct{}), make(chan []string)
		go func() { answered <- fire(i.base, token, stop) }()
		<-time.After(400 * time.Millisecond)
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		refused(t, i.base, token)
		if err := server.Resume(); err != nil {
			t.Fatal(err)
		}
		s.ready()
		<-time.After(200 * time.Millisecond)
		close(stop)
		all = append(all, <-answered...)
	}
	if len(all) < 40 {
		t.Fatalf("only %d scans were answered", len(all))
	}
	kept(t, "PostgreSQL killed", opened(t, server.DSN), all)
	if code := s.kill(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// refused scans until the database is seen to be away: 503, with a reference, in time.
func refused(t *testing.T, base, token string) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		began := time.Now()
		answer, err := client.Get(base + "/j/" + token)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusServiceUnavailable {
			continue
		}
		if took := time.Since(began); took > 3*time.Second || answer.Header.Get("Doorplate-Scan") == "" || answer.Header.Get("Retry-After") == "" {
			t.Errorf("503 after %v, headers %v", took, answer.Header)
		}
		well, err := client.Get(base + "/healthz")
		if err != nil || well.StatusCode != http.StatusOK {
			t.Errorf("the process: %v, %v", well, err)
		}
		return
	}
	t.Error("no scan was refused while the database was away")
}

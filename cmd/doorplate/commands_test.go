package main_test

import (
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"doorplate/internal/database"
	"doorplate/internal/testkit"
)

func TestWrongUsageAndWrongValues(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  string
		code int
		says string
	}{
		"no command":      {nil, "", 2, "serve"},
		"unknown command": {[]string{"dance"}, "", 2, "dance"},
		"unknown flag":    {[]string{"serve", "--fast"}, "", 2, "--fast"},
		"too many args":   {[]string{"login-link", "1", "2"}, "", 2, "usage"},
		"help":            {[]string{"serve", "-h"}, "", 0, ""},
		"bad address":     {[]string{"serve"}, "DOORPLATE_ADDR=nowhere", 1, "DOORPLATE_ADDR"},
		"bad zone":        {[]string{"serve"}, "DOORPLATE_TIMEZONE=Mars", 1, "Mars"},
		"bad data dir":    {[]string{"serve"}, "DOORPLATE_DATA_DIR=/dev/null/x", 1, "DOORPLATE_DATA_DIR"},
		"bad database":    {[]string{"migrate"}, "DOORPLATE_DATABASE_URL=mysql://x", 1, "DOORPLATE_DATABASE_URL"},
		"no such file":    {[]string{"audit", "verify", "/nowhere"}, "", 1, "exported"},
		"unknown number":  {[]string{"login-link", "13800000001"}, "", 1, "no active member"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newInstance(t, "")
			i.env = append(i.env, c.env)
			out, errs, code := i.run(c.args...)
			if code != c.code || !strings.Contains(errs, c.says) || strings.Count(errs, "\n") > 1 {
				t.Errorf("exit %d, stderr %q, stdout %q; want exit %d, one line with %q", code, errs, out, c.code, c.says)
			}
		})
	}
}

func TestVersionAndMigrations(t *testing.T) {
	i := newInstance(t, "")
	if out, _, code := i.run("version"); code != 0 || !strings.Contains(out, "go1.") {
		t.Error(out, code)
	}
	if out, _, _ := i.run("migrate", "status"); !strings.Contains(out, "pending") {
		t.Error(out)
	}
	if _, errs, code := i.run("migrate"); code != 0 {
		t.Error(errs)
	}
	if out, _, _ := i.run("migrate", "status"); strings.Contains(out, "pending") {
		t.Error(out)
	}
}

func TestDemoOnlyGoesIntoAnEmptyDatabase(t *testing.T) {
	i := newInstance(t, "")
	if _, errs, code := i.run("demo"); code != 0 {
		t.Fatal(errs)
	}
	if _, errs, code := i.run("demo"); code != 1 || !strings.Contains(errs, "not empty") {
		t.Error(code, errs)
	}
}

// Two processes on one embedded database would each believe to be alone.
func TestASecondServerOnOneDataDirIsRefused(t *testing.T) {
	i := newInstance(t, "")
	i.serve().ready()
	second := newInstance(t, "")
	second.env = append(second.env, "DOORPLATE_DATA_DIR="+i.dir)
	if _, errs, code := second.run("serve"); code != 1 || !strings.Contains(errs, "another doorplate") {
		t.Error(code, errs)
	}
}

func TestAnotherSecretKeyIsRefused(t *testing.T) {
	i := newInstance(t, "")
	if _, errs, code := i.run("demo"); code != 0 {
		t.Fatal(errs)
	}
	i.env = append(i.env, "DOORPLATE_SECRET_KEY=another-key-another-key-another-key")
	if _, errs, code := i.run("serve"); code != 1 || !strings.Contains(errs, "DOORPLATE_SECRET_KEY") {
		t.Error(code, errs)
	}
}

func TestTermEndsTheServerCleanly(t *testing.T) {
	s := newInstance(t, "").serve()
	s.ready()
	s.line("^set-up: (.*)$")
	if code := s.kill(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d: %s", code, s.logs.String())
	}
}

// However long the query, a scan is answered as a scan.
func TestALongAddressIsAScanLikeAnyOther(t *testing.T) {
	i := newInstance(t, "")
	if _, errs, code := i.run("demo"); code != 0 {
		t.Fatal(errs)
	}
	i.serve().ready()
	answer, err := http.Get(i.base + "/j/forged?utm_source=" + strings.Repeat("x", 100<<10))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != 404 || answer.Header.Get("Doorplate-Scan") == "" {
		t.Errorf("answered %s, reference %q", answer.Status, answer.Header.Get("Doorplate-Scan"))
	}
}

// A PostgreSQL that is not there yet is waited for.
func TestTheServerWaitsForPostgres(t *testing.T) {
	dsn := testkit.PostgresURL(t)
	admin, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	name := dsn[strings.LastIndex(dsn, "/")+1 : strings.Index(dsn, "?")]
	away := strings.Replace(dsn, "/"+name+"?", "/"+name+"_later?", 1)
	s := newInstance(t, away).serve()
	status := func(path string) int {
		answer, err := http.Get(s.base + path)
		if err != nil {
			return 0
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for status("/healthz") != http.StatusOK {
		select {
		case <-s.done:
			t.Fatal(s.logs.String())
		default:
		}
	}
	if got := status("/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("/readyz = %d without a database", got)
	}
	if got := status("/login"); got != http.StatusServiceUnavailable {
		t.Errorf("/login = %d without a database", got)
	}
	if _, err := admin.Exec("CREATE DATABASE " + name + "_later"); err != nil {
		t.Fatal(err)
	}
	s.ready()
	s.kill(syscall.SIGTERM)
	if _, err := admin.Exec("DROP DATABASE " + name + "_later WITH (FORCE)"); err != nil {
		t.Error(err)
	}
}

// req: D38
func TestAuditVerifyFindsTampering(t *testing.T) {
	i := newInstance(t, "")
	if _, errs, code := i.run("demo"); code != 0 {
		t.Fatal(errs)
	}
	s := i.serve()
	s.ready()
	s.kill(syscall.SIGTERM)
	if out, errs, code := i.run("audit", "verify"); code != 0 || !strings.Contains(out, "0 not sealed yet") {
		t.Fatal(out, errs, code)
	}
	if _, err := os.Stat(filepath.Join(i.dir, "audit.head")); err != nil {
		t.Error(err)
	}
	db, err := database.Open(database.InDir(i.dir))
	if err != nil {
		t.Fatal(err)
	}
	testkit.Unguard(t, db)
	if err := db.Exec("UPDATE audit_entries SET object_name = 'x' WHERE id = 5").Error; err != nil {
		t.Fatal(err)
	}
	database.Close(db)
	if _, errs, code := i.run("audit", "verify"); code != 1 || !strings.Contains(errs, "entry 5") {
		t.Error(errs, code)
	}
}

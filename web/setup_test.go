package web_test

import (
	"context"
	"strings"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/testkit"
	"doorplate/web"
)

// onEmptySite runs test on a site per database that nobody has set up.
func onEmptySite(t *testing.T, test func(t *testing.T, s *site, token string)) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		s := newSite(t, db)
		for _, table := range []string{"member_departments", "department_heads", "members", "departments", "organisation"} {
			if err := db.Exec("DELETE FROM " + table).Error; err != nil {
				t.Fatal(err)
			}
		}
		token, err := s.deps.Auth.SetupToken(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		test(t, s, token)
	})
}

func setupForm() []string {
	return []string{"organisation", "晨星科技", "timezone", "Asia/Shanghai", "name", "周岚", "phone", "13800000001", "password", "correct horse battery"}
}

func TestFirstRun(t *testing.T) {
	onEmptySite(t, func(t *testing.T, s *site, token string) {
		b, path := s.visitor(), "/setup/"+token
		want(t, b.get("/login"), 503)
		want(t, b.get("/"), 503)
		want(t, b.get("/setup/wrong"), 404)
		want(t, b.post("/setup/wrong", setupForm()...), 404)
		rec := b.post(path, setupForm()...)
		want(t, rec, 422)
		if page(t, rec).Find(`input[name="organisation"]`).AttrOr("value", "") != "晨星科技" || strings.Contains(rec.Body.String(), "horse") {
			t.Error("typed text is lost, or the password comes back")
		}
		want(t, b.fill(path, path, "organisation", "", "timezone", "Mars/Base", "name", "", "phone", "1", "password", "short"), 422)
		form := append(b.hidden(b.get(path), path), setupForm()...)
		first := b.post(path, form...)
		want(t, first, 303, "/")
		want(t, b.get("/settings/devices"), 200)
		want(t, b.get(path), 404)
		again := s.visitor().post(path, form...) // the double tap that came late
		want(t, again, 303, "/")
		if again.Header().Get("Set-Cookie") != first.Header().Get("Set-Cookie") {
			t.Error("the repeat got another answer")
		}
		want(t, s.visitor().post(path, setupForm()...), 404)
		want(t, s.visitor().post(path+"/demo"), 404)
		want(t, s.visitor().get("/login"), 200)
	})
}

func TestFirstRunWarnsOfLoopback(t *testing.T) {
	onEmptySite(t, func(t *testing.T, s *site, token string) {
		if strings.Contains(s.visitor().get("/setup/"+token).Body.String(), "DOORPLATE_BASE_URL") {
			t.Error("warns of a public address")
		}
		s.deps.Config.BaseURL = "http://127.0.0.1:8080"
		s.Handler = web.New(s.deps)
		if !strings.Contains(s.visitor().get("/setup/"+token).Body.String(), "DOORPLATE_BASE_URL") {
			t.Error("does not warn of a loopback address")
		}
	})
}

func TestFirstRunWithTheDemo(t *testing.T) {
	onEmptySite(t, func(t *testing.T, s *site, token string) {
		filled := 0
		s.deps.Demo = func(context.Context) error {
			filled++
			now := s.clock.Now()
			s.db.Exec(`UPDATE organisation SET name = '晨星科技', set_up_at = ?`, now)
			return s.db.Exec(`INSERT INTO members (name, phone, super_admin, created_at, updated_at) VALUES ('周岚', '+8613800000001', ?, ?, ?)`, true, now, now).Error
		}
		s.Handler = web.New(s.deps)
		b, path := s.visitor(), "/setup/"+token
		want(t, b.post(path+"/demo"), 422)
		want(t, b.fill(path, path+"/demo"), 303, "/")
		want(t, b.get("/settings/devices"), 200)
		want(t, b.post(path+"/demo"), 404)
		if filled != 1 {
			t.Errorf("filled %d times", filled)
		}
	})
}

package web_test

import (
	"testing"
)

// A script that knows no password field issues, regenerates and changes codes of
// a training group; the page asks for one, the browser's form insists. req: D11
func TestAScriptIssuesATrainingCodeWithoutAPassword(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "训练营", "training", "approval", s.w.Platform, 50)
		head := s.as(s.w.Head)
		for _, validity := range []string{"", "30d"} {
			rec := head.post("/groups/"+gid+"/codes", "label", "门口", "validity", validity)
			want(t, rec, 303, "/codes/")
			at := rec.Header().Get("Location")
			if cure := page(t, head.get(at)).Find("[data-risk=unlocked] a").AttrOr("href", ""); cure != at+"/terms?fix=password" {
				t.Errorf("the page of %s does not ask for a password: %q", at, cure)
			}
			want(t, head.post(at+"/terms", "daily_cap", "9"), 303)
			if rec = head.post(at+"/terms", "daily_cap", "9", "password", ""); rec.Code != 422 || page(t, rec).Find("#password.is-invalid").Length() != 1 {
				t.Errorf("the browser's form of the terms: %d", rec.Code)
			}
			rec = head.post(at+"/regenerate", "reason", "换")
			want(t, rec, 303, "/codes/")
			want(t, head.post(rec.Header().Get("Location")+"/terms", "daily_cap", "9", "password", "sesame"), 303)
		}
		rec := head.post("/groups/"+gid+"/codes", "label", "门口", "validity", "7d", "password", "")
		if rec.Code != 422 || page(t, rec).Find("#password.is-invalid").Length() != 1 {
			t.Errorf("the browser's form: %d", rec.Code)
		}
		want(t, head.post("/groups/"+gid+"/codes", "validity", "permanent", "confirm_permanent", "on"), 422)
	})
}

package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestFrame(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		want(t, s.visitor().get("/healthz"), 200)
		want(t, s.visitor().get("/groups"), 303, "/login?next=%2Fgroups")
		want(t, s.as(s.w.Staff).get("/nowhere"), 404)
		want(t, s.as(s.w.Staff).get("/contacts/departments"), 405)
		want(t, s.as(s.w.Staff).get("/audit"), 403)

		r := httptest.NewRequest(http.MethodPost, "/lang", nil)
		r.Header.Set("Origin", "https://evil.example")
		want(t, s.visitor().do(r), 403)
	})
}

package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Where the database fails, a scan is answered 503 with its own reference and page:
// not the console's, and not late.
func TestScanWithoutADatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, _ := s.w.Group(t, s.db, "平台组", "internal", "approval", s.w.Platform, 10)
		until := s.clock.Now().Add(time.Hour)
		_, public := s.w.Code(t, s.db, group, "门口", &until, s.w.Super.MemberID)
		url := page(t, s.as(s.w.Head).get("/codes/"+public)).Find(".dp-url").Text()
		path := url[strings.Index(url, "/j/"):]
		for _, table := range []string{"organisation", "code_counters"} {
			s.exec("ALTER TABLE " + table + " RENAME TO " + table + "_lost")
		}

		rec := s.visitor().get(path)
		want(t, rec, http.StatusServiceUnavailable)
		ref := rec.Header().Get("Doorplate-Scan")
		if ref == "" || !strings.Contains(rec.Body.String(), ref) || rec.Header().Get("Retry-After") == "" {
			t.Errorf("reference %q, Retry-After %q: %s", ref, rec.Header().Get("Retry-After"), page(t, rec).Text())
		}
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept", "application/json")
		rec = s.visitor().do(r)
		want(t, rec, http.StatusServiceUnavailable)
		var body map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil || body["instance"] != rec.Header().Get("Doorplate-Scan") {
			t.Errorf("%v: %s", err, rec.Body)
		}
	})
}

package web_test

import (
	"bytes"
	"doorplate/internal/testkit"
	"doorplate/web"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func TestFrame(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		want(t, s.visitor().get("/healthz"), 200)
		want(t, s.visitor().get("/groups"), 303, "/login?next=%2Fgroups")
		want(t, s.as(s.w.Staff).get("/nowhere"), 404)
		want(t, s.as(s.w.Staff).get("/contacts/departments"), 405)
		for _, path := range []string{"/requests/decide", "/approvals/decide", "/codes/x/revoke", "/codes/x/regenerate", "/groups/x/disband", "/contacts/members/1/depart"} {
			rec := s.as(s.w.Super).get(path)
			want(t, rec, 405)
			if rec.Header().Get("Allow") != "POST" {
				t.Errorf("GET %s allows %q", path, rec.Header().Get("Allow"))
			}
		}
		want(t, s.as(s.w.Staff).get("/audit"), 403)

		r := httptest.NewRequest(http.MethodPost, "/lang", nil)
		r.Header.Set("Origin", "https://evil.example")
		want(t, s.visitor().do(r), 403)
	})
}

func TestMetricsAreForTheMachineAndTheToken(t *testing.T) {
	s := newSite(t, testkit.SQLite(t))
	s.deps.Config.MetricsToken = "let-me-in"
	s.Handler = web.New(s.deps)
	for _, c := range []struct {
		peer, header, value string
		want                int
	}{
		{"127.0.0.1:5", "", "", 200}, {"[::1]:5", "", "", 200}, {"192.0.2.1:5", "", "", 404},
		{"127.0.0.1:5", "X-Forwarded-For", "192.0.2.1", 404}, {"127.0.0.1:5", "Forwarded", "for=x", 404},
		{"192.0.2.1:5", "Authorization", "Bearer let-me-in", 200}, {"192.0.2.1:5", "Authorization", "Bearer wrong", 404},
	} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.RemoteAddr = c.peer
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		if rec := s.visitor().do(r); rec.Code != c.want {
			t.Errorf("%s %s: %d, want %d", c.peer, c.header, rec.Code, c.want)
		}
	}
}

func TestPagesTravelCompressed(t *testing.T) {
	s := newSite(t, testkit.SQLite(t))
	r := httptest.NewRequest(http.MethodGet, "/groups", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	rec := s.as(s.w.Super).do(r)
	if rec.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("Content-Encoding = %q, %d bytes", rec.Header().Get("Content-Encoding"), rec.Body.Len())
	}
}

// uploads are written to disk above a mebibyte; they must not stay there.
func TestUploadedFilesDoNotStayInTheTemporaryFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	onBoth(t, func(t *testing.T, s *site) {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		file, err := w.CreateFormFile("entry_image", "big.png")
		if err != nil {
			t.Fatal(err)
		}
		file.Write(make([]byte, 2<<20+512))
		w.Close()
		r := httptest.NewRequest(http.MethodPost, "/groups", &body)
		r.Header.Set("Content-Type", w.FormDataContentType())
		s.as(s.w.Super).do(r)
		if left, err := filepath.Glob(filepath.Join(os.TempDir(), "multipart-*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
}

// Most clients write a whole body before they read.
func TestARefusedBodyIsReadToItsEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for _, announced := range []bool{true, false} {
			body := &counted{left: 5 << 20}
			r := httptest.NewRequest(http.MethodPost, "/groups", body)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.ContentLength = -1
			if announced {
				r.ContentLength = 5 << 20
			}
			want(t, s.as(s.w.Super).do(r), 413)
			if body.left > 0 {
				t.Errorf("announced %v: %d bytes were not read", announced, body.left)
			}
		}
	})
}

// counted is a body of x that knows how much of it is still unread.
type counted struct{ left int }

func (c *counted) Read(b []byte) (int, error) {
	n := min(len(b), c.left)
	if n == 0 {
		return 0, io.EOF
	}
	c.left -= n
	copy(b, bytes.Repeat([]byte("x"), n))
	return n, nil
}

func TestUntilSetUpEveryPathSaysSo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		if err := s.db.Exec("UPDATE organisation SET set_up_at = NULL").Error; err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/", "/login", "/nowhere", "/api/v1/groups", "/requests/decide"} {
			want(t, s.visitor().get(path), 503)
		}
		want(t, s.visitor().post("/nowhere"), 503)
		want(t, s.visitor().get("/healthz"), 200)
	})
}

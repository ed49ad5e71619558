package web_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"doorplate/internal/qr"
)

// Every format is named after group and label, holds what its name says, and leaves one entry in the trail. req: A04
func TestPrintedFiles(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, id := s.door("approval")
		super := s.as(s.w.Super)
		for path, begin := range map[string]string{"qr.png?size=300&margin=8&ecc=h": "\x89PNG", "qr.png?logo=mark": "\x89PNG", "qr.svg?ecc=L": "<svg", "poster.pdf": "%PDF",
			"poster.pdf?size=a6&lang=en": "%PDF", "labels.pdf?grid=2x5": "%PDF", "labels.pdf?grid=own&cols=2&rows=4&margin_x=5": "%PDF"} {
			before := s.count("SELECT count(*) FROM audit_entries WHERE action = 'code.download'")
			rec := super.get("/codes/" + id + "/" + path)
			want(t, rec, 200)
			name, _ := url.QueryUnescape(rec.Header().Get("Content-Disposition"))
			if !strings.HasPrefix(rec.Body.String(), begin) || !strings.Contains(name, "平台技术交流群-前台") {
				t.Errorf("%s: %q begins with %.10q", path, name, rec.Body)
			}
			if n := s.count("SELECT count(*) FROM audit_entries WHERE action = 'code.download'"); n != before+1 {
				t.Errorf("%s: %d entries", path, n-before)
			}
			if begin == "\x89PNG" {
				if said, err := qr.Decode(rec.Body.Bytes()); err != nil || !strings.HasPrefix(said, "http://door.example/j/") {
					t.Errorf("%s says %q (%v)", path, said, err)
				}
			}
		}
		for _, bad := range []string{"qr.png?size=127", "qr.png?margin=3", "qr.png?ecc=X", "qr.png?logo=logo", "qr.png?logo=x", "qr.png?logo=mark&ecc=L", "qr.png?copy=5",
			"qr.svg?margin=11", "poster.pdf?size=a3", "poster.pdf?lang=fr", "poster.pdf?copy=-1", "labels.pdf?grid=9x9", "labels.pdf?grid=own&cols=8&rows=20",
			"labels.pdf?grid=own&margin_x=NaN", "labels.pdf?copies=9-3", "labels.pdf?copies=1-2", "labels.pdf?count=0", "print?ecc=Z",
			"poster.pdf?size=" + strings.Repeat("a", 100_000)} {
			want(t, super.get("/codes/"+id+"/"+bad), 422)
		}
		want(t, super.post("/codes/"+id+"/revoke", "reason", "x"), 303)
		for _, dead := range []string{"qr.png", "qr.svg", "poster.pdf", "labels.pdf"} {
			want(t, super.get("/codes/"+id+"/"+dead), 410)
		}
		want(t, super.get("/codes/"+id+"/print"), 200)
	})
}

// Numbered copies: each label has its own token, revoked ones are left out, and what was printed is noted. req: B25
func TestPrintedCopies(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, id := s.door("approval")
		for serial := 1; serial <= 4; serial++ {
			s.exec("INSERT INTO code_copies (code_id, serial, place, created_at) SELECT id, ?, '=电梯厅', ? FROM codes", serial, s.clock.Now())
		}
		s.exec("UPDATE code_copies SET revoked_at = ? WHERE serial = 3", s.clock.Now())
		super := s.as(s.w.Super)
		want(t, super.get("/codes/"+id+"/labels.pdf?copies=2-4"), 200)
		if n := s.count("SELECT count(*) FROM code_copies WHERE printed_at IS NOT NULL AND printed_as LIKE '%平台技术交流群%'"); n != 2 {
			t.Errorf("%d copies noted as printed, want 2 and 4", n)
		}
		want(t, super.get("/codes/"+id+"/poster.pdf?copy=3"), 422)
		a, b := super.get("/codes/"+id+"/qr.png?copy=1"), super.get("/codes/"+id+"/qr.png?copy=2")
		want(t, a, 200)
		if bytes.Equal(a.Body.Bytes(), b.Body.Bytes()) || !strings.Contains(a.Header().Get("Content-Disposition"), "-1.png") {
			t.Errorf("copies are told apart by their token and their file: %q", a.Header().Get("Content-Disposition"))
		}
	})
}

func unzip(t *testing.T, rec *httptest.ResponseRecorder) (names []string, index string) {
	t.Helper()
	want(t, rec, 200)
	z, err := zip.NewReader(bytes.NewReader(rec.Body.Bytes()), int64(rec.Body.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		names = append(names, f.Name)
		if f.Name == "index.csv" {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			index = string(text)
		}
	}
	return names, index
}

func TestZipOfCodes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, _ := s.door("approval")
		s.issue(gid, "label", "前台") // the same name again
		s.issue(gid, "label", "=1+1/..")
		dead := s.issue(gid, "label", "没了")
		want(t, s.as(s.w.Super).post("/codes/"+dead+"/revoke", "reason", "x"), 303)
		rec := s.as(s.w.Head).post("/prints", "group", gid, "format", "svg")
		want(t, rec, 303, "/prints/codes.zip")
		names, index := unzip(t, s.as(s.w.Head).get(rec.Header().Get("Location")))
		if len(names) != 4 || !strings.HasPrefix(index, "\uFEFFfile,group,label,department,url,typed_code,serial,state,valid_until\n") ||
			!strings.Contains(index, "'=1+1") || !strings.Contains(index, "skipped (revoked)") {
			t.Errorf("%q\n%s", names, index)
		}
		if n := s.count("SELECT count(*) FROM audit_entries WHERE action = 'code.download.many'"); n != 1 {
			t.Errorf("%d entries for one zip", n)
		}
		want(t, s.as(s.w.OtherHead).get("/prints/codes.zip?group="+gid), 404)
		want(t, s.as(s.w.OtherHead).get("/prints/codes.zip"), 422) // nothing in scope
		want(t, s.as(s.w.Staff).get("/prints/codes.zip"), 403)
	})
}

// A large zip is drawn in the background, survives a worker that vanished, is fetched by its author only, for a day.
func TestLargeZip(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, gid := s.w.Group(t, s.db, "大群", "internal", "approval", s.w.Platform, 500)
		for i := range 205 {
			s.w.Code(t, s.db, group, fmt.Sprintf("门%d", i), nil, s.w.Super.MemberID)
		}
		head := s.as(s.w.Head)
		start := func() string {
			rec := head.post("/prints", "group", gid, "format", "png", "size", "256")
			want(t, rec, 303, "/prints/")
			return rec.Header().Get("Location")
		}
		at := start()
		want(t, head.get("/prints/codes.zip?group="+gid), 422)
		want(t, head.get(at+"/file"), 410)
		s.exec("UPDATE print_runs SET lease_until = ?", s.clock.Now().Add(-1)) // somebody took it and died
		if worked, err := s.deps.Press.Next(context.Background(), map[int64]int{}); err != nil || !worked {
			t.Fatal(worked, err)
		}
		want(t, s.as(s.w.Super).get(at), 404)
		names, _ := unzip(t, head.get(at+"/file"))
		if len(names) != 206 {
			t.Errorf("%d files", len(names))
		}
		cancelled := start()
		want(t, head.post(cancelled+"/cancel"), 303, cancelled)
		want(t, head.post(cancelled+"/cancel"), 409)
		if worked, err := s.deps.Press.Next(context.Background(), map[int64]int{}); err != nil || worked {
			t.Fatal("a cancelled run was drawn", err)
		}
		s.clock.Add(25 * 60 * 60 * 1e9)
		want(t, head.get(at+"/file"), 410)
		if err := s.deps.Press.Sweep(context.Background()); err != nil || s.count("SELECT count(*) FROM files") != 0 {
			t.Errorf("the old zip is still there (%v)", err)
		}
	})
}

func TestDepartmentSheet(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		at := fmt.Sprintf("/contacts/departments/%d", s.w.RD)
		head := s.as(s.w.Head)
		want(t, head.get(at+"/sheet.pdf"), 422)
		if page(t, head.get(at)).Find("a[href$='sheet.pdf']").Length() != 0 {
			t.Error("a link to an empty sheet")
		}
		s.door("approval")
		if page(t, head.get(at)).Find("a[href$='sheet.pdf']").Length() != 1 {
			t.Error("no link to the sheet")
		}
		want(t, head.get(at+"/sheet.pdf?lang=en"), 200)
		want(t, s.as(s.w.OtherHead).get(at+"/sheet.pdf"), 404)
	})
}

func TestOrganisationLogo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, id := s.door("approval")
		super := s.as(s.w.Super)
		m, err := qr.Encode("logo", qr.M)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := m.PNG(256)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range [][]byte{{}, []byte("<svg><script>alert(1)</script></svg>"), picture[:60]} {
			want(t, super.uploadLogo(bad), 422)
		}
		want(t, super.uploadLogo(picture), 303, "/settings/organisation")
		want(t, super.get("/settings/organisation/logo.png"), 200)
		if rec := super.get("/codes/" + id + "/qr.png?logo=logo"); rec.Code != 200 && rec.Code != 422 {
			t.Errorf("a logo that is a code: %d", rec.Code)
		}
		want(t, super.post("/settings/organisation/logo/remove"), 303)
		want(t, super.get("/settings/organisation/logo.png"), 404)
		if n := s.count("SELECT count(*) FROM audit_entries WHERE action LIKE 'organisation.logo.%'"); n != 2 {
			t.Errorf("%d entries", n)
		}
	})
}

func (b *browser) uploadLogo(picture []byte) *httptest.ResponseRecorder {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("logo", "logo.png")
	if err == nil {
		_, err = part.Write(picture)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/settings/organisation/logo", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return b.do(r)
}

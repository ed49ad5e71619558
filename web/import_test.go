package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"doorplate/internal/directory"
)

// importFile uploads a list as a browser does.
func (b *browser) importFile(content string, pairs ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := w.WriteField(pairs[i], pairs[i+1]); err != nil {
			b.t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", `C:\花名册.csv`)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := part.Write([]byte(content)); err != nil {
		b.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/contacts/import", &body)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return b.do(r)
}

// importWork does what the importer's goroutine would.
func (s *site) importWork() {
	s.t.Helper()
	if worked, err := directory.NewImporter(s.deps.Directory, slog.New(slog.DiscardHandler)).Next(context.Background()); !worked || err != nil {
		s.t.Fatalf("importer: worked %v, %v", worked, err)
	}
}

func (b *browser) importState(at string) (state struct {
	State                                      string
	DryRun                                     bool `json:"dry_run"`
	Rows, Created, Changed, Unchanged, Refused int
	Problems                                   []struct {
		Row           int
		Column, Cause string
	}
}) {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodGet, at, nil)
	r.Header.Set("Accept", "application/json")
	rec := b.do(r)
	want(b.t, rec, 200)
	if err := json.Unmarshal(rec.Body.Bytes(), &state); err != nil {
		b.t.Fatal(err)
	}
	return state
}

const list = "工号,姓名,手机,邮箱,部门,负责人\n" +
	"DP0101,李雷,139 0000 0001,,研发中心/算法组,\n" +
	"DP0005,顾晓,13800000005,,,\n" +
	"DP0102,=1+1,+86139,,,\n" +
	"DP0103," + probe + ",13900000003,,,\n"

func TestImportStory(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		b := s.as(s.w.Super)
		rec := b.importFile(list, "dry_run", "on")
		want(t, rec, 303, "/contacts/import/")
		at := rec.Header().Get("Location")
		rec = b.get(at)
		if rec.Header().Get("Refresh") == "" || page(t, rec).Find("progress").Length() != 1 {
			t.Error("a running import shows no progress")
		}
		whole(t, at, rec)
		want(t, b.post(at+"/apply"), 409)
		s.importWork()
		state := b.importState(at)
		if state.State != "done" || !state.DryRun || state.Rows != 4 || state.Created != 2 || state.Changed != 1 || state.Refused != 1 ||
			state.Problems[0].Row != 4 || state.Problems[0].Column != "phone" || !strings.HasPrefix(state.Problems[0].Cause, "手机号不对") {
			t.Errorf("dry run: %+v", state)
		}
		whole(t, at, b.get(at))
		rec = b.post(at + "/apply")
		want(t, rec, 303, "/contacts/import/")
		run := rec.Header().Get("Location")
		want(t, b.post(at+"/apply"), 303, run)
		if applied := page(t, b.get(at)); applied.Find("a[href='"+run+"']").Length() != 1 || applied.Find("form[action$='/apply']").Length() != 0 {
			t.Error("a preview that was imported offers to import it again")
		}
		s.importWork()
		if state := b.importState(run); state.State != "done" || state.DryRun || state.Created != 2 || state.Changed != 1 || state.Refused != 1 {
			t.Errorf("run: %+v", state)
		}
		body := b.get(run).Body.String()
		if strings.Contains(body, "<script>alert") || !strings.Contains(body, "顾晓") || b.get(run).Header().Get("Refresh") != "" {
			t.Error("the finished run's page is wrong")
		}
		rec = b.get(run + "/refused.csv")
		want(t, rec, 200)
		if got := rec.Body.String(); !strings.HasPrefix(got, "\ufeff工号,姓名,手机,邮箱,部门,负责人,原因/cause\r\nDP0102,'=1+1,'+86139,,,,") {
			t.Errorf("refused.csv: %q", got)
		}
		want(t, s.as(s.w.Head).get(run), 404)
		want(t, s.as(s.w.Head).get(run+"/refused.csv"), 404)
		want(t, b.post(run+"/cancel"), 409)
		fixed := strings.ReplaceAll(rec.Body.String(), "'+86139", "13900000002")
		rec = b.importFile(fixed)
		want(t, rec, 303, "/contacts/import/")
		s.importWork()
		if state := b.importState(rec.Header().Get("Location")); state.Created != 1 || state.Refused != 0 {
			t.Errorf("the mended rows: %+v", state)
		}
		whole(t, "/contacts/import", b.get("/contacts/import"))
	})
}

func TestTheTemplateCanBeSentBack(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for lang, row := range map[string]string{"zh-CN": "J1,李雷,13900000001,,研发中心,是\r\n", "en": "J2,Mei,13900000002,,市场部,yes\r\n"} {
			b := s.as(s.w.Super)
			b.lang = lang
			rec := b.get("/contacts/import/template.csv")
			want(t, rec, 200)
			if !strings.HasPrefix(rec.Body.String(), "\ufeff") || !strings.Contains(rec.Header().Get("Content-Disposition"), "attachment") {
				t.Errorf("template: %q, %v", rec.Body, rec.Header())
			}
			rec = b.importFile(rec.Body.String() + row)
			want(t, rec, 303, "/contacts/import/")
			s.importWork()
			if state := b.importState(rec.Header().Get("Location")); state.Created != 1 || state.Refused != 0 {
				t.Errorf("%s: %+v", lang, state)
			}
		}
	})
}

func TestHostileImports(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gb, err := simplifiedchinese.GB18030.NewEncoder().String(list)
		if err != nil {
			t.Fatal(err)
		}
		b := s.as(s.w.Super)
		members := "SELECT count(*) FROM members"
		before := s.count(members)
		for name, content := range map[string]string{
			"empty": "", "header": "姓名,手机\n", "binary": strings.Repeat("\x7fELF\x00\x01\xff", 5000), "nul": "姓名,手机\n\x00,1\n", "twice": "姓名,姓名,手机\na,b,c\n",
			"columns": "姓名,手机" + strings.Repeat(",x", 100_000) + "\na,b\n", "one": "姓名\n李雷\n", "quotes": `"姓名,手机` + "\n", "xlsx": "PK\x03\x04zip",
		} {
			rec := b.importFile(content)
			if rec.Code != 422 || page(t, rec).Find("#file-h").Text() == "" {
				t.Errorf("%s: %d: %s", name, rec.Code, page(t, rec).Find("#file-h").Text())
			}
		}
		if s.count(members) != before || s.count("SELECT count(*) FROM imports") != 0 {
			t.Error("a refused file left something behind")
		}
		want(t, b.post("/contacts/import", "dry_run", "on"), 422)
		for name, content := range map[string]string{
			"gb18030": gb, "cr": strings.ReplaceAll(list, "\n", "\r"), "crlf": strings.ReplaceAll(list, "\n", "\r\n"),
			"long names": "姓名,手机\n" + strings.Repeat("长", 4000) + ",13900000001\n", "open quote": "姓名,手机\n\"李雷,13900000001\n韩梅梅,13900000002\n",
			"right to left": "姓名,手机,部门\n\u202eمرحبا 👩‍👩‍👧,13900000001,\"a/\u202eb\"\n", "formulas": "姓名,手机\n@SUM(A1),=cmd\n",
		} {
			rec := b.importFile(content, "dry_run", "on")
			want(t, rec, 303, "/contacts/import/")
			s.importWork()
			at := rec.Header().Get("Location")
			if state := b.importState(at); state.State != "done" || state.Created+state.Changed+state.Refused != state.Rows {
				t.Errorf("%s: %+v", name, state)
			}
			whole(t, at, b.get(at))
			want(t, b.get(at+"/refused.csv"), 200)
		}
		want(t, b.importFile("姓名,手机\n"+strings.Repeat("x", 33<<20)), 413)
		want(t, s.as(s.w.Staff).importFile(list), 403)
		r := httptest.NewRequest(http.MethodPost, "/contacts/import", strings.NewReader("--x\r\n"))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		want(t, b.do(r), 422)
	})
}

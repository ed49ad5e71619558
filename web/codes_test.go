package web_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/qr"
)

// door is a group with one permanent code on it.
func (s *site) door(mode string) (gid, code string) {
	s.t.Helper()
	_, gid = s.w.Group(s.t, s.db, "平台技术交流群", "internal", mode, s.w.Platform, 500)
	return gid, s.issue(gid, "label", "前台", "validity", "permanent", "confirm_permanent", "on")
}

// issue issues a code as a super admin and returns its public id.
func (s *site) issue(gid string, pairs ...string) string {
	s.t.Helper()
	rec := s.as(s.w.Super).post("/groups/"+gid+"/codes", pairs...)
	want(s.t, rec, 303, "/codes/")
	return strings.TrimPrefix(rec.Header().Get("Location"), "/codes/")
}

// printed is the path that the code's printed URL opens.
func (s *site) printed(id string) string {
	s.t.Helper()
	address, ok := page(s.t, s.as(s.w.Super).get("/codes/"+id)).Find("[data-url]").Attr("data-url")
	if !ok {
		s.t.Fatal("the page of the code does not say its URL")
	}
	u, err := url.Parse(address)
	if err != nil || u.Host != "door.example" {
		s.t.Fatalf("URL %q: %v", address, err)
	}
	return u.Path
}

func TestTheIssueForm(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "平台", "internal", "approval", s.w.Platform, 500)
		super := s.as(s.w.Super)
		form := page(t, super.get("/groups/"+gid+"/codes/new"))
		if v, _ := form.Find("input[name=validity][checked]").Attr("value"); v != "7d" {
			t.Errorf("default validity %q", v)
		}
		for _, bad := range [][]string{
			{"label", strings.Repeat("长", 61)},
			{"label", "x", "validity", "ever"}, {"label", "x", "validity", "permanent"},
			{"label", "x", "validity", "until"}, {"label", "x", "validity", "until", "valid_until", "2020-01-01"},
			{"label", "x", "validity", "until", "valid_until", "9999-12-31"}, {"label", "x", "validity", "until", "valid_until", "tomorrow"},
			{"label", "x", "daily_cap", "-1"}, {"label", "x", "total_cap", "99999999999999999999"}, {"label", "x", "total_cap", "many"},
			{"label", "x", "networks", "10.0.0.0/99"}, {"label", "x", "audience", "999999"}, {"label", "x", "audience", "<b>"},
		} {
			rec := super.post("/groups/"+gid+"/codes", bad...)
			want(t, rec, 422)
			if page(t, rec).Find("[role=alert]").Length() == 0 {
				t.Errorf("%q: no field says what is wrong", bad)
			}
		}
		for _, good := range [][]string{
			{}, {"label", " "}, {"label", strings.Repeat("长", 60)}, {"label", "<script>alert(1)</script>", "validity", "30d", "daily_cap", "0", "total_cap", ""},
			{"label", "今天", "validity", "until", "valid_until", "2026-11-22"}, {"label", "傍晚", "validity", "until", "valid_until", "2026-11-22T18:00"},
			{"label", "网", "networks", "10.0.0.0/8, 192.0.2.1", "audience", fmt.Sprint(s.w.RD)},
		} {
			id := s.issue(gid, good...)
			rec := super.get("/codes/" + id)
			want(t, rec, 200)
			if strings.Contains(rec.Body.String(), "<script>alert") {
				t.Error("markup in a label is not escaped")
			}
		}
	})
}

// A07, A17 and the row code.permanent of the table of rights.
func TestWhoMayIssueWhat(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, inner := s.w.Group(t, s.db, "内部", "internal", "approval", s.w.Platform, 500)
		_, open := s.w.Group(t, s.db, "直接进", "internal", "open", s.w.Platform, 500)
		_, outer := s.w.Group(t, s.db, "外部", "external", "approval", s.w.Platform, 500)
		user, started := s.w.Group(t, s.db, "自发", "internal", "approval", s.w.Platform, 500)
		s.db.Exec("UPDATE groups SET origin = 'user', owner_id = ? WHERE id = ?", s.w.Staff.MemberID, user)
		temporary := []string{"label", "x"}
		permanent := []string{"label", "x", "validity", "permanent", "confirm_permanent", "on"}
		narrow := append([]string{"audience", fmt.Sprint(s.w.RD)}, permanent...)
		for _, c := range []struct {
			who    access.Actor
			gid    string
			form   []string
			status int
		}{
			{s.w.Super, inner, permanent, 303}, {s.w.Head, inner, permanent, 303}, {s.w.Head, inner, temporary, 303},
			{s.w.Staff, inner, temporary, 403}, {s.w.OtherStaff, inner, temporary, 404}, {s.w.OtherHead, inner, temporary, 404},
			{s.w.Super, open, permanent, 303}, {s.w.Head, open, permanent, 403}, {s.w.Super, open, narrow, 303}, {s.w.Head, open, narrow, 303},
			{s.w.Super, outer, permanent, 403}, {s.w.Head, outer, permanent, 403}, {s.w.Head, outer, temporary, 303},
			{s.w.Super, started, permanent, 403}, {s.w.Staff, started, temporary, 303}, {s.w.Staff, started, permanent, 403},
		} {
			rec := s.as(c.who).post("/groups/"+c.gid+"/codes", c.form...)
			if rec.Code != c.status {
				t.Errorf("%s %q: %d, want %d", c.who.Name, c.form, rec.Code, c.status)
			}
		}
		s.db.Exec("INSERT INTO policies (name, value, updated_at) VALUES ('external_permanent', 'true', ?)", s.clock.Now())
		want(t, s.as(s.w.Super).post("/groups/"+outer+"/codes", permanent...), 303)
		want(t, s.as(s.w.Head).post("/groups/"+outer+"/codes", permanent...), 403)
	})
}

func TestWhoSeesTheCodes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, id := s.door("approval")
		paths := []string{"/groups/" + gid + "/codes", "/codes/" + id, "/codes/" + id + "/scans.csv", "/codes/" + id + "/qr.svg", "/codes/" + id + "/revoke/confirm"}
		for _, p := range paths {
			want(t, s.visitor().get(p), 303, "/login")
			want(t, s.as(s.w.Super).get(p), 200)
			want(t, s.as(s.w.Head).get(p), 200)
			want(t, s.as(s.w.Staff).get(p), 403)
			want(t, s.as(s.w.OtherHead).get(p), 404)
			want(t, s.as(s.w.OtherStaff).get(p), 404)
		}
		want(t, s.as(s.w.Staff).get("/codes"), 403)
		for _, p := range []string{"/codes/nope", "/codes/%00", "/codes/..%2f", "/groups/%00/codes", "/codes?after=x&state=%00", "/codes/" + id + "?after=9-x"} {
			if rec := s.as(s.w.Super).get(p); rec.Code != 404 && rec.Code != 200 {
				t.Errorf("%s: %d", p, rec.Code)
			}
		}
		s.db.Exec("INSERT INTO group_duties (group_id, member_id, duty) SELECT id, ?, 'events' FROM groups", s.w.Staff.MemberID)
		staff := s.as(s.w.Staff)
		doc := page(t, staff.get("/groups/"+gid+"/codes"))
		if doc.Find("a[href$='/codes/new']").Length() != 0 || doc.Find("details.dp-why").Length() == 0 {
			t.Error("who may not issue sees no button but the reason")
		}
		want(t, staff.get("/groups/"+gid+"/codes/new"), 403)
		doc = page(t, staff.get("/codes/"+id))
		if doc.Find("button.btn-primary, a[href$='/revoke/confirm']").Length() != 0 {
			t.Error("a control that its reader may not use")
		}
		want(t, staff.post("/codes/"+id+"/revoke", "reason", "x"), 403)
	})
}

// A02
func TestTheWayToAGroupsCode(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, id := s.door("approval")
		doc := page(t, s.as(s.w.Head).get("/groups/"+gid+"/codes"))
		var steps []string
		for _, n := range doc.Find(".breadcrumb li").EachIter() {
			steps = append(steps, strings.TrimSpace(n.Text()))
		}
		if got := strings.Join(steps, " > "); got != "通讯录 > 群聊 > 平台技术交流群 > 群二维码" {
			t.Errorf("breadcrumb %s", got)
		}
		if doc.Find("h1").Text() != "群二维码" || doc.Find("a[href='/codes/"+id+"']").Length() != 1 {
			t.Error("the page does not lead on")
		}
	})
}

// A04, C10: what is downloaded decodes to exactly the URL on the page.
func TestDownloads(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, id := s.door("approval")
		head := s.as(s.w.Head)
		address := "http://door.example" + s.printed(id)
		for _, size := range []int{128, 512, 2048} {
			rec := head.get(fmt.Sprintf("/codes/%s/qr.png?size=%d", id, size))
			want(t, rec, 200)
			conf, err := png.DecodeConfig(bytes.NewReader(rec.Body.Bytes()))
			if err != nil || conf.Width != size || conf.Height != size {
				t.Errorf("size %d: %v %+v", size, err, conf)
			}
			if text, err := qr.Decode(rec.Body.Bytes()); err != nil || text != address {
				t.Errorf("size %d decodes to %q: %v", size, text, err)
			}
			name := rec.Header().Get("Content-Disposition")
			if !strings.HasSuffix(name, "filename*=UTF-8''"+url.PathEscape("平台技术交流群-前台.png")) || !strings.HasPrefix(name, "attachment; ") {
				t.Errorf("named %s", name)
			}
		}
		for _, size := range []string{"127", "2049", "0", "-1", "x", "1e3", "99999999999999999999"} {
			want(t, head.get("/codes/"+id+"/qr.png?size="+size), 422)
		}
		want(t, head.get("/codes/"+id+"/qr.svg"), 200)
		var audited int
		s.db.Raw("SELECT count(*) FROM audit_entries WHERE action = 'code.download'").Scan(&audited)
		if audited != 4 {
			t.Errorf("%d downloads audited, want 4", audited)
		}
		odd := s.issue(gid, "label", `a/b\c"d`+"\u202e.exe")
		name := head.get("/codes/" + odd + "/qr.svg").Header().Get("Content-Disposition")
		if strings.ContainsAny(strings.SplitN(name, "UTF-8''", 2)[1], `/\"`) || strings.Contains(name, "%E2%80%AE") {
			t.Errorf("named %s", name)
		}
		want(t, head.post("/codes/"+id+"/revoke", "reason", "x"), 303)
		want(t, head.get("/codes/"+id+"/qr.png"), 410)
		want(t, head.get("/codes/"+id+"/qr.svg"), 410)
	})
}

// A 30-character base URL fits version 4 at level M: 33 modules and the quiet zone. req: B32
func TestTheCodeStaysSmall(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, id := s.door("approval")
		long := "https://door.chenxing.example1"
		matrix, err := qr.Encode(long+s.printed(id), qr.M)
		if err != nil || len(long) != 30 || matrix.Size() != 33 {
			t.Errorf("%v: %d modules with a base URL of %d characters", err, matrix.Size(), len(long))
		}
	})
}

func TestRegenerate(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, _ := s.door("approval")
		id := s.issue(gid, "label", "两周", "validity", "30d", "daily_cap", "7", "total_cap", "90", "networks", "10.0.0.0/8")
		head := s.as(s.w.Head)
		old := s.printed(id)
		rec := head.post("/codes/"+id+"/regenerate", "reason", "")
		want(t, rec, 422)
		s.clock.Add(24 * time.Hour)
		rec = head.post("/codes/"+id+"/regenerate", "reason", "泄露")
		want(t, rec, 303, "/codes/")
		fresh := strings.TrimPrefix(rec.Header().Get("Location"), "/codes/")
		if fresh == id || s.printed(fresh) == old {
			t.Fatal("not a new code")
		}
		var same int
		s.db.Raw(`SELECT count(*) FROM codes a JOIN codes b ON b.id = a.replaced_by WHERE a.public_id = ? AND b.public_id = ? AND a.label = b.label
			AND a.validity = b.validity AND a.daily_cap = b.daily_cap AND a.total_cap = b.total_cap AND a.networks = b.networks AND b.valid_until > a.valid_until`, id, fresh).Scan(&same)
		if same != 1 {
			t.Error("the new code has other terms")
		}
		rec = s.visitor().get(old)
		want(t, rec, 410)
		if !strings.Contains(rec.Body.String(), "11/23") {
			t.Error("the refusal does not say when it was replaced")
		}
		rec = s.as(s.w.Super).post("/codes/"+id+"/regenerate", "reason", "再来")
		want(t, rec, 409)
		if !strings.Contains(rec.Body.String(), "许一诺") || !strings.Contains(rec.Body.String(), "09:00") {
			t.Errorf("the second presser is not told who and when: %.300s", page(t, rec).Find("main").Text())
		}
		want(t, head.post("/codes/"+id+"/revoke", "reason", "x"), 409)
		want(t, head.post("/codes/"+id+"/suspend"), 409)
	})
}

// B13: of many who press at once one makes the new code.
func TestConcurrentRegenerationMakesOneCode(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, id := s.door("approval")
		answers := make(chan int, 12)
		for range cap(answers) {
			b := s.as(s.w.Head)
			go func() { answers <- b.post("/codes/"+id+"/regenerate", "reason", "换").Code }()
		}
		count := map[int]int{}
		for range cap(answers) {
			count[<-answers]++
		}
		if count[303] != 1 || count[409] != 11 {
			t.Errorf("answers %v", count)
		}
		var live int
		s.db.Raw("SELECT count(*) FROM codes WHERE revoked_at IS NULL").Scan(&live)
		if live != 1 {
			t.Errorf("%d live codes", live)
		}
	})
}

func TestSuspendResumeAdopt(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, id := s.door("approval")
		head, door := s.as(s.w.Head), s.printed(id)
		want(t, head.post("/codes/"+id+"/suspend"), 303, "/codes/"+id)
		want(t, s.visitor().get(door), 410)
		want(t, head.post("/codes/"+id+"/suspend"), 409)
		want(t, head.post("/codes/"+id+"/resume", "reason", "找回来了"), 303)
		want(t, s.visitor().get(door), 303, "/join/")
		want(t, head.post("/codes/"+id+"/adopt"), 409)
		s.db.Exec("UPDATE members SET super_admin = ? WHERE id = ?", false, s.w.Super.MemberID)
		want(t, s.visitor().get(door), 410)
		rec := head.get("/codes")
		if row := page(t, rec).Find("tbody tr").First(); !strings.Contains(row.Text(), "接管") {
			t.Errorf("the orphaned code is not first: %q", row.Text())
		}
		want(t, head.post("/codes/"+id+"/adopt"), 303)
		want(t, s.visitor().get(door), 303, "/join/")
	})
}

func TestTheListPagesAndFilters(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, _ := s.w.Group(t, s.db, "很多", "internal", "approval", s.w.Platform, 500)
		past := s.clock.Now().Add(-time.Hour)
		for i := range 60 {
			s.w.Code(t, s.db, group, fmt.Sprintf("码%d", i), nil, s.w.Super.MemberID)
		}
		s.w.Code(t, s.db, group, "过期的", &past, s.w.Super.MemberID)
		other, _ := s.w.Group(t, s.db, "别处", "internal", "approval", s.w.Marketing, 500)
		s.w.Code(t, s.db, other, "市场部的", nil, s.w.Super.MemberID)
		head := s.as(s.w.Head)
		doc := page(t, head.get("/codes"))
		rows := doc.Find("tbody tr")
		if rows.Length() != 50 || !strings.Contains(rows.First().Text(), "过期的") {
			t.Errorf("%d rows, first %q", rows.Length(), rows.First().Text())
		}
		next, _ := doc.Find("a[rel=next]").Attr("href")
		if doc = page(t, head.get(next)); doc.Find("tbody tr").Length() != 11 || doc.Find("a[rel=next]").Length() != 0 {
			t.Errorf("second page: %d rows", doc.Find("tbody tr").Length())
		}
		if n := page(t, head.get("/codes?state=expired")).Find("tbody tr").Length(); n != 1 {
			t.Errorf("%d expired", n)
		}
		if n := page(t, head.get("/codes?state=ended")).Find("tbody tr").Length(); n != 0 {
			t.Errorf("%d ended", n)
		}
		if strings.Contains(head.get("/codes?state=live").Body.String(), "市场部的") {
			t.Error("a foreign code is listed")
		}
	})
}

func TestScansCSV(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, id := s.door("approval")
		r := httptest.NewRequest(http.MethodGet, s.printed(id)+"?utm_source=%2Bplus&utm_medium=x&utm_campaign="+strings.Repeat("a", 300), nil)
		r.Header.Set("User-Agent", "Mozilla/5.0 (Linux; Android 14) Mobile Safari/537.36 wxwork/4.1 MicroMessenger/7")
		rec := s.as(s.w.Staff).do(r)
		want(t, rec, 303, "/join/")
		csvRec := s.as(s.w.Head).get("/codes/" + id + "/scans.csv")
		want(t, csvRec, 200)
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(csvRec.Body.String(), "\uFEFF"))).ReadAll()
		if err != nil || len(rows) != 2 {
			t.Fatalf("%v %q", err, rows)
		}
		wantRow := []string{rec.Header().Get("Doorplate-Scan"), "2026-11-22T09:00:00+08:00", "live", "前台", "", "", "'+plus", "x", strings.Repeat("a", 100), "mobile", "wecom", "顾晓棠"}
		if strings.Join(rows[1], "|") != strings.Join(wantRow, "|") {
			t.Errorf("row %q, want %q", rows[1], wantRow)
		}
		empty := s.issue(gid, "label", "没人扫")
		if body := s.as(s.w.Head).get("/codes/" + empty + "/scans.csv").Body.String(); !strings.HasPrefix(body, "\uFEFFref,at,") || strings.Count(body, "\n") != 1 {
			t.Errorf("without scans: %q", body)
		}
	})
}

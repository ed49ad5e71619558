package web_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
)

// hall is a group's code with some days and scans behind it.
func (s *site) hall(mode string) (gid, code string, id int64) {
	s.t.Helper()
	room, id := s.room("平台技术交流群", "internal", mode, s.w.Platform, 500)
	s.db.Raw("SELECT public_id FROM codes WHERE id = ?", id).Scan(&code)
	now := s.clock.Now()
	for ago := range 60 {
		day := now.AddDate(0, 0, -ago).Format(time.DateOnly)
		s.exec("INSERT INTO scan_days (code_id, day, live, refused, mobile, desktop, wechat, h09, h14) VALUES (?, ?, 60, 6, 50, 10, 40, 20, 40)", id, day)
		s.exec("INSERT INTO scan_funnel (code_id, day, channel, copy_serial, live, identified, requested, joined) VALUES (?, ?, 'poster', 7, 40, 30, 10, 8), (?, ?, '', 0, 20, 10, 9, 9)",
			id, day, id, day)
	}
	for i := range 50 {
		s.exec("INSERT INTO scans (ref, at, code_id, outcome, address, channel, copy_serial, device, app) VALUES (?, ?, ?, 'live', '192.0.2.7', 'poster', 7, 'mobile', 'wechat')",
			fmt.Sprintf("REF%03d", i), now.Add(-time.Duration(i)*time.Hour), id)
	}
	s.exec("INSERT INTO scans (ref, at, code_id, outcome) VALUES ('OLD', ?, ?, 'network')", now.AddDate(0, 0, -40), id)
	return s.gid(room), code, id
}

func rowRefs(doc *goquery.Document) (refs []string) {
	doc.Find(`section[aria-labelledby=scans] tbody tr td:last-child code`).Each(func(_ int, e *goquery.Selection) { refs = append(refs, e.Text()) })
	return refs
}

func TestTheHistoryPage(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, code, _ := s.hall("approval")
		head := s.as(s.w.Head)
		for _, at := range []string{"/codes/" + code + "/scans", "/groups/" + gid + "/scans"} {
			doc := page(t, head.get(at))
			for _, complaint := range unfinished(head.get(at), doc) {
				t.Error(at, complaint)
			}
			if n := doc.Find("svg[role=img][aria-label*='1,800']").Length(); n != 1 {
				t.Errorf("%s: the chart of days does not say its finding", at)
			}
			if n := doc.Find("table.dp-heat tbody td").Length(); n != 7*24 {
				t.Errorf("%s: %d hours in the heat map", at, n)
			}
			text := doc.Find("main").Text()
			for _, word := range []string{"32%", "低于目标", "第 7 份", "poster", "流失最多", "最近 7 天平均每天扫码 60 次", "另有 180 次被拒绝", "最近 30 天"} {
				if !strings.Contains(text, word) {
					t.Errorf("%s does not say %s", at, word)
				}
			}
			if refs := rowRefs(doc); len(refs) != 20 || refs[0] != "REF000" {
				t.Errorf("%s lists %v", at, refs)
			}
			older := doc.Find("a[rel=next]").AttrOr("href", "")
			second := page(t, head.get(strings.TrimSuffix(older, "#scans")))
			if refs := rowRefs(second); len(refs) != 20 || refs[0] != "REF020" {
				t.Errorf("older: %v", refs)
			}
			newer := second.Find(".card-footer a").First().AttrOr("href", "")
			if refs := rowRefs(page(t, head.get(strings.TrimSuffix(newer, "#scans")))); len(refs) != 20 || refs[0] != "REF000" {
				t.Errorf("newer: %v from %s", refs, newer)
			}
			if long := page(t, head.get(at+"?days=90")); long.Find(".dp-chart svg rect").Length() != 90 {
				t.Error("no 90 days")
			}
		}
		if n := page(t, head.get("/codes/"+code)).Find(`a[href="/codes/` + code + `/scans"]`).Length(); n < 2 {
			t.Error("the overview does not lead to the history")
		}
		if n := page(t, head.get("/groups/"+gid+"/codes")).Find(`a[href="/groups/` + gid + `/scans"]`).Length(); n != 1 {
			t.Error("the group's codes do not lead to its history")
		}
	})
}

func TestTheHistoryIsFiltered(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, code, id := s.hall("approval")
		at, head := "/codes/"+code+"/scans", s.as(s.w.Head)
		s.exec("UPDATE scans SET member_id = ? WHERE ref = 'REF003'", s.w.Staff.MemberID)
		for query, want := range map[string]int{
			"?channel=poster": 20, "?copy=7&outcome=live&device=mobile&app=wechat": 20, "?channel=none": 0, "?app=wecom": 0, "?person=DP0005": 1, "?person=顾": 1,
			"?outcome=network": 0, "?outcome=network&from=2026-01-01": 1, "?from=2026-10-13&to=2026-10-13": 1, "?outcome=%00&device=x&app=y": 20, "?from=2026-11-22&to=2026-11-22": 10,
		} {
			rec := head.get(at + query)
			doc := page(t, rec)
			if refs := rowRefs(doc); rec.Code != 200 || len(refs) != want {
				t.Errorf("%s: %d, %v", query, rec.Code, refs)
			}
			if want == 0 && (!strings.Contains(doc.Find("main").Text(), "没有符合的") || doc.Find(`.dp-empty a[href^="`+at+`"]`).Length() != 1) {
				t.Errorf("%s: nothing matches, and the page does not say so", query)
			}
		}
		for query, field := range map[string]string{"?copy=x": "copy", "?copy=-1": "copy", "?copy=99999999999999999999": "copy", "?from=2026-13-01": "from", "?to=%27": "to",
			"?from=2026-11-20&to=2026-11-19": "to", "?from=0000-00-00": "from"} {
			rec := head.get(at + query)
			want(t, rec, http.StatusUnprocessableEntity)
			if page(t, rec).Find(`[name=`+field+`][aria-invalid=true]`).Length() != 1 {
				t.Errorf("%s: the field is not named", query)
			}
			want(t, head.get("/codes/"+code+"/scans.csv"+query), http.StatusUnprocessableEntity)
		}
		for i := range 201 {
			s.exec("INSERT INTO members (name, phone, created_at, updated_at) VALUES (?, ?, ?, ?)", fmt.Sprintf("同名%d", i), fmt.Sprintf("+86139%08d", i), s.clock.Now(), s.clock.Now())
		}
		want(t, head.get(at+"?person=同名"), http.StatusUnprocessableEntity)
		s.exec("DELETE FROM scans WHERE code_id = ?", id)
		s.exec("DELETE FROM scan_days")
		s.exec("DELETE FROM scan_funnel")
		if text := page(t, head.get(at)).Find("main").Text(); !strings.Contains(text, "近 30 天没有人扫进来") || !strings.Contains(text, "最近 30 天没有记录") {
			t.Error("without a scan the page says nothing of it")
		}
	})
}

// Staff with a duty on the group read its history, not where people are.
func TestADutyReadsNoAddresses(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, code, id := s.hall("open")
		s.exec("INSERT INTO group_duties (group_id, member_id, duty) SELECT id, ?, 'content' FROM groups WHERE gid = ?", s.w.Staff.MemberID, gid)
		s.exec("UPDATE scans SET member_id = ? WHERE code_id = ?", s.w.Head.MemberID, id)
		desk := s.as(s.w.Staff)
		for _, at := range []string{"/codes/" + code + "/scans", "/groups/" + gid + "/scans", "/codes/" + code + "/scans.csv", "/groups/" + gid + "/scans.csv"} {
			rec := desk.get(at)
			want(t, rec, 200)
			if body := rec.Body.String(); strings.Contains(body, "192.0.2.7") || strings.Contains(body, s.w.HeadPhone[3:]) || !strings.Contains(body, "许一诺") {
				t.Errorf("%s tells too much or too little", at)
			}
			want(t, s.as(s.w.OtherStaff).get(at), 404)
		}
		if text := page(t, desk.get("/codes/"+code+"/scans")).Find("section[aria-labelledby=h-funnel]").Text(); !strings.Contains(text, "没有“提交申请”这一步") {
			t.Errorf("an open group has no requests: %s", text)
		}
	})
}

func TestTwoSourcesAreCompared(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, code, id := s.hall("approval")
		s.exec("INSERT INTO scan_funnel (code_id, day, channel, copy_serial, live, identified, requested, joined) VALUES (?, '2026-11-22', 'few', 0, 3, 3, 3, 3)", id)
		head := s.as(s.w.Head)
		for query, word := range map[string]string{"?a=cposter&b=c": "B 比 A 好 15–25 个百分点", "?a=c&b=cposter": "A 比 B 好", "?a=cfew&b=cposter": "还比不出来", "?a=x&b=": "请选两个不同的",
			"?a=cposter&b=k7": "还看不出差别"} {
			rec := head.get("/codes/" + code + "/scans" + query)
			want(t, rec, 200)
			if text := page(t, rec).Find("section[aria-labelledby=compare]").Text(); !strings.Contains(text, word) {
				t.Errorf("%s: %s", query, strings.Join(strings.Fields(text), " "))
			}
		}
	})
}

func TestScansAreExportedAsFiltered(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, code, id := s.hall("approval")
		_, other := s.w.Code(t, s.db, s.count("SELECT group_id FROM codes WHERE id = ?", id), "=cmd", nil, s.w.Super.MemberID)
		s.exec("INSERT INTO scans (ref, at, code_id, outcome, channel, device, app) SELECT 'NEW', ?, id, 'live', '@x', 'desktop', 'browser' FROM codes WHERE public_id = ?", s.clock.Now(), other)
		head := s.as(s.w.Head)
		for path, lines := range map[string]int{
			"/codes/" + code + "/scans.csv": 51, "/codes/" + code + "/scans.csv?outcome=network": 1, "/codes/" + code + "/scans.csv?copy=7&device=mobile&app=wechat&outcome=live": 50,
			"/codes/" + code + "/scans.csv?app=other": 1, "/codes/" + code + "/scans.csv?person=nobody": 0, "/codes/" + code + "/scans.csv?from=2026-11-22": 10,
			"/groups/" + gid + "/scans.csv": 52, "/groups/" + gid + "/scans.csv?device=desktop": 1,
		} {
			rec := head.get(path)
			want(t, rec, 200)
			rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(rec.Body.String(), "\uFEFF"))).ReadAll()
			if err != nil || len(rows) != lines+1 || strings.Join(rows[0], ",") != "ref,at,outcome,code,copy,channel,utm_source,utm_medium,utm_campaign,device,app,member" {
				t.Fatalf("%s: %v, %d rows, %v", path, err, len(rows), rows[0])
			}
			if strings.HasPrefix(path, "/codes") && lines == 51 && (rows[1][0] != "REF000" || rows[1][4] != "7" || rows[1][5] != "poster" || rows[51][0] != "OLD") {
				t.Errorf("rows %v … %v", rows[1], rows[51])
			}
			if lines == 52 && (rows[1][3] != "'=cmd" || rows[1][5] != "'@x") {
				t.Errorf("a formula: %v", rows[1])
			}
		}
		for _, slip := range []string{"outcome=exhaused", "device=phone", "app=%3Cb%3E"} { // not everything, as if nothing were asked
			want(t, head.get("/codes/"+code+"/scans.csv?"+slip), http.StatusUnprocessableEntity)
		}
		if n := s.count("SELECT count(*) FROM audit_entries WHERE action = 'scans.export' AND object_kind = 'group'"); n != 2 {
			t.Errorf("%d entries about the group's exports", n)
		}
	})
}

func TestThePoliciesShowWhatWasDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.hall("approval")
		super := s.as(s.w.Super)
		if text := page(t, super.get("/settings/policies")).Find("section[aria-labelledby=h-purges]").Text(); !strings.Contains(text, "还没有删除过") {
			t.Error(text)
		}
		rec := super.post("/settings/policies", "scan_days", "30")
		want(t, rec, 303, "/approvals/")
		want(t, s.as(s.w.Super2).post("/approvals/decide", "decision", "approve", "id", strings.TrimPrefix(rec.Header().Get("Location"), "/approvals/")), 303)
		if n, err := s.deps.Scans.PurgeOverdue(context.Background()); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		text := page(t, super.get("/settings/policies")).Find("section[aria-labelledby=h-purges]").Text()
		for _, word := range []string{"删除 1 条", "OLD", "保留 30 天"} {
			if !strings.Contains(text, word) {
				t.Errorf("no %s in %s", word, text)
			}
		}
		if text := page(t, super.get("/audit?area=scans")).Find("main").Text(); !strings.Contains(text, "按保留天数删除了扫码记录") {
			t.Error("the trail does not tell of it")
		}
	})
}

// A request tells where the person came from, also when the scan is gone.
func TestARequestKeepsItsSource(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		room, _ := s.room("群", "internal", "approval", s.w.Platform, 50)
		id := s.asks(room, s.w.Staff, "x")
		s.exec("UPDATE join_requests SET channel = 'poster', copy_serial = 7")
		if text := page(t, s.as(s.w.Head).get("/requests/"+id)).Find("main").Text(); !strings.Contains(text, "poster") || !strings.Contains(text, "#7") {
			t.Error(text)
		}
	})
}

package web_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// The printed code of a merged group leads to its successor, and both pages say so. req: A20, C53
func TestMergingGroupsByTheForms(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		a, _ := s.room("旧群", "internal", "approval", s.w.Platform, 50)
		b, _ := s.room("新群", "internal", "approval", s.w.RD, 50)
		gidA, gidB := s.gid(a), s.gid(b)
		s.exec("INSERT INTO memberships (group_id, member_id, source, joined_at) VALUES (?, ?, 'code', ?)", a, s.w.Staff.MemberID, s.clock.Now())
		s.exec("UPDATE groups SET member_count = 1 WHERE id = ?", a)
		head := s.as(s.w.Head)
		if doc := page(t, head.get("/groups/"+gidA+"/lifecycle")); doc.Find(`a[href="/groups/`+gidA+`/merge"]`).Length() == 0 {
			t.Error("no way to the merge")
		}
		choice := page(t, head.get("/groups/"+gidA+"/merge"))
		if choice.Find(`a[href="/groups/`+gidA+`/merge?into=`+gidB+`"]`).Length() != 1 {
			t.Error("the other group is not offered")
		}
		doc := page(t, head.get("/groups/"+gidA+"/merge?into="+gidB))
		for _, words := range []string{"1 人进入“新群”", "1 张有效的码", "不能撤销"} {
			if !strings.Contains(doc.Find(".dp-eff").Text(), words) {
				t.Errorf("the preview does not say %q", words)
			}
		}
		want(t, head.post("/groups/"+gidA+"/merge", "into", gidB, "reason", "人少", "confirm_name", "新群"), 422)
		want(t, head.post("/groups/"+gidA+"/merge", "into", gidB, "reason", "人少", "confirm_name", "旧群"), 303, "/groups/"+gidB)
		want(t, head.post("/groups/"+gidA+"/merge", "into", gidB, "reason", "人少"), 409)
		for name, b := range map[string]*browser{"head": head, "staff": s.as(s.w.Staff), "super": s.as(s.w.Super)} {
			rec := b.get("/groups/" + gidA)
			want(t, rec, 200)
			doc := page(t, rec)
			if doc.Find(`.dp-note a[href="/groups/`+gidB+`"]`).Length() != 1 || !strings.Contains(doc.Find("main").Text(), "顾晓棠") {
				t.Errorf("%s reads %.300s", name, doc.Find("main").Text())
			}
		}
	})
}

// Groups of a disbanded group's past stay readable: the trail, codes, scans,
// requests and people, to super admins and heads; a departed right stays departed. req: D16
func TestTheHistoryOfADisbandedGroupStaysReadable(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		o := s.things(s.w.Platform, s.w.Head, 0)
		s.exec("UPDATE groups SET owner_id = ? WHERE gid = ?", s.w.Staff.MemberID, o.gid)
		want(t, s.as(s.w.Super).post("/groups/"+o.gid+"/disband", "reason", "结束"), 303)
		pages := map[string]string{ // → what it must show
			"/groups/" + o.gid: "同事", "/groups/" + o.gid + "/codes": "门", "/codes/" + o.code: "群",
			"/groups/" + o.gid + "/scans": "ref", "/codes/" + o.code + "/scans": "ref", "/groups/" + o.gid + "/scans.csv": "ref",
			"/requests/" + fmt.Sprint(o.request): "同事", "/codes/" + o.code + "/copies": "Hall",
			"/audit?kind=group&object=" + o.gid: "解散了群", "/groups?view=disbanded": "群", "/groups/" + o.gid + "/lifecycle": "阶段",
		}
		for path, words := range pages {
			for who, b := range map[string]*browser{"super": s.as(s.w.Super), "head": s.as(s.w.Head)} {
				rec := b.get(path)
				if rec.Code != 200 || !strings.Contains(rec.Body.String(), words) {
					t.Errorf("%s by %s: %d, says %q: %v", path, who, rec.Code, words, strings.Contains(rec.Body.String(), words))
				}
			}
		}
		if n := page(t, s.as(s.w.Super).get("/requests?group="+o.gid+"&view=decided")).Find("h1").Length(); n != 1 {
			t.Error("no page of requests")
		}
		staff := s.as(s.w.Staff) // the owner: duties end with the group, the department stays
		want(t, staff.get("/groups/"+o.gid), 200)
		for _, path := range []string{"/groups/" + o.gid + "/codes", "/codes/" + o.code, "/groups/" + o.gid + "/scans", "/requests/" + fmt.Sprint(o.request)} {
			want(t, staff.get(path), 403)
		}
		other := s.as(s.w.OtherHead)
		for path := range pages {
			if strings.HasPrefix(path, "/audit") || strings.HasPrefix(path, "/groups?") {
				continue
			}
			want(t, other.get(path), 404)
		}
	})
}

// A head manages what was moved in, but disbands only what was created below them. req: D17
func TestAHeadDoesNotDisbandWhatWasMovedIn(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		id, _ := s.room("移来的群", "internal", "approval", s.w.Marketing, 50)
		gid := s.gid(id)
		super, head := s.as(s.w.Super), s.as(s.w.Head)
		rec := super.post("/groups/bulk", "id", gid, "action", "move", "department_id", fmt.Sprint(s.w.Platform))
		want(t, rec, 303, "/groups/batches/")
		want(t, head.get("/groups/"+gid+"/settings"), 200)
		rec = head.post("/groups/"+gid+"/disband", "reason", "x")
		want(t, rec, 403)
		if !strings.Contains(rec.Body.String(), "在别的部门建立的群") {
			t.Errorf("the cause is not named: %.400s", page(t, rec).Find("main").Text())
		}
		want(t, head.get("/groups/"+gid+"/merge"), 403)
		if text := page(t, head.get("/groups/"+gid+"/lifecycle")).Find("main").Text(); !strings.Contains(text, "为什么不能合并或解散") {
			t.Error("the page does not say why")
		}
		want(t, super.post("/groups/bulk", "id", gid, "action", "move", "department_id", fmt.Sprint(s.w.Marketing)), 303)
		want(t, s.as(s.w.OtherHead).post("/groups/"+gid+"/disband", "reason", "x"), 303)
	})
}

// Where a selection goes may be typed: the one match is taken, several are offered.
func TestWhereASelectionGoesMayBeTyped(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		id, _ := s.room("要搬的群", "internal", "approval", s.w.Marketing, 50)
		super := s.as(s.w.Super)
		want(t, super.post("/groups/select", "action", "keep", "shown", s.gid(id), "id", s.gid(id)), 303)
		moves := func(typed string) string {
			rec := super.get("/groups/bulk?department=&department_text=" + url.QueryEscape(typed))
			want(t, rec, 200)
			to, _ := page(t, rec).Find("form.dp-confirm input[name=department_id]").Attr("value")
			return to
		}
		if to := moves("平台组"); to != fmt.Sprint(s.w.Platform) {
			t.Errorf("the only match leads to %q", to)
		}
		for _, typed := range []string{"没有这个部门", "<b>", "\x00"} {
			if to := moves(typed); to != "" {
				t.Errorf("%q leads to %q", typed, to)
			}
		}
	})
}

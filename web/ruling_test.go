package web_test

import (
	"fmt"
	"strings"
	"testing"
)

// A head writes a rule, tries it out, saves it; who types a listed word in a
// reason is warned once, and a script is not.
func TestRulesInTheBrowser(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		room, _ := s.room("读书会", "external", "approval", s.w.RD, 20)
		gid := s.gid(room)
		at := "/groups/" + gid + "/automatic"
		head := s.as(s.w.Head)
		first, second := s.asks(room, s.w.Staff, "代开 发 票"), s.asks(room, s.w.OtherStaff, "想进群")
		want(t, head.post(at+"/words", "words", "发票\nspam"), 303, at)
		rule := []string{"name", "卖票的", "verdict", "refuse", "reason", "这里不卖票", "words", "hit", "enabled", "on"}
		rec := head.post(at, append(rule, "action", "try")...)
		want(t, rec, 200)
		if text := page(t, rec).Find("#try").Text(); !strings.Contains(text, "拒绝 1") || s.count("SELECT count(*) FROM decision_rules") != 0 {
			t.Errorf("the box says %q", text)
		}
		want(t, head.post(at, "name", "", "verdict", "refuse"), 422)
		want(t, head.post(at, rule...), 303, at)
		id := fmt.Sprint(s.count("SELECT id FROM decision_rules"))
		want(t, head.get(at+"/"+id), 200)
		want(t, head.post(at+"/"+id, append(rule, "version", "7")...), 409)
		if marks := page(t, head.get("/requests")).Find("mark").Text(); marks != "发 票" {
			t.Errorf("marked in the queue: %q", marks)
		}
		reject := []string{"id", first, "decision", "reject", "reason", "SPAM，谢绝", "open", "1", "heed"}
		rec = head.post("/requests/decide", append(reject, "ask")...)
		want(t, rec, 422)
		heed, _ := page(t, rec).Find("input[name=heed]").First().Attr("value")
		want(t, head.post("/requests/decide", append(reject, heed)...), 303)
		want(t, head.post("/requests/decide", "id", second, "decision", "reject", "reason", "spam"), 303) // as the contract has it
		want(t, s.as(s.w.OtherHead).get(at), 404)
		want(t, head.get("/rules"), 403)
		want(t, s.as(s.w.Super).post("/rules/lists", "list_name", "名单", "people", "13800000005 DP0006"), 303, "/rules")
	})
}

package web_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/testkit"
)

// entry writes one entry about a department into the trail.
func (s *site) entry(department int64) (id int64) {
	s.t.Helper()
	var path string
	if err := s.db.Raw("SELECT path FROM departments WHERE id = ?", department).Scan(&path).Error; err != nil {
		s.t.Fatal(err)
	}
	err := s.db.Transaction(func(tx *gorm.DB) error {
		return s.deps.Trail.Record(tx, access.Background("test"), audit.Event{Action: "department.rename", Object: audit.Object{Kind: "department", ID: "x"}, DepartmentPath: path})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.seal()
	return s.count64("SELECT max(id) FROM audit_entries")
}

// seal does what the sealer of a running server does by itself.
func (s *site) seal() {
	s.t.Helper()
	if err := s.deps.Trail.SealAll(context.Background(), s.db, s.deps.Log); err != nil {
		s.t.Fatal(err)
	}
}

// verifyAsked does what the verifier of a running server does by itself.
func (s *site) verifyAsked() {
	s.t.Helper()
	if worked, err := s.deps.Trail.VerifyAsked(context.Background(), s.db, s.deps.Log); err != nil || !worked {
		s.t.Fatal(worked, err)
	}
}

func (s *site) count64(sql string, args ...any) (n int64) {
	s.t.Helper()
	if err := s.db.Raw(sql, args...).Scan(&n).Error; err != nil {
		s.t.Fatal(err)
	}
	return n
}

// req: A06
func TestARefusedRightIsInTheTrail(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		own := s.things(s.w.Platform, s.w.Head, 0)
		staff := s.as(s.w.Staff)
		for range 3 {
			want(t, staff.get("/settings/policies"), 403)
			want(t, staff.post("/groups/"+own.gid+"/disband", "reason", "x"), 403)
		}
		want(t, staff.post("/groups/nothing/disband", "reason", "x"), 404)
		var refused []audit.Entry
		if err := s.db.Raw("SELECT * FROM audit_entries WHERE outcome = 'refused' ORDER BY id").Scan(&refused).Error; err != nil {
			t.Fatal(err)
		}
		if len(refused) != 2 || refused[0].ObjectKind != "page" || refused[1].ObjectKind != "group" || refused[1].ObjectID != own.gid ||
			refused[1].ActorID != s.w.Staff.MemberID || refused[1].Address == "" || refused[1].DepartmentPath != s.w.PlatformPath {
			t.Fatalf("%d refusals: %+v", len(refused), refused)
		}
		text := page(t, s.as(s.w.Super).get("/audit?outcome=refused")).Find("tbody").Text()
		if !strings.Contains(text, "没有权限“解散群”，被拒绝") {
			t.Errorf("the page says %q", text)
		}
		if text := page(t, s.as(s.w.OtherHead).get("/audit")).Find("tbody").Text(); strings.Contains(text, "被拒绝") {
			t.Error("another department's head reads it")
		}
	})
}

// req: E12
func TestFailedSignInsAreInTheTrail(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		v := s.visitor()
		for _, phone := range []string{s.w.StaffPhone, "13900001234"} {
			v.post("/login", "phone", phone, "password", "wrong password", "form_key", s.deps.Auth.NewFormKey())
			v.post("/login", "phone", phone, "form_key", s.deps.Auth.NewFormKey())
			want(t, v.post("/login/verify", "code", "000000", "form_key", s.deps.Auth.NewFormKey()), 422)
		}
		if n := s.count64("SELECT count(*) FROM audit_entries WHERE action = 'auth.refused' AND outcome = 'refused'"); n != 4 {
			t.Errorf("%d failed sign-ins written, want 4: each number once for each cause", n)
		}
		if n := s.count64("SELECT count(*) FROM audit_entries WHERE action = 'auth.refused' AND object_id = ? AND department_path = ?", fmt.Sprint(s.w.Staff.MemberID), s.w.PlatformPath); n != 2 {
			t.Errorf("%d of them name whose number it is, want 2", n)
		}
	})
}

// No code, token, password or whole phone ever comes into the trail.
func TestTheTrailKeepsNoSecrets(t *testing.T) {
	bothAtOnce(t, func(t *testing.T, s *site) {
		p, super := s.props(), s.as(s.w.Super)
		const password, typed = "correct horse battery", "493817"
		secrets := []string{password, typed, "13900000001", "13900000009", "13800000005", "9999999999999"}
		for _, f := range p.fields() {
			fields := slices.Clone(f[1:])
			for i := 0; i+1 < len(fields); i += 2 {
				switch fields[i] {
				case "password":
					fields[i+1] = password
				case "code", "phone_last4", "invite_code", "typed":
					fields[i+1] = typed
				case "phone":
					fields[i+1] = "13800000005"
				}
			}
			if _, known := super.cookies["doorplate_session"]; !known {
				super = s.as(s.w.Super)
			}
			for _, b := range []*browser{s.visitor(), super} {
				b.post(p.path(f[0]), append(slices.Clone(fields), "form_key", s.deps.Auth.NewFormKey())...)
				secrets = append(secrets, b.cookies["doorplate_session"], b.cookies["doorplate_challenge"], b.cookies["doorplate_join"])
			}
		}
		var tokens []string
		if err := s.db.Raw("SELECT public_id FROM codes").Scan(&tokens).Error; err != nil {
			t.Fatal(err)
		}
		for _, id := range tokens {
			secrets = append(secrets, code.Token(testkit.Keys(), id, 0))
		}
		var entries []audit.Entry
		if err := s.db.Raw("SELECT * FROM audit_entries").Scan(&entries).Error; err != nil {
			t.Fatal(err)
		}
		if len(entries) < 40 {
			t.Fatalf("only %d entries were written", len(entries))
		}
		for _, e := range entries {
			text := fmt.Sprint(e)
			for _, s := range secrets {
				if s != "" && strings.Contains(text, s) {
					t.Errorf("%s holds %q: %s", e.Action, s, text)
				}
			}
		}
	})
}

func TestTheAuditPageFilters(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		o := s.things(s.w.Platform, s.w.Head, 0)
		want(t, s.as(s.w.Head).post("/groups/"+o.gid+"/disband", "reason", "搬家"), 303)
		want(t, s.as(s.w.Super).post("/settings/organisation", "name", "晨星", "timezone", "UTC", "language", "zh-CN"), 303)
		s.seal()
		super := s.as(s.w.Super)
		for query, says := range map[string]string{
			"?who=许一":                                  "许一诺 解散了群“群”",
			"?who=许一&action=group.disband":             "许一诺 解散了群“群”",
			"?kind=group&object=" + o.gid:              "许一诺 解散了群“群”",
			"?thing=" + o.gid:                          "许一诺 解散了群“群”",
			"?kind=group&thing=群":                      "许一诺 解散了群“群”",
			"?area=group":                              "许一诺 解散了群“群”",
			"?actor=" + fmt.Sprint(s.w.Super.MemberID): "周岚 改了晨星：名称从 晨星科技 改为 晨星；时区从 Asia/Shanghai 改为 UTC",
			"?who=系统":                                  "系统 改了部门名称“x”",
		} {
			rows := page(t, super.get("/audit"+query)).Find("tbody tr")
			text := strings.Join(strings.Fields(strings.NewReplacer("“ ", "“", " ”", "”").Replace(rows.First().Text())), " ")
			if !strings.Contains(strings.ReplaceAll(text, " ", ""), strings.ReplaceAll(says, " ", "")) {
				t.Errorf("%s: %q, want %q", query, text, says)
			}
		}
		for _, query := range []string{"?who=nobody", "?thing=nothing", "?who=许一&action=code.issue", "?to=2020-01-01", "?outcome=failed"} {
			if n := page(t, super.get("/audit"+query)).Find("tbody tr").Length(); n != 0 {
				t.Errorf("%s: %d rows", query, n)
			}
		}
	})
}

func TestCheckpointAndVerifyNow(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		o := s.things(s.w.Platform, s.w.Head, 0)
		super := s.as(s.w.Super)
		rec := super.get("/audit/checkpoint.txt")
		want(t, rec, 200)
		key := super.get("/audit/key.txt").Body.String()
		c, err := audit.ParseCheckpoint(rec.Body.String(), key)
		if err != nil || c.Seq == 0 {
			t.Fatal(c, err)
		}
		want(t, super.post("/audit/verify"), 303, "/audit")
		want(t, super.post("/audit/verify"), 303, "/audit") // a double click
		doc := page(t, super.get("/audit"))
		if doc.Find("#chain progress").Length() != 1 || doc.Find("form[action='/audit/verify']").Length() != 0 || doc.Find("#chain[hx-get='/audit']").Length() != 1 {
			t.Error("a verification under way is not shown: ", doc.Find("#chain").Text())
		}
		if page(t, s.as(s.w.Head).get("/audit")).Find("#chain progress").Length() != 0 {
			t.Error("a head sees what only super admins ask for")
		}
		s.verifyAsked()
		doc = page(t, super.get("/audit"))
		if text := doc.Find("#chain").Text(); !strings.Contains(text, "链条完整") || !strings.Contains(text, "周岚 要求的核对已于") || !strings.Contains(text, "都是原来写下的样子") {
			t.Error(text)
		}
		if doc.Find("#chain progress").Length() != 0 || doc.Find("#chain[hx-get]").Length() != 0 || doc.Find("form[action='/audit/verify']").Length() != 1 {
			t.Error("a verification that is done still looks like one under way")
		}
		if n := s.count64("SELECT count(*) FROM audit_entries WHERE action IN ('audit.verify.ask', 'audit.verify', 'audit.checkpoint')"); n != 3 {
			t.Errorf("%d entries about it, want 3", n)
		}
		want(t, super.get(fmt.Sprintf("/audit/%d", o.entry)), 200)
		testkit.Unguard(t, s.db)
		s.exec("UPDATE audit_entries SET object_name = 'y' WHERE id = ?", o.entry)
		want(t, super.post("/audit/verify"), 303, "/audit")
		s.verifyAsked()
		for _, b := range []*browser{super, s.as(s.w.Head)} {
			if text := page(t, b.get("/audit")).Find("[role=alert]").Text(); !strings.Contains(text, "审计链在第") || !strings.Contains(text, "被改过") {
				t.Errorf("a broken chain is said as %q", text)
			}
		}
		if text := page(t, super.get(fmt.Sprintf("/audit/%d", o.entry))).Find("[role=alert]").Text(); !strings.Contains(text, "不是原来写下的样子") {
			t.Error(text)
		}
		want(t, super.get("/audit/checkpoint.txt"), 409)
	})
}

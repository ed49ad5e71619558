package views

import (
	"context"
	"testing"

	"doorplate/internal/audit"
	"doorplate/internal/auth"
	"doorplate/internal/i18n"
	"doorplate/internal/join"
)

func TestHappenedNamesNobodyTwice(t *testing.T) {
	ctx := i18n.With(context.Background(), i18n.Chinese)
	signin := audit.Entry{ActorKind: "member", ActorID: 7, ActorName: "周岚", Action: "auth.signin", ObjectKind: "member", ObjectID: "7", ObjectName: "周岚"}
	depart := audit.Entry{ActorKind: "member", ActorID: 7, ActorName: "周岚", Action: "member.depart", ObjectKind: "member", ObjectID: "8", ObjectName: "陆望"}
	for want, e := range map[string]audit.Entry{"周岚 登录了": signin, "周岚 标记了成员离职 陆望": depart} {
		if got := happened(ctx, audit.Line{Entry: e}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestChartTopIsRound(t *testing.T) {
	for highest, want := range map[int]int{0: 4, 4: 4, 5: 8, 9: 20, 40: 40, 41: 80, 100: 100, 119: 200, 320: 400, 10_000: 10_000} {
		if got := chartTop(highest); got != want {
			t.Errorf("highest %d: axis to %d, want %d", highest, got, want)
		}
	}
}

func TestAuditDetailsSpeakTheReadersLanguage(t *testing.T) {
	raw := `{"type":"internal","dry_run":true,"member":"陆望","member_id":8,"capacity_was":200}`
	for lang, want := range map[string]string{
		i18n.Chinese: "原来的人数上限：200，只检查：是，成员：陆望，类型：内部群",
		i18n.English: "Capacity before: 200, Check only: yes, Member: 陆望, Type: internal",
	} {
		if got := auditDetails(i18n.With(context.Background(), lang), raw); got != want {
			t.Errorf("%s: got %q, want %q", lang, got, want)
		}
	}
}

func TestMiddleDotHasNoSpacesInChinese(t *testing.T) {
	b := auth.Browser{App: "Firefox", System: "Linux"}
	for lang, want := range map[string]string{i18n.Chinese: "Firefox·Linux", i18n.English: "Firefox · Linux"} {
		if got := browserWords(i18n.With(context.Background(), lang), b); got != want {
			t.Errorf("%s: got %q, want %q", lang, got, want)
		}
	}
}

func TestApplicantKeepsTheWholePhone(t *testing.T) {
	member := int64(1)
	r := join.Row{Department: "研发中心 / 测试组", JobNumber: "DP0180", Listed: join.Listed{Request: join.Request{MemberID: &member, Phone: "+8613900100180"}}}
	for lang, want := range map[string]string{i18n.Chinese: "研发中心 / 测试组·DP0180·139****0180", i18n.English: "研发中心 / 测试组 · DP0180 · 139****0180"} {
		if got := who(i18n.With(context.Background(), lang), r); got != want {
			t.Errorf("%s: got %q, want %q", lang, got, want)
		}
	}
}

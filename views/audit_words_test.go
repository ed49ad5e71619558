package views

import (
	"context"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"doorplate/internal/audit"
	"doorplate/internal/i18n"
)

var (
	detailsOf  = regexp.MustCompile(`(?s)(?:Details: |details :?= |Event\([^{\n]*|event\([^{\n]*|numbers\(.*return |return )map\[string\]any\{([^}]*)\}`)
	detailKey  = regexp.MustCompile(`"([a-z][a-z_]+)":`)
	detailPut  = regexp.MustCompile(`[dD]etails\["([a-z_]+)"\]`)
	objectKind = regexp.MustCompile(`Object\{(?:Kind: )?"([a-z]+)"`)
	reason     = regexp.MustCompile(`access\.Background\("([a-z-]+)"\)`)
)

// Whatever the code writes into the trail can be read in both languages: no
// name of a column, of a kind or of a right stands there as it is stored.
func TestNothingInTheTrailIsARawName(t *testing.T) {
	known := func(what, file string, keys ...string) {
		for _, lang := range i18n.Languages {
			found := false
			for _, k := range keys {
				found = found || i18n.Has(lang, k)
			}
			if !found {
				t.Errorf("%s: %s has no word in %s: %s", file, what, lang, keys[0])
			}
		}
	}
	root := os.DirFS("../internal")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "bench/") || strings.HasPrefix(name, "testkit/") || name == "directory/report.go" {
			return err
		}
		raw, err := fs.ReadFile(root, name)
		text := string(raw)
		var details []string
		if strings.Contains(text, "trail.") || strings.Contains(text, "audit.Event") || strings.Contains(text, "HandOut") {
			for _, m := range detailsOf.FindAllStringSubmatch(text, -1) {
				for _, k := range detailKey.FindAllStringSubmatch(m[1], -1) {
					details = append(details, k[1])
				}
			}
		}
		for _, m := range detailPut.FindAllStringSubmatch(text, -1) {
			details = append(details, m[1])
		}
		for _, k := range details {
			if k = strings.TrimSuffix(k, "_was"); !strings.HasSuffix(k, "_id") {
				known("the detail "+k, name, "audit.detail."+k, "settings.policy."+k)
			}
		}
		for _, m := range objectKind.FindAllStringSubmatch(text, -1) {
			known("the kind "+m[1], name, "chain.kind."+m[1])
		}
		for _, m := range reason.FindAllStringSubmatch(text, -1) {
			known("the reason "+m[1], name, "chain.why."+m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSentencesTellWhatMatters(t *testing.T) {
	line := func(action, kind, name, details string) audit.Line {
		return audit.Line{Entry: audit.Entry{ActorKind: "member", ActorID: 7, ActorName: "周岚", Action: action, ObjectKind: kind, ObjectID: "1", ObjectName: name, Details: details}}
	}
	system := line("request.expire", "request", "陆望 → 群", `{"group":"G1"}`)
	system.ActorKind, system.ActorID, system.ActorName = "system", 0, "requests"
	for _, c := range []struct {
		l        audit.Line
		zh, en   string
		zhR, enR string
	}{
		{line("department.head.add", "department", "研发中心", `{"member":"许一诺","member_id":3}`), "周岚 任命 许一诺 为部门 “研发中心”的负责人", "周岚 made 许一诺 head of department “研发中心”", "", ""},
		{line("department.move", "department", "平台组", `{"from":"研发中心","to":"市场部"}`), "移到“市场部”下", "from “研发中心” to “市场部”", "", ""},
		{line("role.create", "role", "门管", `{"rights":"group.disband audit.read"}`), "", "", "权限：解散群、查看审计", "Rights: disband a group, read the audit trail"},
		{line("policies.save", "organisation", "", `{"scan_days":"90","scan_days_was":"365"}`), "单条扫码记录保留几天从 365 改为 90", "from 365 to 90", "", ""},
		{line("group.settings", "group", "群", `{"changed":["capacity","purpose","welcome","version"],"capacity":9,"capacity_was":5}`), "人数上限从 5 改为 9", "from 5 to 9", "修改：用途、欢迎语", "changed: Purpose, Welcome"},
		{line("group.disband", "group", "群", `{"on_behalf_of":"许一诺"}`), "周岚（代许一诺）", "周岚 (on behalf of 许一诺)", "", ""},
		{system, "系统（申请超时）", "System (overdue requests)", "群聊：G1", "Group: G1"},
		{line("approval.ask", "approval", "x", `{"kind":"retention.shorten"}`), "", "", "事项：缩短扫码记录保留期", "Keep scans for a shorter time"},
		{line("group.stage", "group", "群", `{"stage":"mature","stage_was":"new"}`), "从 新建 改为 稳定期", "", "", ""},
	} {
		for lang, want := range map[string][2]string{i18n.Chinese: {c.zh, c.zhR}, i18n.English: {c.en, c.enR}} {
			ctx := i18n.With(context.Background(), lang)
			said, rest := sentence(ctx, c.l, someone(ctx, c.l), objectName(c.l)), auditRest(ctx, c.l)
			bare := func(s string) string { return strings.ReplaceAll(s, " ", "") }
			if !strings.Contains(bare(said), bare(want[0])) || !strings.Contains(bare(rest), bare(want[1])) {
				t.Errorf("%s %s: %q, %q; want %q, %q", lang, c.l.Action, said, rest, want[0], want[1])
			}
		}
	}
}

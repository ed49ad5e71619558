package group

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"doorplate/internal/fault"
)

// Bounds of a charter's texts, in characters. They keep the join page small.
const (
	MaxTier    = 20
	MaxWelcome = 500
	MaxRules   = 1000
)

// Charter is what a group is for its members beyond who gets in.
type Charter struct {
	Announcement  bool   // only admins post: said at the door, enforced by the chat itself
	Tier          string // of partners, e.g. core; free text (req: D43)
	Welcome       string // shown to who is in (req: D25)
	RealName      bool   // guests give a name that can be a real one (req: B31)
	AskCompany    bool   // guests say whom they come from
	MembersInvite bool   // members may propose colleagues
	Archive       bool   // the chat is archived elsewhere, and people are told
	RulesVersion  int    // of the rules in force; 0 = none
	RulesDue      int    // the oldest version that still counts as accepted
}

// CharterDraft is the charter as a form says it.
type CharterDraft struct {
	Tier, Welcome                                              string
	Announcement, RealName, AskCompany, MembersInvite, Archive bool
}

func (c Charter) draft() CharterDraft {
	return CharterDraft{Tier: c.Tier, Welcome: c.Welcome, Announcement: c.Announcement, RealName: c.RealName, AskCompany: c.AskCompany,
		MembersInvite: c.MembersInvite, Archive: c.Archive}
}

func (d CharterDraft) check(bad fault.Invalid) Charter {
	c := Charter{Tier: OneLine(d.Tier), Welcome: Lines(d.Welcome), Announcement: d.Announcement, RealName: d.RealName, AskCompany: d.AskCompany,
		MembersInvite: d.MembersInvite, Archive: d.Archive}
	atMost(bad, "tier", c.Tier, MaxTier)
	atMost(bad, "welcome", c.Welcome, MaxWelcome)
	return c
}

func atMost(bad fault.Invalid, field, value string, most int) {
	if n := utf8.RuneCountInString(value); n > most {
		bad[field] = fault.Msg("charter.error.long", "Max", most, "Have", n)
	}
}

// Lines trims a text of several lines and drops other control characters.
func Lines(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return -1
		}
		return r
	}, s))
}

// changes are the columns in which a charter that was written differs.
func (c Charter) changes(to Charter, put func(column string, differs bool, value any)) {
	put("announcement", c.Announcement != to.Announcement, to.Announcement)
	put("tier", c.Tier != to.Tier, to.Tier)
	put("welcome", c.Welcome != to.Welcome, to.Welcome)
	put("real_name", c.RealName != to.RealName, to.RealName)
	put("ask_company", c.AskCompany != to.AskCompany, to.AskCompany)
	put("members_invite", c.MembersInvite != to.MembersInvite, to.MembersInvite)
	put("archive", c.Archive != to.Archive, to.Archive)
}

// pseudonyms are what people type who do not want to say their name.
var pseudonyms = []string{"匿名", "无名", "游客", "路人", "测试", "访客", "用户", "admin", "test", "user", "guest", "anonymous", "nobody", "unknown"}

// RealName reports whether a text can be somebody's name: two letters at least,
// nothing but letters and what stands between parts of a name. It proves nothing.
func RealName(name string) bool {
	letters, first, same := 0, rune(0), true
	for _, r := range name {
		switch {
		case unicode.IsLetter(r):
			letters++
			if first == 0 {
				first = r
			}
			same = same && r == first
		case !unicode.IsMark(r) && !strings.ContainsRune(" ·・•'’-.", r):
			return false
		}
	}
	for _, p := range pseudonyms {
		if strings.EqualFold(strings.TrimSpace(name), p) {
			return false
		}
	}
	return letters >= 2 && !same
}

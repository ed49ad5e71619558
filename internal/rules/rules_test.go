package rules_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"doorplate/internal/rules"
)

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// anyFacts are facts of somebody.
func anyFacts(r *rand.Rand) rules.Facts {
	f := rules.Facts{MemberID: pick(r, int64(0), 1, 2), Departments: pick(r, nil, []string{"/1/4/"}, []string{"/1/4/9/", "/1/5/"}), Network: pick(r, "", rules.Inside, rules.Outside),
		Refusals: r.IntN(4), Lists: pick(r, nil, []int64{1}, []int64{2, 3})}
	for _, s := range []string{rules.SignNewcomer, rules.SignDevice, rules.SignVisit, rules.SignTries} {
		if r.IntN(3) == 0 {
			f.Signs = append(f.Signs, s)
		}
	}
	f.Texts = []rules.Text{{Field: "note", Value: pick(r, "", "我想进群", "买 发 票", "SPAM!")}}
	f.Answers = pick(r, nil, []rules.Answer{{Label: "几楼？", Kind: "number", Value: pick(r, "3", "12")}, {Kind: rules.KindEmail, Value: "a@x.example.com"}})
	f.Hits = rules.NewDictionary([]string{"发票"}).FindAll(f.Texts)
	return f
}

func anyCondition(r *rand.Rand) rules.Condition {
	c := pick(r, rules.Condition{Kind: rules.Person, Values: []string{"member"}}, rules.Condition{Kind: rules.Department, IDs: []int64{4}}, rules.Condition{Kind: rules.Domain, Values: []string{"example.com"}},
		rules.Condition{Kind: rules.OnList, IDs: []int64{2}}, rules.Condition{Kind: rules.Words}, rules.Condition{Kind: rules.Says, Values: []string{"spam"}},
		rules.Condition{Kind: rules.Reply, Label: "几楼", Op: rules.Least, Values: []string{"5"}}, rules.Condition{Kind: rules.Network, Values: []string{rules.Outside}}, rules.Condition{Kind: rules.Risk, N: 40})
	c.Not = r.IntN(4) == 0
	return c
}

func anySet(r *rand.Rand) (set []rules.Rule) {
	for n := range r.IntN(8) {
		rule := rules.Rule{ID: int64(n + 1), Name: fmt.Sprint("规则", n), AnyOf: r.IntN(2) == 0, Verdict: pick(r, rules.Verdicts...), Enabled: r.IntN(4) > 0}
		for range 1 + r.IntN(3) {
			rule.Conditions = append(rule.Conditions, anyCondition(r))
		}
		if r.IntN(3) == 0 {
			one := int64(1)
			rule.UpdatedBy = &one
		}
		set = append(set, rule)
	}
	return set
}

// fits is what "all" and "any" mean, said another way.
func fits(rule rules.Rule, f rules.Facts) bool {
	n := 0
	for _, c := range rule.Conditions {
		if (rules.Rule{Conditions: []rules.Condition{c}}).Fits(f) {
			n++
		}
	}
	return rule.AnyOf && n > 0 || !rule.AnyOf && n == len(rule.Conditions)
}

// Of rules in an order, the first that is on and fits decides, and no other has a word.
func TestTheFirstRuleThatFitsDecides(t *testing.T) {
	decided := map[rules.Verdict]int{}
	for seed := range uint64(5000) {
		r := rand.New(rand.NewPCG(seed, 7))
		f, set := anyFacts(r), anySet(r)
		first := slices.IndexFunc(set, func(rule rules.Rule) bool { return rule.Enabled && fits(rule, f) })
		got := rules.Judge(set, f)
		decided[got.Verdict]++
		switch {
		case first < 0 && (got.Rule != nil || got.Verdict != rules.None):
			t.Fatalf("seed %d: nothing fits, and %v", seed, got)
		case first < 0:
			continue
		case got.Rule == nil || got.Rule.ID != set[first].ID:
			t.Fatalf("seed %d: rule %v decided, want %d", seed, got.Rule, set[first].ID)
		}
		author := set[first].Verdict == rules.Approve && set[first].UpdatedBy != nil && *set[first].UpdatedBy == f.MemberID
		if author != got.Author || author && got.Verdict != rules.Hold || !author && got.Verdict != set[first].Verdict {
			t.Fatalf("seed %d: %s by %+v", seed, got.Verdict, set[first])
		}
		// What comes later, or is off, makes no difference; nor does asking twice.
		short := slices.DeleteFunc(slices.Clone(set[:first+1]), func(rule rules.Rule) bool { return !rule.Enabled })
		if again := rules.Judge(short, f); again.Verdict != got.Verdict || again.Rule.ID != got.Rule.ID || again.Score.Total != got.Score.Total {
			t.Fatalf("seed %d: %v without the later rules, %v with them", seed, again, got)
		}
	}
	for _, v := range append(rules.Verdicts, rules.None) {
		if decided[v] < 100 {
			t.Errorf("only %d of %q: the test tests little", decided[v], v)
		}
	}
}

// The score is the sum of what it names, and more against somebody is never less.
func TestAScoreCanBeTakenApart(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 9))
		f := anyFacts(r)
		s, sum := rules.Weigh(f), 0
		for _, p := range s.Points {
			sum += p.Points
		}
		if sum != s.Total || s.Total > rules.MaxScore {
			t.Fatalf("seed %d: %+v", seed, s)
		}
		f.Refusals++
		if rules.Weigh(f).Total < s.Total {
			t.Fatalf("seed %d: one more refusal made it less", seed)
		}
	}
}

func TestConditions(t *testing.T) {
	f := rules.Facts{MemberID: 7, Departments: []string{"/1/4/19/"}, Network: rules.Inside, Lists: []int64{3},
		Texts: []rules.Text{{Field: "note", Value: "代开 发票"}}, Answers: []rules.Answer{{Label: "入职日期", Kind: "date", Value: "2026-03-01"}, {Label: "楼层", Kind: "number", Value: "9"}, {Kind: rules.KindEmail, Value: "A@Mail.Example.COM"}}}
	for _, c := range []struct {
		c    rules.Condition
		want bool
	}{
		{rules.Condition{Kind: rules.Department, IDs: []int64{4}}, true},
		{rules.Condition{Kind: rules.Department, IDs: []int64{9}}, false}, // 19 is not 9
		{rules.Condition{Kind: rules.Domain, Values: []string{"example.com"}}, true},
		{rules.Condition{Kind: rules.Domain, Values: []string{"ample.com"}}, false},
		{rules.Condition{Kind: rules.Reply, Label: "楼层", Op: rules.Most, Values: []string{"10"}}, true},
		{rules.Condition{Kind: rules.Reply, Label: "楼 层", Op: rules.Least, Values: []string{"10"}}, false},
		{rules.Condition{Kind: rules.Reply, Label: "入职日期", Op: rules.Most, Values: []string{"2026-12-31"}}, true},
		{rules.Condition{Kind: rules.Reply, Label: "入职日期", Op: rules.Least, Values: []string{"8"}}, false},
		{rules.Condition{Kind: rules.Reply, Label: "别的", Op: rules.Is, Values: []string{"9"}}, false},
		{rules.Condition{Kind: rules.Says, Values: []string{"发票"}}, true},
		{rules.Condition{Kind: rules.OnList, IDs: []int64{1, 3}}, true},
		{rules.Condition{Kind: rules.Network, Values: []string{rules.Outside}}, false},
		{rules.Condition{Kind: rules.Risk, N: 0}, false},
		{rules.Condition{Kind: "of another version"}, false},
		{rules.Condition{Kind: "of another version", Not: true}, false},
	} {
		if got := (rules.Rule{Conditions: []rules.Condition{c.c}}).Fits(f); got != c.want {
			t.Errorf("%+v: %t", c.c, got)
		}
	}
	if (rules.Rule{}).Fits(f) || (rules.Rule{AnyOf: true}).Fits(f) {
		t.Error("a rule that asks nothing fits somebody")
	}
}

// However a word is written, it is found; where it is only a part, it is not.
func TestWordsAreFoundHoweverTheyAreWritten(t *testing.T) {
	d := rules.NewDictionary([]string{"发票", "票", "ＶＰＮ", "free money", "加V信", "café", "  ", "発票"})
	for text, want := range map[string]string{
		"代开发票": "发票 票", "发 票": "发票 票", "发\u200b票": "发票 票", "发.票": "发票 票", "发\n\n票": "发票 票", "vpn": "ＶＰＮ", "V P N!": "ＶＰＮ", "vpns": "", "myvpn": "",
		"来个vpn吧": "ＶＰＮ", "Free  Money": "free money", "freemoney": "free money", "free moneys": "", "加 v 信": "加V信", "CAFÉ": "café", "cafe\u0301": "café", "": "", "😀\u202e": "", "発票": "発票 票",
	} {
		var got []string
		for _, h := range d.Find("note", text) {
			if r := []rune(text); h.Start < 0 || h.End > len(r) || h.Start >= h.End {
				t.Fatalf("%q: %+v is outside", text, h)
			}
			got = append(got, h.Word)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	var marked []string
	for _, p := range rules.Pieces("代开 发 票吗", "note", d.Find("note", "代开 发 票吗")) {
		marked = append(marked, fmt.Sprint(p.Text, p.Hit))
	}
	if fmt.Sprint(marked) != "[代开 false 发 票true 吗false]" {
		t.Error(marked)
	}
}

// One pass over a text finds what looking for each word finds.
func TestOnePassFindsWhatManyFind(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 5))
		word := func(n int) string {
			var b strings.Builder
			for range n {
				b.WriteRune(pick(r, '甲', '乙', '丙'))
			}
			return b.String()
		}
		var list []string
		for range 1 + r.IntN(6) {
			list = append(list, word(1+r.IntN(4)))
		}
		text := []rune(word(r.IntN(12)))
		want := map[string]bool{}
		for _, w := range list {
			for i := range text {
				if n := len([]rune(w)); i+n <= len(text) && string(text[i:i+n]) == w {
					want[fmt.Sprint(w, i)] = true
				}
			}
		}
		got := map[string]bool{}
		for _, h := range rules.NewDictionary(list).Find("", string(text)) {
			got[fmt.Sprint(h.Word, h.Start)] = true
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("seed %d: %v in %q: %v, want %v", seed, list, string(text), got, want)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add("发 票", "发票")
	f.Add("\xff\u200b", "a")
	f.Fuzz(func(t *testing.T, text, word string) {
		hits := rules.NewDictionary([]string{word}).Find("x", text)
		whole := ""
		for _, p := range rules.Pieces(text, "x", hits) {
			whole += p.Text
		}
		if whole != strings.ToValidUTF8(text, "\uFFFD") && len([]rune(whole)) != len([]rune(text)) {
			t.Errorf("%q became %q", text, whole)
		}
	})
}

package code_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"pgregory.net/rapid"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/testkit"
)

// open marks spans in a week by brute force.
func open(spans []code.Span) code.Hours {
	week := []byte(strings.Repeat("0", code.Quarters))
	for _, s := range spans {
		to := s.To
		if to <= s.From {
			to += 96
		}
		for _, day := range s.Days {
			for q := s.From; q < to; q++ {
				week[((day-1)*96+q)%code.Quarters] = '1'
			}
		}
	}
	return code.Hours(week)
}

// Whatever a week looks like, the words and rows made of it mean the same week.
func TestHoursAreReadBackAsTheyAre(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var spans []code.Span
		for range rapid.IntRange(0, 4).Draw(r, "rows") {
			s := code.Span{From: rapid.IntRange(0, 95).Draw(r, "from"), To: rapid.IntRange(1, 96).Draw(r, "to")}
			s.Days = rapid.SliceOfNDistinct(rapid.IntRange(1, 7), 1, 7, rapid.ID).Draw(r, "days")
			if s.From != s.To {
				spans = append(spans, s)
			}
		}
		week := open(spans)
		if got := open(week.Spans()); got != week {
			r.Fatalf("%v reads back as %v", spans, week.Spans())
		}
	})
	got := open([]code.Span{{Days: []int{1, 2, 3, 4, 5}, From: 36, To: 72}, {Days: []int{5, 6}, From: 88, To: 24}}).Spans()
	if want := "[{[1 2 3 4 5] 36 72} {[5 6] 88 24}]"; fmt.Sprint(got) != want {
		t.Errorf("spans %v, want %s", got, want)
	}
}

// desk issues codes for one group and changes their terms.
type desk struct {
	t     *testing.T
	db    *gorm.DB
	w     testkit.World
	clock *testkit.Clock
	codes *code.Service
	gid   string
	group int64
}

func onBoth(t *testing.T, kind, mode string, test func(t *testing.T, d *desk)) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		d := &desk{t: t, db: db, clock: testkit.NewClock()}
		d.w = testkit.Org(t, db, d.clock)
		d.group, d.gid = d.w.Group(t, db, "平台技术交流群", kind, mode, d.w.Platform, 500)
		d.codes = code.New(db, testkit.Keys(), audit.New(testkit.Keys(), d.clock.Now), d.clock.Now, "http://door.example")
		test(t, d)
	})
}

func (d *desk) issue(by access.Actor, form code.Form) (code.Facts, error) {
	d.t.Helper()
	id, err := d.codes.Issue(context.Background(), by, d.gid, form)
	if err != nil {
		return code.Facts{}, err
	}
	return d.facts(id), nil
}

func (d *desk) facts(id string) code.Facts {
	d.t.Helper()
	f, err := code.LoadFacts(d.db, id)
	if err != nil {
		d.t.Fatal(err)
	}
	return f
}

// refused fails the test unless err is about this field.
func refused(t *testing.T, what string, err error, field string) {
	t.Helper()
	var wrong fault.Invalid
	if !errors.As(err, &wrong) || wrong[field].Key == "" {
		t.Errorf("%s: %v, want a complaint about %s", what, err, field)
	}
}

func TestSillyTermsAreRefused(t *testing.T) {
	onBoth(t, "internal", "approval", func(t *testing.T, d *desk) {
		row := func(from, to string, days ...string) []code.Opening {
			return []code.Opening{{Days: days, From: from, To: to}}
		}
		for field, forms := range map[string][]code.Form{
			"hours": {{Opening: row("09:00", "18:00")}, {Opening: row("", "", "1")}, {Opening: row("09:10", "18:00", "1")}, {Opening: row("09:00", "09:00", "1")},
				{Opening: row("09:00", "18:00", "8")}, {Opening: row("25:00", "18:00", "1")}, {Opening: row("09:00", strings.Repeat("1", 100_000), "1")}},
			"valid_from":  {{ValidFrom: "2026-11-21"}, {ValidFrom: "soon"}, {ValidFrom: strings.Repeat("9", 100_000)}},
			"valid_until": {{Validity: "until", ValidUntil: "2026-11-30", ValidFrom: "2026-12-05"}, {Validity: "until"}, {Validity: "until", ValidUntil: "2020-01-01"}},
			"password":    {{Password: "abc"}, {Password: strings.Repeat("长", 101)}, {Password: strings.Repeat("x", 100_000)}},
			"benefit":     {{Benefit: strings.Repeat("长", 61)}},
			"fallback":    {{Fallback: "nowhere"}},
			"fallback_url": {{Fallback: "redirect"}, {Fallback: "redirect", FallbackURL: "javascript:alert(1)"}, {Fallback: "redirect", FallbackURL: "//evil.example"},
				{Fallback: "redirect", FallbackURL: "http://"}, {Fallback: "redirect", FallbackURL: "https://a b.example"}, {Fallback: "redirect", FallbackURL: "https://user:pw@evil.example"},
				{Fallback: "redirect", FallbackURL: "http://DOOR.example:80/j/xyz"}, {Fallback: "redirect", FallbackURL: "https://x.example/" + strings.Repeat("x", 100_000)}},
			"fallback_group":  {{Fallback: "group"}, {Fallback: "group", FallbackGroup: "nope\x00"}, {Fallback: "group", FallbackGroup: d.gid}},
			"audience_roles":  {{Roles: []string{"king"}}},
			"audience_people": {{People: "没有这个人"}, {People: strings.Repeat("a,", 50_000)}},
			"networks":        {{Networks: "10.0.0.0/99"}, {Networks: "::ffff:10.0.0.0/104"}},
		} {
			for i, form := range forms {
				_, err := d.issue(d.w.Super, form)
				refused(t, fmt.Sprint(field, " ", i), err, field)
			}
		}
	})
}

// Start and end: days count from the start, the end lies after it.
func TestAWindowCountsFromItsStart(t *testing.T) {
	onBoth(t, "internal", "approval", func(t *testing.T, d *desk) {
		f, err := d.issue(d.w.Super, code.Form{ValidFrom: "2026-11-25"})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Date(2026, 11, 24, 16, 0, 0, 0, time.UTC)
		if !f.ValidFrom.Equal(start) || !f.ValidUntil.Equal(start.AddDate(0, 0, 7)) || f.State(d.clock.Now()) != code.NotYet {
			t.Errorf("from %v until %v, %s", f.ValidFrom, f.ValidUntil, f.State(d.clock.Now()))
		}
		f, err = d.issue(d.w.Super, code.Form{ValidFrom: "2026-11-25", Opening: []code.Opening{{Days: []string{"1"}, From: "09:00", To: "18:00"}}})
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := f.Opens(d.clock.Now(), f.Location()); !ok || !at.Equal(time.Date(2026, 11, 30, 1, 0, 0, 0, time.UTC)) {
			t.Errorf("opens at %v, %v", at, ok)
		}
	})
}

// A05, B24: the three parts of an audience are alternatives.
func TestTheAudienceIsOneRule(t *testing.T) {
	onBoth(t, "internal", "approval", func(t *testing.T, d *desk) {
		w := d.w
		everybody := map[string]access.Actor{"super": w.Super, "head": w.Head, "otherhead": w.OtherHead, "staff": w.Staff, "otherstaff": w.OtherStaff}
		for _, c := range []struct {
			form code.Form
			in   string
		}{
			{code.Form{}, "super head otherhead staff otherstaff guest"},
			{code.Form{Audience: []string{fmt.Sprint(w.RD)}}, "head staff"},
			{code.Form{Roles: []string{"super"}}, "super"},
			{code.Form{Roles: []string{"head"}}, "head otherhead"},
			{code.Form{Roles: []string{"duty"}}, "otherstaff"},
			{code.Form{Roles: []string{"member"}}, "super head otherhead staff otherstaff"},
			{code.Form{People: "dp0005，+86 138 0000 0006\n程远"}, "staff otherstaff otherhead"},
			{code.Form{Audience: []string{fmt.Sprint(w.Marketing)}, Roles: []string{"super"}, People: "顾晓棠"}, "super otherhead staff otherstaff"},
		} {
			f, err := d.issue(w.Super, c.form)
			if err != nil {
				t.Fatal(err)
			}
			d.db.Exec("INSERT INTO group_duties (group_id, member_id, duty) VALUES (?, ?, 'events') ON CONFLICT DO NOTHING", d.group, w.OtherStaff.MemberID)
			for name, a := range everybody {
				in, err := f.InAudience(d.db, &a.MemberID)
				if err != nil || in != listed(c.in, name) {
					t.Errorf("%+v: %s in is %v, %v", c.form, name, in, err)
				}
			}
			if in, _ := f.InAudience(d.db, nil); in != listed(c.in, "guest") {
				t.Errorf("%+v: guest in is %v", c.form, in)
			}
		}
		d.db.Exec("UPDATE members SET name = '同名' WHERE id IN ?", []int64{w.Staff.MemberID, w.OtherStaff.MemberID})
		_, err := d.issue(w.Super, code.Form{People: "同名"})
		refused(t, "namesakes", err, "audience_people")
		d.db.Exec("UPDATE members SET status = 'departed' WHERE id = ?", w.Staff.MemberID)
		f, err := d.issue(w.Super, code.Form{People: "同名"})
		if err != nil {
			t.Fatal(err)
		}
		if in, _ := f.InAudience(d.db, &w.Staff.MemberID); in {
			t.Error("a departed member fits an audience")
		}
	})
}

func listed(words, word string) bool {
	return strings.Contains(" "+words+" ", " "+word+" ")
}

// A22: "anybody in the contacts" does not make a permanent code of an open internal group narrow.
func TestAWideAudienceDoesNotHideAnOpenDoor(t *testing.T) {
	onBoth(t, "internal", "open", func(t *testing.T, d *desk) {
		permanent := code.Form{Validity: "permanent", ConfirmPermanent: true}
		for _, wide := range []code.Form{permanent, {Validity: "permanent", ConfirmPermanent: true, Roles: []string{"member", "head"}}} {
			var second code.NeedsSecond
			if _, err := d.issue(d.w.Super, wide); !errors.As(err, &second) {
				t.Errorf("a super admin alone: %v", err)
			}
			var forbidden fault.Forbidden
			if _, err := d.issue(d.w.Head, wide); !errors.As(err, &forbidden) {
				t.Errorf("a head: %v", err)
			}
		}
		permanent.Roles = []string{"head"}
		f, err := d.issue(d.w.Head, permanent)
		if err != nil {
			t.Fatal(err)
		}
		form := f.Form("")
		form.Roles = nil
		var forbidden fault.Forbidden
		if err := d.codes.SaveTerms(context.Background(), d.w.Head, f.PublicID, form); !errors.As(err, &forbidden) {
			t.Errorf("a head widens a permanent code: %v", err)
		}
		var second code.NeedsSecond
		if err := d.codes.SaveTerms(context.Background(), d.w.Super, f.PublicID, form); !errors.As(err, &second) || second.Plan.PublicID != f.PublicID {
			t.Errorf("a super admin widens it: %v", err)
		}
	})
}

// Of two forms filled from the same terms the second is told who was first; a password is never written down.
func TestTermsChangeOnceAndAreAudited(t *testing.T) {
	onBoth(t, "internal", "approval", func(t *testing.T, d *desk) {
		ctx := context.Background()
		f, err := d.issue(d.w.Super, code.Form{Password: "芝麻开门"})
		if err != nil {
			t.Fatal(err)
		}
		form := f.Form("")
		if err := d.codes.SaveTerms(ctx, d.w.Head, f.PublicID, form); err != nil || d.facts(f.PublicID).Version != 1 {
			t.Errorf("a form that changes nothing: %v, version %d", err, d.facts(f.PublicID).Version)
		}
		form.Password, form.DailyCap, form.Opening = "open sesame", "7", []code.Opening{{Days: []string{"1"}, From: "09:00", To: "18:00"}}
		if err := d.codes.SaveTerms(ctx, d.w.Head, f.PublicID, form); err != nil {
			t.Fatal(err)
		}
		now := d.facts(f.PublicID)
		if now.PasswordHash == f.PasswordHash || now.DailyCap != 7 || now.State(d.clock.Now()) != code.Closed || !now.ValidUntil.Equal(*f.ValidUntil) || now.IssuedBy != d.w.Super.MemberID {
			t.Errorf("saved %+v", now.Code)
		}
		var conflict fault.Conflict
		if err := d.codes.SaveTerms(ctx, d.w.Super, f.PublicID, form); !errors.As(err, &conflict) || conflict.By != d.w.Head.Name || conflict.At.IsZero() {
			t.Errorf("a form from older terms: %v", err)
		}
		var details string
		d.db.Raw("SELECT details FROM audit_entries WHERE action = 'code.terms'").Scan(&details)
		if !strings.Contains(details, "daily_cap") || !strings.Contains(details, "password") || strings.Contains(details, "sesame") || strings.Contains(details, "argon2") {
			t.Errorf("audited %s", details)
		}
		form.Version, form.Password, form.PasswordRemove = 0, "", true
		if err := d.codes.SaveTerms(ctx, d.w.Super, f.PublicID, form); err != nil || d.facts(f.PublicID).PasswordHash != "" {
			t.Errorf("the password stays: %v", err)
		}
	})
}

// B07, B08: what a preset fixes, nobody moves.
func TestAFixedEndStays(t *testing.T) {
	onBoth(t, "external", "approval", func(t *testing.T, d *desk) {
		ctx := context.Background()
		var preset string
		d.db.Raw("SELECT CAST(id AS text) FROM group_presets WHERE name_en = 'Personal WeChat group'").Scan(&preset)
		_, err := d.issue(d.w.Super, code.Form{Preset: preset, Validity: "30d"})
		refused(t, "another validity than the preset's", err, "validity")
		f, err := d.issue(d.w.Super, code.Form{Preset: preset, Validity: "7d"})
		if err != nil || !f.ValidityFixed {
			t.Fatalf("%v, fixed %v", err, f.ValidityFixed)
		}
		for _, validity := range []string{"7d", "30d", "until"} {
			form := f.Form("")
			form.Validity, form.ValidUntil = validity, "2026-12-12"
			refused(t, validity, d.codes.SaveTerms(ctx, d.w.Super, f.PublicID, form), "validity")
		}
		form := f.Form("")
		form.DailyCap = "9"
		if err := d.codes.SaveTerms(ctx, d.w.Super, f.PublicID, form); err != nil {
			t.Errorf("all but the end can be changed: %v", err)
		}
		fresh, err := d.codes.Regenerate(ctx, d.w.Super, f.PublicID, "x")
		if err != nil || !d.facts(fresh).ValidityFixed || d.facts(fresh).DailyCap != 9 {
			t.Errorf("regenerated: %v", err)
		}
	})
}

// Who issued a temporary code need not answer for a permanent one.
func TestWhoMakesACodePermanentAnswersForIt(t *testing.T) {
	onBoth(t, "internal", "approval", func(t *testing.T, d *desk) {
		d.db.Exec("UPDATE groups SET owner_id = ? WHERE id = ?", d.w.Staff.MemberID, d.group)
		owner := d.w.Staff
		owner.Duties = map[int64]access.Duty{d.group: access.Owner}
		f, err := d.issue(owner, code.Form{})
		if err != nil {
			t.Fatal(err)
		}
		form := f.Form("")
		form.Validity, form.ConfirmPermanent = code.Permanent, true
		var forbidden fault.Forbidden
		if err := d.codes.SaveTerms(context.Background(), owner, f.PublicID, form); !errors.As(err, &forbidden) {
			t.Errorf("an owner makes a code permanent: %v", err)
		}
		if err := d.codes.SaveTerms(context.Background(), d.w.Head, f.PublicID, form); err != nil {
			t.Fatal(err)
		}
		if now := d.facts(f.PublicID); now.State(d.clock.Now()) != code.Live || now.IssuedBy != d.w.Head.MemberID {
			t.Errorf("%s, issued by %d", now.State(d.clock.Now()), now.IssuedBy)
		}
		form = d.facts(f.PublicID).Form("")
		form.Validity = "7d"
		if err := d.codes.SaveTerms(context.Background(), owner, f.PublicID, form); !errors.As(err, &forbidden) {
			t.Errorf("an owner changes a permanent code: %v", err)
		}
	})
}

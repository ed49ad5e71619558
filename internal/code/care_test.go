package code_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/fault"
)

// Refreshing keeps the print: same id, new period, total from zero, the past in the history. req: B25, C52
func TestRefreshing(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		id := w.issue(code.Form{TotalCap: "5", DailyCap: "9"})
		before := w.facts(id)
		w.exec("UPDATE code_counters SET total = 5, day = '2026-11-22', day_total = 5")
		w.clock.Add(8 * 24 * time.Hour)
		if s := w.facts(id).State(w.clock.Now()); s != code.Expired {
			t.Fatalf("is %s", s)
		}
		errs := together(6, func(int) error {
			return w.codes.Refresh(ctx, w.Head, id, code.Renewal{Generation: "1", Reason: "季度"})
		})
		done, rest := errorsOf(errs)
		if done != 1 {
			t.Errorf("%d refreshed it", done)
		}
		for _, err := range rest {
			w.conflict(err, w.Head.Name)
		}
		f := w.facts(id)
		if f.State(w.clock.Now()) != code.Live || f.Total != 0 || f.DayTotal != 5 || f.Generation != 2 || f.Version != before.Version+1 || f.RefreshedAt == nil {
			t.Errorf("%+v", f)
		}
		if want := w.clock.Now().Add(7 * 24 * time.Hour); !f.ValidUntil.Equal(want) {
			t.Errorf("ends %s, want %s", f.ValidUntil, want)
		}
		past, err := w.codes.Generations(ctx, w.Head, id)
		if err != nil || len(past) != 1 || past[0].Scans != 5 || past[0].EnderName != w.Head.Name || past[0].Reason != "季度" ||
			!past[0].ValidFrom.Equal(before.IssuedAt) || !past[0].ValidUntil.Equal(*before.ValidUntil) {
			t.Errorf("%+v %v", past, err)
		}
		w.ok(w.codes.Refresh(ctx, w.Head, id, code.Renewal{}))
		if past, err = w.codes.Generations(ctx, w.Head, id); err != nil || len(past) != 2 || !past[0].ValidFrom.Equal(*f.RefreshedAt) {
			t.Errorf("%+v %v", past, err)
		}
	})
}

func TestWhatCannotBeRefreshed(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		until := w.issue(code.Form{Validity: "until", ValidUntil: "2026-12-01"})
		for _, wrong := range []string{"", "morgen", "2020-01-01", "9999-01-01"} {
			w.invalid(w.codes.Refresh(ctx, w.Head, until, code.Renewal{ValidUntil: wrong}), "valid_until")
		}
		w.ok(w.codes.Refresh(ctx, w.Head, until, code.Renewal{ValidUntil: "2027-01-31"}))
		if f := w.facts(until); f.ValidUntil.In(f.Location()).Format(time.DateTime) != "2027-02-01 00:00:00" {
			t.Errorf("ends %s", f.ValidUntil)
		}
		w.invalid(w.codes.Refresh(ctx, w.Head, until, code.Renewal{ValidUntil: "2027-01-31", Reason: strings.Repeat("长", 501)}), "reason")

		fixed := w.issue(code.Form{})
		w.exec("UPDATE codes SET validity_fixed = ? WHERE public_id = ?", true, fixed)
		w.invalid(w.codes.Refresh(ctx, w.Head, fixed, code.Renewal{}), "")

		dead := w.issue(code.Form{})
		w.ok(w.codes.Revoke(ctx, w.Super, dead, "x"))
		w.conflict(w.codes.Refresh(ctx, w.Head, dead, code.Renewal{}), w.Super.Name)

		permanent := w.issue(code.Form{Validity: code.Permanent})
		owner := w.Staff
		owner.Duties = map[int64]access.Duty{w.group: access.Owner}
		var forbidden fault.Forbidden
		if err := w.codes.Refresh(ctx, owner, permanent, code.Renewal{}); !errors.As(err, &forbidden) {
			t.Errorf("the owner refreshes a permanent code: %v", err)
		}
		if err := w.codes.Refresh(ctx, w.OtherHead, permanent, code.Renewal{}); !errors.Is(err, fault.NotFound) {
			t.Errorf("a foreign head: %v", err)
		}
		w.ok(w.codes.Refresh(ctx, w.Head, permanent, code.Renewal{}))
		if f := w.facts(permanent); f.ValidUntil != nil || f.Generation != 2 {
			t.Errorf("%+v", f)
		}
	})
}

func TestWhatIsDue(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		permanent := w.issue(code.Form{Label: "永久", Validity: code.Permanent})
		w.issue(code.Form{Label: "三月", Validity: "until", ValidUntil: "2027-03-18"})
		_, orphan := w.Code(t, w.db, w.group, "无主", nil, w.OtherStaff.MemberID)
		due := func(want string) {
			t.Helper()
			var got []string
			after := ""
			for range 10 {
				list, next, err := w.codes.Due(ctx, w.Head, after, 1)
				w.ok(err)
				for _, d := range list {
					if !d.Cure {
						t.Errorf("%s has no cure", d.Label)
					}
					got = append(got, d.Kind+":"+d.Label)
				}
				if after = next; next == "" {
					break
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("due: %v, want %s", got, want)
			}
		}
		due("orphaned:无主")
		results := w.codes.AdoptMany(ctx, w.Head, []string{orphan, permanent, "unknown"})
		var held fault.Conflict
		if results[0].Err != nil || !errors.As(results[1].Err, &held) || !errors.Is(results[2].Err, fault.NotFound) || results[1].Label == "" || results[2].Label != "" {
			t.Errorf("%+v", results)
		}
		due("")
		w.clock.Add(89 * 24 * time.Hour)
		due("")
		w.clock.Add(25 * time.Hour)
		due("refresh:永久 refresh:无主")
		w.clock.Add(21 * 24 * time.Hour)
		due("expires:三月 refresh:永久 refresh:无主")
		w.ok(w.codes.Refresh(ctx, w.Head, permanent, code.Renewal{}))
		due("expires:三月 refresh:无主")
		w.exec("INSERT INTO policies (name, value, updated_at) VALUES ('refresh_days', '0', ?)", w.clock.Now())
		due("expires:三月")
		week := w.issue(code.Form{Label: "七天"})
		due("expires:三月")
		w.clock.Add(5*24*time.Hour + time.Minute)
		due("expires:三月 expires:七天")
		w.ok(w.codes.Revoke(ctx, w.Head, week, "x"))
		due("expires:三月")
		if list, _, err := w.codes.Due(ctx, w.OtherHead, "", 50); len(list) > 0 || err != nil {
			t.Errorf("a foreign head reads %v %v", list, err)
		}
	})
}

func TestTheViewOfOrphans(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		w.issue(code.Form{})
		_, orphan := w.Code(t, w.db, w.group, "无主", nil, w.OtherStaff.MemberID)
		list, err := w.codes.All(ctx, w.Head, code.Orphans, "")
		if err != nil || len(list.Items) != 1 || list.Items[0].PublicID != orphan {
			t.Errorf("%+v %v", list, err)
		}
		for by, want := range map[*access.Actor]bool{&w.Head: true, &w.Super: true, &w.Staff: false} {
			if may, err := w.codes.Adoptable(ctx, *by, list.Items); err != nil || may[list.Items[0].ID] != want {
				t.Errorf("%s: %v %v", by.Name, may, err)
			}
		}
	})
}

// Inspecting tells ours from forged, and of a foreign code nothing but that it is ours. req: C03
func TestInspecting(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		id := w.issue(code.Form{})
		_, _, err := w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{})
		w.ok(err)
		typed := *w.line(id, 1).TypedCode
		url, gone := w.codes.URL(id, 1), w.codes.URL(id, 2)
		token := url[strings.LastIndex(url, "/")+1:]
		forged := token[:len(token)-1] + map[bool]string{true: "B", false: "A"}[strings.HasSuffix(token, "A")]
		look := func(by access.Actor, text string) code.Inspection {
			t.Helper()
			i, err := w.codes.Inspect(ctx, by, text)
			w.ok(err)
			return i
		}
		for _, text := range []string{url, " " + token + " ", typed, strings.ToLower(typed), url + "?utm_source=x"} {
			if i := look(w.Head, text); i.View == nil || i.ID != id || i.Serial != 1 || i.Copy == nil || !i.Ours {
				t.Errorf("%q: %+v", text, i)
			}
			if i := look(w.OtherHead, text); !i.Ours || i.View != nil || i.Copy != nil {
				t.Errorf("foreign %q: %+v", text, i)
			}
		}
		if i := look(w.OtherHead, typed); i.ID != "" {
			t.Error("a typed code tells a foreigner the code's id")
		}
		if i := look(w.Head, gone); !i.Ours || i.Copy != nil || i.Serial != 2 {
			t.Errorf("%+v", i)
		}
		if i := look(w.Head, url); !i.Here || i.Version != "1" || !i.Signed {
			t.Errorf("%+v", i)
		}
		if i := look(w.Head, "https://evil.example/j/"+token); i.Here || i.Host != "evil.example" || !i.Signed {
			t.Errorf("%+v", i)
		}
		if i := look(w.Head, forged); i.Signed || i.Ours || i.ID != id {
			t.Errorf("%+v", i)
		}
		for _, text := range []string{"", "hello", strings.Repeat("x", 5000), "http://[::1", "<script>", "\x00", "/j/", "http://door.example/j/", token[1:]} {
			if i := look(w.Head, text); i.Ours || i.Token != "" {
				t.Errorf("%.20q: %+v", text, i)
			}
		}
	})
}

func TestGenuineByTheReferenceOfAScan(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		id := w.issue(code.Form{})
		_, _, err := w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{Place: "大厅"})
		w.ok(err)
		w.exec("INSERT INTO scans (ref, at, code_id, copy_serial, outcome, address) SELECT 'REF1', ?, id, 1, 'live', '' FROM codes", w.clock.Now())
		w.exec("INSERT INTO scans (ref, at, copy_serial, outcome, address) VALUES ('REF2', ?, 0, 'unknown', '')", w.clock.Now())
		if g, err := w.codes.GenuineScan(ctx, "REF1"); err != nil || g.Copy == nil || g.Copy.Place != "大厅" || g.Worth() != code.GenuineWorks {
			t.Errorf("%+v %v", g, err)
		}
		w.ok(w.codes.Suspend(ctx, w.Head, id, ""))
		if g, err := w.codes.GenuineScan(ctx, "REF1"); err != nil || g.Worth() != code.GenuinePaused {
			t.Errorf("%s %v", g.Worth(), err)
		}
		w.clock.Add(25 * time.Hour)
		for _, ref := range []string{"REF1", "REF2", "", "x"} {
			if _, err := w.codes.GenuineScan(ctx, ref); !errors.Is(err, fault.NotFound) {
				t.Errorf("%q: %v", ref, err)
			}
		}
	})
}

package code_test

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"strconv"
	"strings"
	"testing"
	"time"

	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/testkit"
)

// Of copies made side by side each gets a serial and a typed code of its own. req: B25
func TestCopiesMadeAtOnceGetSerialsOfTheirOwn(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		id := w.issue(code.Form{})
		errs := together(100, func(int) error {
			_, _, err := w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{Count: "2"})
			return err
		})
		if done, rest := errorsOf(errs); done != 100 {
			t.Fatalf("%d of 100: %v", done, rest)
		}
		if n := w.number("SELECT count(DISTINCT serial) FROM code_copies"); n != 200 {
			t.Errorf("%d serials", n)
		}
		if n := w.number("SELECT count(DISTINCT typed_code) FROM code_copies WHERE length(typed_code) = 8"); n != 200 {
			t.Errorf("%d typed codes", n)
		}
		if low, high := w.number("SELECT min(serial) FROM code_copies"), w.number("SELECT max(serial) FROM code_copies"); low != 1 || high != 200 {
			t.Errorf("serials %d to %d", low, high)
		}
	})
}

func TestOneLostCopyIsRevokedAlone(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		id := w.issue(code.Form{})
		first, last, err := w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{Count: "201", Place: "食堂"})
		if err != nil || first != 1 || last != 201 {
			t.Fatal(first, last, err)
		}
		errs := together(8, func(int) error { return w.codes.RevokeCopy(ctx, w.Head, id, 7, "被揭走") })
		done, rest := errorsOf(errs)
		if done != 1 {
			t.Errorf("%d revoked it", done)
		}
		for _, err := range rest {
			w.conflict(err, w.Head.Name)
		}
		if n := w.number("SELECT count(*) FROM code_copies WHERE revoked_at IS NOT NULL"); n != 1 {
			t.Errorf("%d copies are revoked", n)
		}
		if f := w.facts(id); f.State(w.clock.Now()) != code.Live {
			t.Error("the code itself no longer works")
		}
		for serial, worth := range map[int]string{7: code.GenuineWithdrawn, 8: code.GenuineWorks, 201: code.GenuineWorks} {
			if g, err := w.codes.GenuineTyped(ctx, *w.line(id, serial).TypedCode); err != nil || g.Worth() != worth || g.Copy.Place != "食堂" {
				t.Errorf("copy %d is %s, %v", serial, g.Worth(), err)
			}
		}
		w.invalid(w.codes.RevokeCopy(ctx, w.Head, id, 8, " "), "reason")
		for _, serial := range []int{0, -1, 202, 999999} {
			if err := w.codes.RevokeCopy(ctx, w.Head, id, serial, "x"); !errors.Is(err, fault.NotFound) {
				t.Errorf("serial %d: %v", serial, err)
			}
		}
		if n := w.number("SELECT count(*) FROM audit_entries WHERE action = 'code.copy.revoke'"); n != 1 {
			t.Errorf("%d entries", n)
		}
	})
}

func TestWhatIsWrongWithCopies(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		id := w.issue(code.Form{})
		for _, count := range []string{"0", "-1", "501", "1000000000", "99999999999999999999", "1e3", "二"} {
			_, _, err := w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{Count: count})
			w.invalid(err, "count")
		}
		long := strings.Repeat("长", 61)
		for field, form := range map[string]code.CopyForm{"place": {Place: long}, "custodian": {Custodian: long}, "channel": {Channel: "77"}} {
			_, _, err := w.codes.AddCopies(ctx, w.Head, id, form)
			w.invalid(err, field)
		}
		_, _, err := w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{Custodian: "13911112222"})
		w.invalid(err, "custodian")
		if n := w.number("SELECT count(*) FROM code_copies"); n != 0 {
			t.Errorf("%d copies after all", n)
		}
		for typed, want := range map[string]string{"138 0000 0005": "顾晓棠", "dp0005": "顾晓棠", "前台阿姨\n": "前台阿姨", "": ""} {
			_, serial, err := w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{Custodian: typed})
			w.ok(err)
			if l := w.line(id, serial); l.Custodian != want || (l.CustodianID != nil) != (want == "顾晓棠") {
				t.Errorf("%q is %q", typed, l.Custodian)
			}
		}
		w.exec("UPDATE code_copies SET serial = ? WHERE serial = 1", code.MaxSerial-1)
		_, _, err = w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{Count: "2"})
		w.invalid(err, "count")
		if first, _, err := w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{}); err != nil || first != code.MaxSerial {
			t.Errorf("the last serial: %d %v", first, err)
		}
	})
}

// The token and the typed code of a copy lead to that copy.
func TestACopyIsFoundByItsTypedCode(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		id := w.issue(code.Form{})
		_, _, err := w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{Count: "3"})
		w.ok(err)
		token, err := w.codes.TokenOfTyped(ctx, *w.line(id, 3).TypedCode)
		w.ok(err)
		if public, serial, err := code.ParseToken(testkit.Keys(), token); public != id || serial != 3 || err != nil {
			t.Errorf("leads to %s %d %v", public, serial, err)
		}
		if v, err := w.codes.Copy(ctx, w.Head, id, 3); err != nil || !strings.HasSuffix(v.CopyURL, token) {
			t.Errorf("%s is not the address %s: %v", v.CopyURL, token, err)
		}
		old := w.facts(id)
		if token, err := w.codes.TokenOfTyped(ctx, *old.TypedCode); err != nil || !strings.HasSuffix(w.codes.URL(id, 0), token) {
			t.Errorf("the code itself: %s %v", token, err)
		}
	})
}

// New codes get the copies of the old ones once, whoever presses.
func TestTheSameCopiesAgain(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		id := w.issue(code.Form{})
		w.ok(w.codes.AddChannel(ctx, w.Head, id, code.ChannelForm{Name: "展台", Source: "fair"}))
		p, err := w.codes.Copies(ctx, w.Head, id, "", "")
		w.ok(err)
		channel := strconv.FormatInt(p.Channels[0].ID, 10)
		for _, place := range []string{"一楼", "二楼", "三楼"} {
			_, _, err := w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{Place: place, Custodian: "DP0005", Channel: channel})
			w.ok(err)
		}
		w.ok(w.codes.RemoveCopy(ctx, w.Head, id, 2, false))
		w.conflict(w.codes.RemoveCopy(ctx, w.Super, id, 2, false), w.Head.Name)
		second, err := w.codes.Regenerate(ctx, w.Head, id, "泄露")
		w.ok(err)
		third, err := w.codes.Regenerate(ctx, w.Head, second, "又泄露")
		w.ok(err)
		if p, err := w.codes.Copies(ctx, w.Head, third, "", ""); err != nil || p.Again != 2 {
			t.Fatalf("offers %d, %v", p.Again, err)
		}
		errs := together(4, func(int) error { _, err := w.codes.CopyAgain(ctx, w.Head, third); return err })
		if done, _ := errorsOf(errs); done != 1 {
			t.Errorf("%d made them again", done)
		}
		if p, err = w.codes.Copies(ctx, w.Head, third, "", ""); err != nil || p.Again != 0 || len(p.List.Lines) != 2 || len(p.Channels) != 1 {
			t.Fatalf("%+v %v", p.List, err)
		}
		for i, place := range []string{"一楼", "三楼"} {
			if l := p.List.Lines[i]; l.Place != place || l.Serial != i+1 || l.Custodian != "顾晓棠" || l.Channel != "展台" || l.Why != "" {
				t.Errorf("copy %+v", l)
			}
		}
		if _, _, err := w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{}); err == nil {
			t.Error("a replaced code got a copy")
		}
		list, err := w.codes.Prints(ctx, w.Head, "")
		if err != nil || len(list.Lines) != 2 || list.Lines[0].Why != "replaced" || list.Lines[0].Successor != second {
			t.Errorf("%+v %v", list, err)
		}
	})
}

// What stood on the paper is compared with what is true now.
func TestStalePrints(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		id := w.issue(code.Form{Validity: "30d"})
		_, _, err := w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{Count: "3"})
		w.ok(err)
		w.print(id, 0, 1, 2, 77)
		why := func(want string) {
			t.Helper()
			if l := w.line(id, 1); l.Why != want || l.PrintedAt == nil {
				t.Errorf("stale because of %q, want %q", l.Why, want)
			}
			n, err := w.codes.StaleCount(ctx, w.Head, 100)
			list, err2 := w.codes.Prints(ctx, w.Head, "")
			if err != nil || err2 != nil || n != len(list.Lines) || (n > 0) != (want != "") {
				t.Errorf("%q: counted %d, listed %d, %v %v", want, n, len(list.Lines), err, err2)
			}
		}
		why("")
		if l := w.line(id, 3); l.PrintedAt != nil {
			t.Error("a copy that was not printed counts as printed")
		}
		for _, c := range []struct{ why, change, back string }{
			{"organisation", "UPDATE organisation SET name = '新名'", "UPDATE organisation SET name = '晨星科技'"},
			{"group", "UPDATE groups SET name = '新群'", "UPDATE groups SET name = '平台群'"},
			{"department", "UPDATE departments SET name = '新中心' WHERE name = '研发中心'", "UPDATE departments SET name = '研发中心' WHERE name = '新中心'"},
			{"", "UPDATE departments SET name = '别处' WHERE name = '市场部'", "SELECT 1"},
		} {
			w.exec(c.change)
			why(c.why)
			w.exec(c.back)
			why("")
		}
		w.clock.Add(time.Hour)
		w.ok(w.codes.Refresh(ctx, w.Head, id, code.Renewal{}))
		why("validity")
		w.print(id, 1, 2)
		why("")
		w.clock.Add(31 * 24 * time.Hour)
		why("expired")
		if n, err := w.codes.StaleCount(ctx, w.OtherHead, 100); n != 0 || err != nil {
			t.Errorf("a foreign head counts %d, %v", n, err)
		}
		if list, err := w.codes.Prints(ctx, w.OtherHead, ""); len(list.Lines) != 0 || err != nil {
			t.Errorf("a foreign head reads %v, %v", list, err)
		}
		w.ok(w.codes.Revoke(ctx, w.Head, id, "x"))
		why("revoked")
		for serial := range 3 {
			w.ok(w.codes.RemoveCopy(ctx, w.Head, id, serial+1, false))
		}
		why("")
		w.ok(w.codes.RemoveCopy(ctx, w.Head, id, 1, true))
		why("revoked")
	})
}

func TestStalePrintsPage(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		id := w.issue(code.Form{})
		_, _, err := w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{Count: "120"})
		w.ok(err)
		for serial := range 60 {
			w.exec("UPDATE code_copies SET last_scan_at = ? WHERE serial = ?", w.clock.Now().Add(time.Duration(serial/7)*time.Minute).UTC(), serial+1)
		}
		w.ok(w.codes.Revoke(ctx, w.Head, id, "x"))
		seen, after := map[int]bool{}, ""
		for range 3 {
			list, err := w.codes.Prints(ctx, w.Head, after)
			w.ok(err)
			for _, l := range list.Lines {
				seen[l.Serial] = true
			}
			after = list.Next
		}
		if len(seen) != 120 || after != "" {
			t.Errorf("%d on three pages, next %q", len(seen), after)
		}
		seen, after = map[int]bool{}, ""
		for range 3 {
			p, err := w.codes.Copies(ctx, w.Head, id, "stale", after)
			w.ok(err)
			for _, l := range p.List.Lines {
				seen[l.Serial] = true
			}
			after = p.List.Next
		}
		if len(seen) != 120 || after != "" {
			t.Errorf("%d on the code's three pages, next %q", len(seen), after)
		}
	})
}

func TestChannels(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		id := w.issue(code.Form{})
		add := func(name, source string) error {
			return w.codes.AddChannel(ctx, w.Head, id, code.ChannelForm{Name: name, Source: source, Campaign: "春 & 季"})
		}
		w.ok(add("Weibo", "微博=1"))
		w.invalid(add("weibo", "x"), "channel_name")
		w.invalid(add("另一个", "微博=1"), "utm_source")
		w.invalid(add(" ", "x"), "channel_name")
		w.invalid(add(strings.Repeat("长", 61), "x"), "channel_name")
		w.invalid(add("a", strings.Repeat("长", 101)), "utm_source")
		w.invalid(add("a", "a\x07b"), "utm_source")
		w.ok(add("b", strings.Repeat("长", 100)))
		errs := together(6, func(int) error { return add("同名", "") })
		if done, _ := errorsOf(errs); done != 1 {
			t.Errorf("%d channels of one name", done)
		}
		w.exec("INSERT INTO scan_funnel (code_id, day, channel, copy_serial, live, joined) SELECT id, '2026-11-20', 'Weibo', 0, 5, 2 FROM codes")
		w.exec("INSERT INTO scan_funnel (code_id, day, channel, copy_serial, live, joined) SELECT id, '2026-11-21', 'Weibo', 3, 4, 1 FROM codes")
		p, err := w.codes.Copies(ctx, w.Head, id, "", "")
		w.ok(err)
		weibo, b := p.Channels[0], p.Channels[1]
		if weibo.Live != 9 || weibo.Joined != 3 || weibo.Link != w.codes.URL(id, 0)+"?utm_source=%E5%BE%AE%E5%8D%9A%3D1&utm_campaign=%E6%98%A5%20%26%20%E5%AD%A3" {
			t.Errorf("%+v", weibo)
		}
		w.conflict(w.codes.DeleteChannel(ctx, w.Head, id, weibo.ID), "")
		w.ok(w.codes.DeleteChannel(ctx, w.Head, id, b.ID))
		other := w.issue(code.Form{})
		if err := w.codes.DeleteChannel(ctx, w.Head, other, weibo.ID); !errors.Is(err, fault.NotFound) {
			t.Errorf("another code's channel: %v", err)
		}
	})
}

// A photo is drawn anew: what else was in the file is gone.
func TestAPhotoOfACopy(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		id := w.issue(code.Form{})
		_, _, err := w.codes.AddCopies(ctx, w.Head, id, code.CopyForm{Custodian: "DP0005"})
		w.ok(err)
		edit := func(photo []byte, drop bool) error {
			return w.codes.EditCopy(ctx, w.Head, id, 1, code.CopyEdit{CopyForm: code.CopyForm{Place: "<b>厅</b>", Custodian: "DP0005"}, Photo: photo, DropPhoto: drop})
		}
		for _, bad := range [][]byte{[]byte("<svg onload=alert(1)>"), []byte("\x89PNG\r\n\x1a\nxx"), bytes.Repeat([]byte("x"), 3<<20), []byte("GIF89a")} {
			w.invalid(edit(bad, false), "photo")
		}
		var upload bytes.Buffer
		w.ok(png.Encode(&upload, image.NewGray(image.Rect(0, 0, 2000, 1000))))
		w.ok(edit(append(upload.Bytes(), "<script>"...), false))
		p, err := w.codes.CopyPhoto(ctx, w.Head, id, 1)
		if err != nil || p.ContentType != "image/jpeg" || bytes.Contains(p.Content, []byte("script")) {
			t.Fatalf("%s %v", p.ContentType, err)
		}
		if shape, kind, err := image.DecodeConfig(bytes.NewReader(p.Content)); err != nil || kind != "jpeg" || shape.Width != 960 || shape.Height != 480 {
			t.Errorf("%v %s %v", shape, kind, err)
		}
		w.ok(edit(nil, false))
		if n := w.number("SELECT count(*) FROM files"); n != 1 || w.line(id, 1).Custodian != "顾晓棠" || w.line(id, 1).Place != "<b>厅</b>" {
			t.Errorf("%d files, %+v", n, w.line(id, 1))
		}
		g, err := w.codes.GenuineTyped(ctx, *w.line(id, 1).TypedCode)
		if err != nil || g.Photo == nil || !bytes.Equal(g.Photo.Content, p.Content) {
			t.Errorf("the page of genuineness has no photo: %v", err)
		}
		w.ok(edit(nil, true))
		if n := w.number("SELECT count(*) FROM files"); n != 0 {
			t.Errorf("%d files", n)
		}
	})
}

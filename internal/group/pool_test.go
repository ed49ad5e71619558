package group_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/qr"
)

func drawn(t *testing.T, content string) group.Upload {
	t.Helper()
	m, err := qr.Encode(content, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := m.PNG(300)
	if err != nil {
		t.Fatal(err)
	}
	return group.Upload{Name: content + ".png", Content: picture}
}

// chat is a group whose chat gives out codes that die.
func (w world) chat(t *testing.T, urls ...string) (int64, string) {
	t.Helper()
	id, gid := w.Group(t, w.db, "客户群", group.External, group.Open, w.RD, 100)
	if err := w.db.Exec("UPDATE groups SET entry_kind = 'upstream' WHERE id = ?", id).Error; err != nil {
		t.Fatal(err)
	}
	for _, url := range urls {
		if err := w.groups.AddImages(context.Background(), w.Head, gid, group.ImagesDraft{Files: []group.Upload{drawn(t, url)}}); err != nil {
			t.Fatal(err)
		}
	}
	return id, gid
}

// guests lets n people in.
func (w world) guests(t *testing.T, groupID int64, n int) []group.Person {
	t.Helper()
	all := make([]group.Person, n)
	for i := range all {
		id := int64(w.number(t, "INSERT INTO guests (name, phone, created_at) VALUES (?, ?, ?) RETURNING id", fmt.Sprint("访客", i), fmt.Sprintf("+86137%08d", i), w.clock.Now()))
		all[i] = group.Person{GuestID: &id}
		err := w.db.Transaction(func(tx *gorm.DB) error {
			_, err := group.Admit(tx, &group.Membership{GroupID: groupID, GuestID: &id, Source: "code"}, w.clock.Now())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func (w world) show(t *testing.T, gid string, p group.Person) group.EntryView {
	t.Helper()
	g, err := group.Load(w.db, gid)
	if err != nil {
		t.Fatal(err)
	}
	v, err := group.Show(w.db, g, p, w.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (w world) imageOf(t *testing.T, url string) int64 {
	t.Helper()
	return int64(w.number(t, "SELECT id FROM entry_images WHERE url = ?", url))
}

// Sixty people look twice at once; the first two images are for twenty each.
func TestAnImageIsForSoManyPeople(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		id, gid := w.chat(t, "https://c.example/1", "https://c.example/2", "https://c.example/3")
		ctx := context.Background()
		for _, url := range []string{"https://c.example/1", "https://c.example/2"} {
			if err := w.groups.LimitImage(ctx, w.Head, gid, w.imageOf(t, url), "20"); err != nil {
				t.Fatal(err)
			}
		}
		people := w.guests(t, id, 60)
		seen := make([]string, 120)
		for _, err := range together(120, func(i int) error {
			g, err := group.Load(w.db, gid)
			if err != nil {
				return err
			}
			v, err := group.Show(w.db, g, people[i/2], w.clock.Now())
			seen[i] = v.URL
			return err
		}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		got := map[string]int{}
		for i := 0; i < 120; i += 2 {
			got[seen[i]]++
			if seen[i] != seen[i+1] {
				t.Errorf("person %d saw %q and %q", i/2, seen[i], seen[i+1])
			}
		}
		for _, n := range []string{"1", "2", "3"} {
			if url := "https://c.example/" + n; got[url] != 20 || w.number(t, "SELECT uses FROM entry_images WHERE url = ?", url) != 20 {
				t.Errorf("%s was shown to %d, counted %d", url, got[url], w.number(t, "SELECT uses FROM entry_images WHERE url = ?", url))
			}
		}
	})
}

func TestTheImageIsTheirsWhileItWorks(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		ctx := context.Background()
		id, gid := w.chat(t, "https://c.example/1", "https://c.example/2")
		p := w.guests(t, id, 3)
		if v := w.show(t, gid, p[0]); v.URL != "https://c.example/1" || v.Number != 0 {
			t.Errorf("%+v", v)
		}
		if err := w.groups.MoveImage(ctx, w.Head, gid, w.imageOf(t, "https://c.example/2"), true); err != nil {
			t.Fatal(err)
		}
		if a, b := w.show(t, gid, p[0]), w.show(t, gid, p[1]); a.URL != "https://c.example/1" || b.URL != "https://c.example/2" {
			t.Errorf("after the move: %s, %s", a.URL, b.URL)
		}
		if err := w.groups.MarkDead(ctx, w.Head, gid, w.imageOf(t, "https://c.example/1"), "群主重置了"); err != nil {
			t.Fatal(err)
		}
		if v := w.show(t, gid, p[0]); v.URL != "https://c.example/2" {
			t.Errorf("after the death: %s", v.URL)
		}
		var c fault.Conflict
		if err := w.groups.MarkDead(ctx, w.Super, gid, w.imageOf(t, "https://c.example/1"), ""); !errors.As(err, &c) || c.By != w.Head.Name {
			t.Errorf("the second to say so: %v", err)
		}
		// All dead: a place on the list, in the order of looking.
		if err := w.groups.MarkDead(ctx, w.Head, gid, w.imageOf(t, "https://c.example/2"), ""); err != nil {
			t.Fatal(err)
		}
		for n, i := range []int{1, 2, 0} {
			w.clock.Add(time.Second)
			if v := w.show(t, gid, p[i]); v.Number != n+1 || !v.Expired(w.clock.Now()) {
				t.Errorf("person %d is number %d", i, v.Number)
			}
		}
		if v := w.show(t, gid, p[2]); v.Number != 2 {
			t.Errorf("looking again makes them number %d", v.Number)
		}
		all, err := w.groups.RunningOut(ctx, w.Head)
		if err != nil || len(all) != 1 || all[0].Waiting != 3 || all[0].State != group.RanOut || all[0].Path != "/groups/"+gid+"/entry" {
			t.Errorf("%+v %v", all, err)
		}
		if err := w.groups.ReplaceImage(ctx, w.Head, gid, drawn(t, "https://c.example/3"), false); err != nil {
			t.Fatal(err)
		}
		for _, one := range p {
			if v := w.show(t, gid, one); v.URL != "https://c.example/3" || v.Number != 0 {
				t.Errorf("after the new image: %+v", v)
			}
		}
		if n := w.number(t, "SELECT count(*) FROM entry_shown WHERE image_id IS NULL"); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}

func TestThePoolSwitchesByItself(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		ctx := context.Background()
		_, gid := w.chat(t, "https://c.example/1")
		later := w.clock.Now().AddDate(0, 0, 20).Format("2006-01-02")
		if err := w.groups.AddImages(ctx, w.Head, gid, group.ImagesDraft{Files: []group.Upload{drawn(t, "https://c.example/2")}, ValidUntil: later}); err != nil {
			t.Fatal(err)
		}
		now := func() group.EntryView {
			g, err := group.Load(w.db, gid)
			if err != nil {
				t.Fatal(err)
			}
			v, err := group.Entry(w.db, g, w.clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		reminded := func(want int, state string) {
			t.Helper()
			all, err := w.groups.RunningOut(ctx, w.Head)
			if err != nil || len(all) != want || want > 0 && all[0].State != state {
				t.Errorf("%+v %v", all, err)
			}
			if other, err := w.groups.RunningOut(ctx, w.OtherHead); err != nil || len(other) != 0 {
				t.Errorf("another head is reminded of %v, %v", other, err)
			}
		}
		if v := now(); v.URL != "https://c.example/1" || v.Spares != 1 || v.Trouble(w.clock.Now()) != "" {
			t.Errorf("%+v", v)
		}
		w.clock.Add(6 * 24 * time.Hour)
		reminded(0, "") // the spare outlasts it
		w.clock.Add(25 * time.Hour)
		if v := now(); v.URL != "https://c.example/2" || v.Spares != 0 {
			t.Errorf("after its date: %+v", v)
		}
		w.clock.Add(12 * 24 * time.Hour)
		reminded(1, group.RunsOut)
		w.clock.Add(2 * 24 * time.Hour)
		reminded(1, group.RanOut)
		if v := now(); v.Trouble(w.clock.Now()) != "expired" {
			t.Errorf("when all are past: %+v", v)
		}
		keeper := w.Staff
		keeper.Keeps = []int64{int64(w.number(t, "SELECT id FROM groups WHERE gid = ?", gid))}
		if all, err := w.groups.RunningOut(ctx, keeper); err != nil || len(all) != 1 {
			t.Errorf("the keeper is reminded of %v, %v", all, err)
		}
	})
}

func TestWhatThePoolDoesNotTake(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		ctx := context.Background()
		_, gid := w.chat(t, "https://c.example/1", "https://c.example/2")
		if err := w.groups.MarkDead(ctx, w.Head, gid, w.imageOf(t, "https://c.example/2"), ""); err != nil {
			t.Fatal(err)
		}
		var grey bytes.Buffer
		if err := png.Encode(&grey, image.NewGray(image.Rect(0, 0, 80, 80))); err != nil {
			t.Fatal(err)
		}
		good := drawn(t, "https://c.example/9")
		for name, files := range map[string][]group.Upload{
			"none": nil, "empty": {{Name: "a.png"}}, "no code": {{"a.png", grey.Bytes()}}, "pdf": {{"a.pdf", []byte("%PDF-1.7 nothing")}},
			"heic": {{"a.heic", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00")}}, "large": {{"a.png", bytes.Repeat([]byte("x"), qr.MaxBytes+1)}},
			"the same": {drawn(t, "https://c.example/1")}, "a dead one": {drawn(t, "https://c.example/2")}, "twice": {good, good},
			"one bad among good ones": {good, {"b.png", grey.Bytes()}}, "nine": {good, good, good, good, good, good, good, good, good},
			"a hostile name": {{strings.Repeat("\u202e<b>\x00", 4000), []byte("GIF89a")}},
		} {
			var bad fault.Invalid
			if err := w.groups.AddImages(ctx, w.Head, gid, group.ImagesDraft{Files: files}); !errors.As(err, &bad) || bad["images"].Key == "" {
				t.Errorf("%s: %v", name, err)
			}
		}
		for field, d := range map[string]group.ImagesDraft{"valid_until": {ValidUntil: "2020-01-01"}, "max_uses": {MaxUses: "-1"}} {
			d.Files = []group.Upload{good}
			var bad fault.Invalid
			if err := w.groups.AddImages(ctx, w.Head, gid, d); !errors.As(err, &bad) || bad[field].Key == "" {
				t.Errorf("%s: %v", field, err)
			}
		}
		if n := w.number(t, "SELECT count(*) FROM entry_images"); n != 2 {
			t.Errorf("%d images", n)
		}
		if err := w.groups.AddImages(ctx, w.OtherHead, gid, group.ImagesDraft{Files: []group.Upload{good}}); !errors.Is(err, fault.NotFound) {
			t.Errorf("a foreign head: %v", err)
		}
		other, _ := w.chat(t)
		if err := w.groups.RemoveImage(ctx, w.Head, w.gid(t, other), w.imageOf(t, "https://c.example/1")); !errors.Is(err, fault.NotFound) {
			t.Errorf("another group's image: %v", err)
		}
	})
}

func (w world) gid(t *testing.T, id int64) (gid string) {
	t.Helper()
	if err := w.db.Raw("SELECT gid FROM groups WHERE id = ?", id).Scan(&gid).Error; err != nil {
		t.Fatal(err)
	}
	return gid
}

func TestStartingAndStoppingASeries(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		ctx := context.Background()
		id, gid := w.Group(t, w.db, "北区客户群 3", group.Internal, group.Open, w.RD, 2)
		external, externalGID := w.Group(t, w.db, "客户群", group.External, group.Open, w.RD, 2)
		for _, c := range []struct {
			by        access.Actor
			gid, base string
			threshold string
			want      string
		}{
			{w.OtherHead, gid, "x", "90", "not found"}, {w.Head, externalGID, "x", "90", "forbidden"}, {w.Head, gid, "  ", "90", "invalid"},
			{w.Head, gid, strings.Repeat("名", 54), "90", "invalid"}, {w.Head, gid, "x", "0", "invalid"}, {w.Head, gid, "x", "101", "invalid"}, {w.Head, gid, "x", "many", "invalid"},
			{w.Head, gid, "北区客户群", "", "done"}, {w.Head, gid, "北区客户群", "100", "done"},
		} {
			if got := kind(w.groups.StartSeries(ctx, c.by, c.gid, c.base, c.threshold)); got != c.want {
				t.Errorf("%q %q: %s, want %s", c.base, c.threshold, got, c.want)
			}
		}
		add := func(a access.Actor) string {
			return kind(w.groups.AddMember(ctx, w.Head, gid, fmt.Sprint(a.MemberID), ""))
		}
		w.db.Exec("UPDATE groups SET entry_kind = 'link', entry_url = 'https://chat.example/3' WHERE id = ?", id)
		if add(w.Staff)+add(w.Head) != "donedone" {
			t.Error("adding failed")
		}
		if n := w.number(t, "SELECT count(*) FROM groups WHERE name = '北区客户群 4' AND entry_kind = 'none' AND capacity = 2 AND join_mode = 'open' AND series_no = 4"); n != 1 {
			t.Error("the fourth group is missing")
		}
		if n := w.number(t, "SELECT count(*) FROM audit_entries WHERE action = 'group.create' AND actor_kind = 'system'"); n != 1 {
			t.Errorf("%d entries by the system", n)
		}
		all, err := w.groups.RunningOut(ctx, w.Head)
		if err != nil || len(all) != 1 || all[0].State != group.NoEntry || all[0].No != 4 {
			t.Errorf("%+v %v", all, err)
		}
		if got := kind(w.groups.StopSeries(ctx, w.Head, gid)) + kind(w.groups.StopSeries(ctx, w.Head, gid)); got != "doneconflict" {
			t.Error(got)
		}
		fourth := w.gid(t, int64(w.number(t, "SELECT id FROM groups WHERE series_no = 4")))
		for _, a := range []access.Actor{w.Super, w.Super2} {
			if got := kind(w.groups.AddMember(ctx, w.Head, fourth, fmt.Sprint(a.MemberID), "")); got != "done" {
				t.Error(got)
			}
		}
		if n := w.number(t, "SELECT count(*) FROM groups WHERE series_id IS NOT NULL"); n != 2 {
			t.Errorf("a stopped series has %d groups", n)
		}
		if got := kind(w.groups.StartSeries(ctx, w.Head, gid, "北区客户群", "100")); got != "done" || w.number(t, "SELECT count(*) FROM groups WHERE series_no = 5") != 1 {
			t.Errorf("resumed: %s", got)
		}
		if got := kind(w.groups.StartSeries(ctx, w.Super, externalGID, "客户群", "100")); got != "done" || w.number(t, "SELECT series_no FROM groups WHERE id = ?", external) != 1 {
			t.Errorf("a super admin's external series: %s", got)
		}
	})
}

func kind(err error) string {
	var c fault.Conflict
	var i fault.Invalid
	var f fault.Forbidden
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &c):
		return "conflict"
	case errors.As(err, &i):
		return "invalid"
	case errors.As(err, &f):
		return "forbidden"
	case errors.Is(err, fault.NotFound):
		return "not found"
	}
	return err.Error()
}

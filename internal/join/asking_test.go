package join_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/testkit"
)

// asksFor sets what a group asks.
func (r *room) asksFor(gid string, d group.AskingDraft) {
	r.t.Helper()
	d.Version = -1
	r.must(r.groups().SaveAsking(context.Background(), r.w.Super, gid, d))
}

// invites makes a batch and returns its codes.
func (r *room) invites(gid string, quantity, uses int) (batch int64, codes []string) {
	r.t.Helper()
	batch, err := r.joins.MakeInvites(context.Background(), r.w.Super, gid, join.InviteDraft{Label: "展会", Quantity: fmt.Sprint(quantity), Uses: fmt.Sprint(uses)})
	r.must(err)
	sheet, err := r.joins.InviteList(context.Background(), r.w.Super, gid, batch)
	r.must(err)
	for _, i := range sheet.Codes {
		codes = append(codes, i.Code)
	}
	return batch, codes
}

// refusal is the key of what is wrong with a field, or the error in words.
func refusal(err error, field string) string {
	var bad fault.Invalid
	var many fault.TooMany
	switch {
	case err == nil:
		return ""
	case errors.As(err, &many):
		return "many"
	case errors.As(err, &bad):
		return bad[field].Key
	}
	return err.Error()
}

var fullAsking = group.AskingDraft{Invite: true, Last4: true, Question: "班主任姓什么？", Answers: "欧阳\nOu Yang", Domains: "Example.com",
	Fields: []group.FieldDraft{{Label: "部门", Kind: "choice", Options: "甲\n乙", Required: true}, {Label: "工龄", Kind: "number"}, {Label: "到岗", Kind: "date"}, {Label: "会开车", Kind: "yesno"}, {Label: "想说的", Kind: "text"}}}

func fullProofs(invite string) join.Proofs {
	return join.Proofs{Answer: " ｏｕ　YANG ", Invite: strings.ToLower(invite), Last4: "０００５", Email: "li@EXAMPLE.com",
		Fields: map[string]string{"q1": "乙", "q2": "３.５0", "q3": "2026-11-23", "q4": "yes", "q5": "你好\n😀"}}
}

// Everything that can be asked is asked at once, in each mode.
func TestChallengesCombineWithAnyMode(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		for _, mode := range []string{"approval", "open"} {
			g, gid := r.w.Group(t, r.db, "群"+mode, "internal", mode, r.w.RD, 10)
			r.asksFor(gid, fullAsking)
			_, codes := r.invites(gid, 2, 1)
			cookie := r.scanned(r.code(g))
			v := r.submit(join.Visitor{Secret: cookie, Proved: r.w.StaffPhone}, join.Form{})
			r.show(v, join.StateForm)
			for _, field := range []string{"answer", "invite_code", "phone_last4", "email", "q1"} {
				if !strings.HasPrefix(v.Lacks[field].Key, "asking.join.missing") {
					t.Errorf("%s: %q is missing", mode, field)
				}
			}
			for field, spoil := range map[string]func(*join.Proofs){
				"answer": func(p *join.Proofs) { p.Answer = "李" }, "invite_code": func(p *join.Proofs) { p.Invite = "00000-00000" }, "phone_last4": func(p *join.Proofs) { p.Last4 = "0006" },
				"email": func(p *join.Proofs) { p.Email = "li@example.com.evil.cn" }, "q1": func(p *join.Proofs) { p.Fields["q1"] = "丙" }, "q2": func(p *join.Proofs) { p.Fields["q2"] = "NaN" },
				"q3": func(p *join.Proofs) { p.Fields["q3"] = "2026-02-30" }, "q4": func(p *join.Proofs) { p.Fields["q4"] = "maybe" }, "q5": func(p *join.Proofs) { p.Fields["q5"] = strings.Repeat("长", 4000) },
			} {
				p := fullProofs(codes[0])
				spoil(&p)
				_, err := r.joins.Submit(context.Background(), join.Visitor{Secret: cookie}, join.Form{Proofs: p})
				if why := refusal(err, field); why == "" || why == "many" {
					t.Errorf("%s: a wrong %s: %v", mode, field, err)
				}
			}
			v = r.submit(join.Visitor{Secret: cookie}, join.Form{Proofs: fullProofs(codes[0])})
			if mode == "open" {
				r.show(v, join.StateIn)
				if n := r.count("SELECT count(*) FROM stay_answers"); n != 9 {
					t.Errorf("%d answers with the stay", n)
				}
				continue
			}
			r.show(v, join.StatePending)
			all, err := join.AnswersOf(r.db, v.Request.ID)
			r.must(err)
			got := ""
			for _, a := range all[v.Request.ID] {
				got += fmt.Sprintf("%s %s %s=%s\n", a.FieldKey, a.Kind, a.Label, a.Value)
			}
			want := "invite_code invite 展会=#1\nphone_last4 last4 =\nanswer question 班主任姓什么？=ｏｕ YANG\nemail email =li@EXAMPLE.com\nq1 choice 部门=乙\nq2 number 工龄=3.5\nq3 date 到岗=2026-11-23\nq4 yesno 会开车=yes\nq5 text 想说的=你好\n😀\n"
			if got != want {
				t.Errorf("answers:\n%swant:\n%s", got, want)
			}
		}
	})
}

// Sixty guesses at once, the right one among them, from sixty scans of one
// person: no more are compared than the limit lets, and the others are not looked at.
func TestParallelGuessesDoNotBeatTheLimit(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, gid := r.w.Group(t, r.db, "研发群", "internal", "approval", r.w.RD, 10)
		r.asksFor(gid, group.AskingDraft{Last4: true})
		id := r.code(g)
		cookies := make([]string, 60)
		for i := range cookies {
			cookies[i] = r.scanned(id)
		}
		guess := func(i int) string {
			typed := fmt.Sprintf("%04d", 9000+i)
			if i == 37 {
				typed = "0005"
			}
			v, err := r.joins.Submit(context.Background(), join.Visitor{Secret: cookies[i], SignedIn: &r.w.Staff.MemberID, Address: fmt.Sprintf("192.0.2.%d", i%40)}, join.Form{Proofs: join.Proofs{Last4: typed}})
			if why := refusal(err, "phone_last4"); why != "" {
				return why
			}
			return string(v.State)
		}
		got := parallel(60, guess)
		// Once the right one was looked at, the others are shown the request; nothing is compared for them.
		wrong, right, many := got["asking.join.wrong.last4"], got["pending"], got["many"]
		if wrong > join.GuessesOfVisitor || wrong+right+many != 60 || many == 0 || right > 0 != (r.count("SELECT count(*) FROM join_requests") == 1) {
			t.Errorf("answers %v", got)
		}
		// The rest of a try is no way around: after the limit even the right one is not looked at, until the hour is over.
		r.exec("DELETE FROM request_answers")
		r.exec("DELETE FROM join_requests")
		if again := guess(37); wrong == join.GuessesOfVisitor && again != "many" {
			t.Errorf("after the limit: %s", again)
		}
		r.clock.Add(time.Hour + time.Second)
		cookies[37] = r.scanned(id)
		if again := guess(37); again != "pending" {
			t.Errorf("after an hour: %s", again)
		}
	})
}

// Sixty strangers in one building try invite codes at once; one of them holds a right one.
func TestParallelGuessesFromOneAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, gid := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.RD, 100)
		r.asksFor(gid, group.AskingDraft{Invite: true})
		_, codes := r.invites(gid, 1, 1)
		id := r.code(g)
		cookies := make([]string, 60)
		for i := range cookies {
			cookies[i] = r.scanned(id)
		}
		got := parallel(60, func(i int) string {
			typed := fmt.Sprintf("AAAAA-%05d", i)
			if i == 20 {
				typed = codes[0]
			}
			v, err := r.joins.Submit(context.Background(), join.Visitor{Secret: cookies[i], Proved: fmt.Sprintf("+86137%08d", i), Address: fmt.Sprintf("2001:db8::%x", i)},
				join.Form{Name: "熊大力", Proofs: join.Proofs{Invite: typed}})
			if why := refusal(err, "invite_code") + v.Lacks["invite_code"].Key; why != "" {
				return why
			}
			return string(v.State)
		})
		if wrong := got["asking.join.wrong.invite"]; wrong > join.GuessesOfAddress || wrong+got["pending"] < join.GuessesOfAddress || wrong+got["pending"]+got["many"] != 60 || got["pending"] > 1 {
			t.Errorf("answers %v", got)
		}
	})
}

// What is right or only missing costs no try; another visitor from the same house is not kept out by one.
func TestOnlyWrongGuessesCost(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, gid := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.RD, 500)
		r.asksFor(gid, group.AskingDraft{Question: "几楼？", Answers: "三楼"})
		id := r.code(g)
		for i := range 2 * join.GuessesOfAddress {
			v := r.submit(join.Visitor{Secret: r.scanned(id), Proved: fmt.Sprintf("+86137%08d", i), Address: "192.0.2.9"}, join.Form{Name: "熊大力", Proofs: join.Proofs{Answer: "三 楼"}})
			r.show(v, join.StatePending)
		}
		bad := r.scanned(id)
		r.submit(join.Visitor{Secret: bad, Proved: "+8613700009999"}, join.Form{Name: "熊二力"})
		for i := range 3 * join.GuessesOfVisitor {
			_, err := r.joins.Submit(context.Background(), join.Visitor{Secret: bad, Address: "192.0.2.9"}, join.Form{Proofs: join.Proofs{Answer: "五楼"}})
			if why := refusal(err, "answer"); (why == "many") != (i >= join.GuessesOfVisitor) {
				t.Fatalf("guess %d: %s", i, why)
			}
		}
		r.show(r.submit(join.Visitor{Secret: r.scanned(id), Proved: "+8613700008888", Address: "192.0.2.9"}, join.Form{Name: "熊三力", Proofs: join.Proofs{Answer: "三楼"}}), join.StatePending)
		if n := r.count("SELECT count(*) FROM throttles WHERE hits > ?", join.GuessesOfAddress); n != 0 {
			t.Errorf("%d counts of others grew with those of one", n)
		}
	})
}

// Thirty people hold one code of three uses.
func TestAnInviteCodeIsUsedAsOftenAsItMay(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		for _, mode := range []string{"approval", "open"} {
			g, gid := r.w.Group(t, r.db, "群"+mode, "external", mode, r.w.RD, 100)
			r.asksFor(gid, group.AskingDraft{Invite: true})
			batch, codes := r.invites(gid, 2, 3)
			id := r.code(g)
			cookies := make([]string, 30)
			for i := range cookies {
				cookies[i] = r.scanned(id)
			}
			got := parallel(30, func(i int) string {
				v, err := r.joins.Submit(context.Background(), join.Visitor{Secret: cookies[i], Proved: fmt.Sprintf("+86137%08d", i), Address: fmt.Sprint("192.0.2.", i)},
					join.Form{Name: fmt.Sprintf("访%c客", 'A'+i), Proofs: join.Proofs{Invite: codes[0]}})
				if why := refusal(err, "invite_code") + v.Lacks["invite_code"].Key; why != "" {
					return why
				}
				return string(v.State)
			})
			if got["pending"]+got["in"] != 3 || got["asking.join.wrong.invite"] != 27 {
				t.Errorf("%s: %v", mode, got)
			}
			if n := r.count("SELECT uses FROM invite_codes WHERE batch_id = ? AND number = 1", batch); n != 3 {
				t.Errorf("%d uses", n)
			}
			r.must(r.joins.RevokeInvites(context.Background(), r.w.Super, gid, batch, 0))
			_, err := r.joins.Submit(context.Background(), join.Visitor{Secret: r.scanned(id), Proved: "+8613712345678"}, join.Form{Name: "熊大力", Proofs: join.Proofs{Invite: codes[1]}})
			if err == nil && r.count("SELECT uses FROM invite_codes WHERE batch_id = ? AND number = 2", batch) != 0 {
				t.Error("a revoked code works")
			}
		}
		if n := r.count("SELECT count(*) FROM invite_codes WHERE length(hash) <> 64"); n != 0 {
			t.Error("a code is stored in words")
		}
	})
}

func TestACodeHasAModeOfItsOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		for _, c := range []struct {
			group, code string
			want        join.State
		}{{"approval", "open", join.StateIn}, {"open", "approval", join.StatePending}, {"approval", "restricted", join.StateRefused}, {"approval", "off", join.StateOff},
			{"off", "open", join.StateOff}, {"restricted", "approval", join.StatePending}, {"approval", "", join.StatePending}} {
			g, gid := r.w.Group(t, r.db, c.group+c.code, "internal", c.group, r.w.RD, 10)
			r.asksFor(gid, group.AskingDraft{Question: "几楼？", Answers: "三楼"})
			id := r.code(g)
			r.exec("UPDATE codes SET own_mode = ?, own_asks = '-question' WHERE id = ?", c.code, id)
			r.show(r.submit(join.Visitor{Secret: r.scanned(id), Proved: r.w.StaffPhone}, join.Form{}), c.want)
			f, err := code.LoadFactsByID(r.db, id)
			r.must(err)
			if off := f.State(r.clock.Now()) == code.Off; off != (c.want == join.StateOff) {
				t.Errorf("%s by %s: state %s", c.group, c.code, f.State(r.clock.Now()))
			}
		}
	})
}

// An open code over an approval group takes what opening the group takes.
func TestAnOpenCodeTakesTheRightToOpenTheGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		codes := code.New(r.db, testkit.Keys(), audit.New(testkit.Keys(), r.clock.Now), r.clock.Now, "https://x.example")
		g, gid := r.w.Group(t, r.db, "平台群", "internal", "approval", r.w.Platform, 10)
		r.exec("UPDATE groups SET owner_id = ? WHERE id = ?", r.w.Staff.MemberID, g)
		owner, err := directory.LoadActor(r.db, r.w.Staff.MemberID, r.clock.Now())
		r.must(err)
		open := code.Form{Validity: "7d", Mode: "open"}
		var forbidden fault.Forbidden
		if _, err := codes.Issue(ctx, owner, gid, open); !errors.As(err, &forbidden) || forbidden.Right != string(access.GroupSettings) {
			t.Errorf("the owner: %v", err)
		}
		id, err := codes.Issue(ctx, r.w.Head, gid, open)
		r.must(err)
		if err := codes.Adopt(ctx, owner, id, ""); err == nil {
			t.Error("somebody without the right took the open code on")
		}
		open.Validity, open.ConfirmPermanent = "permanent", true
		if _, err := codes.Issue(ctx, r.w.Head, gid, open); !errors.As(err, &forbidden) {
			t.Errorf("a head, permanent: %v", err)
		}
		var second code.NeedsSecond
		if _, err := codes.Issue(ctx, r.w.Super, gid, open); !errors.As(err, &second) {
			t.Errorf("a super admin, permanent: %v", err)
		}
		// Not while the group is off either: it will open again.
		r.exec("UPDATE groups SET join_mode = 'off' WHERE id = ?", g)
		if _, err := codes.Issue(ctx, r.w.Head, gid, open); !errors.As(err, &forbidden) {
			t.Errorf("a head, permanent, while the group is off: %v", err)
		}
		r.exec("UPDATE groups SET join_mode = 'approval' WHERE id = ?", g)
		id, err = codes.Issue(ctx, r.w.Head, gid, code.Form{Validity: "permanent", ConfirmPermanent: true})
		r.must(err)
		if err := codes.SaveTerms(ctx, r.w.Head, id, code.Form{Validity: code.Keep, Mode: "open", ConfirmPermanent: true}); !errors.As(err, &forbidden) {
			t.Errorf("a head opens a permanent code: %v", err)
		}
		if err := codes.SaveTerms(ctx, r.w.Super, id, code.Form{Validity: code.Keep, Mode: "open", ConfirmPermanent: true}); !errors.As(err, &second) {
			t.Errorf("a super admin opens a permanent code: %v", err)
		}
	})
}

func TestADraftSurvives(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		g, gid := r.w.Group(t, r.db, "研发群", "internal", "approval", r.w.RD, 10)
		r.asksFor(gid, group.AskingDraft{Question: "几楼？", Answers: "三楼"})
		id := r.code(g)
		cookie := r.scanned(id)
		long := strings.Repeat("长", 5000)
		r.must(r.joins.KeepDraft(ctx, cookie, join.Draft{"note": "新来的\x00", "answer": "三", "password": "secret", "phone_last4": "0005", "code": "123456", "q1": long, "evil": "x"}))
		d := r.at(cookie).Draft
		if d["note"] != "新来的\x00" || d["answer"] != "三" || len([]rune(d["q1"])) != 4000 || len(d) != 3 {
			t.Errorf("draft of %d fields, %q %q", len(d), d["note"], d["answer"])
		}
		if n := r.count("SELECT count(*) FROM join_sessions WHERE draft LIKE '%answer%'"); r.db.Name() == "sqlite" && n != 0 {
			t.Error("the draft is not sealed")
		}
		fresh, other := r.scanned(id), r.scanned(r.code(g))
		r.must(r.joins.CarryDraft(ctx, cookie, fresh))
		r.must(r.joins.CarryDraft(ctx, cookie, other))
		if r.at(fresh).Draft["answer"] != "三" || len(r.at(other).Draft) != 0 {
			t.Error("a fresh scan of the same code does not go on where the visitor was")
		}
		r.submit(join.Visitor{Secret: cookie, Proved: r.w.StaffPhone}, join.Form{Proofs: join.Proofs{Answer: "三楼"}})
		if n := r.count("SELECT count(*) FROM join_sessions WHERE draft IS NOT NULL"); n != 1 {
			t.Errorf("%d drafts are left, want that of the other visit", n)
		}
		var gone fault.Gone
		if err := r.joins.KeepDraft(ctx, "nobody", join.Draft{"note": "x"}); !errors.As(err, &gone) {
			t.Errorf("without a cookie: %v", err)
		}
	})
}

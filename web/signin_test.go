package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"doorplate/internal/jobs"
	"doorplate/internal/testkit"
	"doorplate/web"
)

// codes sends what is queued and returns the codes in it, by number.
func (s *site) codes() map[string]string {
	s.t.Helper()
	sent := map[string]string{}
	outbox := jobs.New(s.db, testkit.Keys(), s.clock.Now, slog.New(slog.NewTextHandler(testLog{}, nil)))
	outbox.Handle("sms", func(_ context.Context, payload []byte) error {
		var m struct{ To, Code string }
		err := json.Unmarshal(payload, &m)
		sent[m.To] = m.Code
		return err
	})
	for {
		worked, err := outbox.Next(context.Background())
		if err != nil {
			s.t.Fatal(err)
		}
		if !worked {
			return sent
		}
	}
}

// fill opens the page and posts its form (the first one to action), hidden
// fields included, with pairs set.
func (b *browser) fill(path, action string, pairs ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.post(action, append(b.hidden(b.get(path), action), pairs...)...)
}

// hidden returns the hidden fields of the answer's first form to action.
func (b *browser) hidden(rec *httptest.ResponseRecorder, action string) (pairs []string) {
	b.t.Helper()
	form := page(b.t, rec).Find(`form[action="` + action + `"]`).First()
	if form.Length() == 0 {
		b.t.Fatalf("no form to %s: %d %.300s", action, rec.Code, rec.Body)
	}
	fields := form.Find(`input[type="hidden"]`)
	for i := range fields.Nodes {
		pairs = append(pairs, fields.Eq(i).AttrOr("name", ""), fields.Eq(i).AttrOr("value", ""))
	}
	return pairs
}

// signIn goes through both steps and returns the last answer.
func (b *browser) signIn(phone, next string) *httptest.ResponseRecorder {
	b.t.Helper()
	first := b.fill("/login?next="+url.QueryEscape(next), "/login", "phone", phone)
	want(b.t, first, 303, "/login/verify")
	return b.fill(first.Header().Get("Location"), "/login/verify", "code", b.codes()["+86"+phone])
}

func TestSignInByCode(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		b := s.visitor()
		b.cookies["doorplate_session"] = "fixed by an attacker"
		want(t, b.signIn("13800000005", "/groups?q=a b"), 303, "/groups?q=a b")
		if id := b.cookies["doorplate_session"]; len(id) < 40 {
			t.Errorf("session id %q", id)
		}
		if b.cookies["doorplate_challenge"] != "" {
			t.Error("the challenge cookie stayed")
		}
		want(t, b.get("/login"), 303, "/")
		want(t, b.get("/login/verify"), 303, "/")
		want(t, b.get("/settings/devices"), 200)
		stolen := b.cookies["doorplate_session"]
		want(t, b.post("/logout"), 303, "/login")
		want(t, b.get("/settings/devices"), 303, "/login?next=%2Fsettings%2Fdevices")
		b.cookies["doorplate_session"] = stolen
		want(t, b.get("/settings/devices"), 303, "/login")
	})
}

func TestNextStaysHere(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for _, next := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "javascript:alert(1)"} {
			rec := s.visitor().fill("/login?next="+url.QueryEscape(next), "/login", "phone", "13800000005", "next", next)
			want(t, rec, 303, "/login/verify")
			if rec.Header().Get("Location") != "/login/verify" {
				t.Errorf("%s led to %s", next, rec.Header().Get("Location"))
			}
			s.db.Exec("DELETE FROM throttles")
		}
	})
}

var secrets = regexp.MustCompile(`value="[A-Za-z0-9_-]{50,}"|13\d{9}|13\d\*+\d{4}`)

// Whoever watches the answers learns nothing about who is on file.
func TestAnUnknownNumberLooksLikeAKnownOne(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.db.Exec(`UPDATE members SET status = 'departed' WHERE id = ?`, s.w.OtherStaff.MemberID)
		story := func(phone string) (told []string) {
			b := s.visitor()
			keep := func(rec *httptest.ResponseRecorder) {
				told = append(told, http.StatusText(rec.Code), rec.Header().Get("Location"), rec.Header().Get("Retry-After"),
					secrets.ReplaceAllString(rec.Body.String(), "·"))
			}
			keep(b.fill("/login", "/login", "phone", phone))
			for range 6 {
				keep(b.fill("/login/verify", "/login/verify", "code", "000 00"))
			}
			for range 5 {
				keep(b.fill("/login", "/login", "phone", phone))
			}
			keep(b.fill("/login?with=password", "/login", "phone", phone, "password", "wrong"))
			for range 4 {
				keep(b.fill("/login/verify", "/login/verify", "code", "111 11"))
			}
			s.db.Exec("DELETE FROM throttles WHERE hits > 0")
			return told
		}
		known, unknown, departed := story("13800000005"), story("13900000000"), story("13800000006")
		for i := range known {
			if known[i] != unknown[i] || known[i] != departed[i] {
				t.Fatalf("answer %d differs:\n%.2000s\n%.2000s\n%.2000s", i, known[i], unknown[i], departed[i])
			}
		}
		if !strings.Contains(strings.Join(known, " "), "Too Many Requests") {
			t.Error("the story never reached a limit")
		}
		if got := s.codes(); len(got) != 1 || got["+8613800000005"] == "" {
			t.Errorf("messages went to %v", got)
		}
	})
}

func TestSignInByPassword(t *testing.T) {
	onEmptySite(t, func(t *testing.T, s *site, token string) {
		want(t, s.visitor().fill("/setup/"+token, "/setup/"+token, setupForm()...), 303, "/")
		b := s.visitor()
		rec := b.fill("/login?with=password", "/login", "phone", "138 0000 0001", "password", "wrong battery staple")
		want(t, rec, 422)
		if field := page(t, rec).Find(`input[name="phone"]`); field.AttrOr("value", "") != "138 0000 0001" {
			t.Error("the number was lost")
		}
		if strings.Contains(rec.Body.String(), "wrong battery staple") {
			t.Error("the page repeats the password")
		}
		want(t, b.fill("/login?with=password&next=/codes", "/login", "phone", "138 0000 0001", "password", "correct horse battery"), 303, "/codes")
	})
}

// Twenty taps on one button: one message, and each tap reads the same answer.
func TestADoubleTapSendsOneMessage(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		b := s.visitor()
		form := url.Values{"phone": {"13800000005"}}
		pairs := b.hidden(b.get("/login"), "/login")
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		tap := func() *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, r)
			return rec
		}
		answers := make([]*httptest.ResponseRecorder, 20)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() { answers[i] = tap() })
		}
		wg.Wait()
		answers = append(answers, tap())
		for _, a := range answers {
			if a.Code != 303 || a.Header().Get("Location") != "/login/verify" || a.Header().Get("Set-Cookie") != answers[0].Header().Get("Set-Cookie") {
				t.Errorf("one tap answered %d %v, another %v", a.Code, a.Header(), answers[0].Header())
			}
		}
		var n int
		s.db.Raw("SELECT count(*) FROM jobs").Scan(&n)
		if n != 1 {
			t.Errorf("%d messages", n)
		}
		form.Set("phone", "13800000003")
		rec := tap()
		want(t, rec, 422)
		if page(t, rec).Find(`input[name="phone"]`).AttrOr("value", "") != "13800000003" {
			t.Error("what was typed is lost")
		}
	})
}

func TestAFormWithoutAKeyComesBack(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for _, key := range []string{"", "nonsense", strings.Repeat("A", 54)} {
			b := s.visitor()
			rec := b.post("/login", "phone", `"><script>13800000005`, "next", "/groups", "form_key", key)
			want(t, rec, 422)
			doc := page(t, rec)
			if doc.Find(`input[name="phone"]`).AttrOr("value", "") != `"><script>13800000005` || doc.Find("script").Length() != 0 {
				t.Errorf("typed text came back as %s", doc.Find(`input[name="phone"]`).AttrOr("value", ""))
			}
			want(t, b.post("/login", append(b.hidden(rec, "/login"), "phone", "13800000005")...), 303, "/login/verify?next=%2Fgroups")
			want(t, b.post("/login/verify", "code", "123456", "form_key", key), 422)
			s.db.Exec("DELETE FROM throttles")
		}
	})
}

func TestWrongCodeIsToldInTheReadersLanguage(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for lang, text := range map[string]string{"zh-CN": "还可以试 4 次", "en": "You can try 4 more times"} {
			b := s.visitor()
			b.lang = lang
			want(t, b.fill("/login", "/login", "phone", "13800000005"), 303)
			rec := b.fill("/login/verify", "/login/verify", "code", "00000")
			want(t, rec, 422)
			doc := page(t, rec)
			if !strings.Contains(doc.Find(`[role="alert"]`).Text(), text) || doc.Find(`input[name="code"][aria-invalid]`).AttrOr("value", "") != "00000" {
				t.Errorf("%s: %s", lang, doc.Find("main").Text())
			}
			want(t, b.fill("/login", "/login", "phone", "not a number"), 422)
			want(t, b.fill("/login", "/login", "phone", strings.Repeat("1\x00", 4000)), 422)
		}
	})
}

func TestResendingUsesTheSameNumber(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		b := s.visitor()
		want(t, b.fill("/login?next=/groups", "/login", "phone", "13800000005"), 303)
		old := s.codes()["+8613800000005"]
		again := b.fill("/login/verify?next=/groups", "/login")
		want(t, again, 303, "/login/verify?next=%2Fgroups")
		fresh := s.codes()["+8613800000005"]
		if fresh == "" || strings.Contains(page(t, b.get("/login/verify")).Text(), "13800000005") {
			t.Error("no new code, or the page shows the whole number")
		}
		if old != fresh {
			want(t, b.fill("/login/verify", "/login/verify", "code", old), 422)
		}
		want(t, b.fill("/login/verify?next=/groups", "/login/verify", "code", fresh), 303, "/groups")
	})
}

func TestALoginLinkNeedsItsButton(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		token, err := s.deps.Auth.CreateLoginLink(context.Background(), "13800000003")
		if err != nil {
			t.Fatal(err)
		}
		path := "/login/link/" + token
		b := s.visitor()
		for range 3 {
			want(t, s.visitor().get(path), 200)
			want(t, s.visitor().do(httptest.NewRequest(http.MethodHead, path, nil)), 200)
		}
		want(t, b.fill(path, path), 303, "/")
		want(t, b.get("/settings/devices"), 200)
		want(t, s.visitor().get(path), 410)
		want(t, s.visitor().post(path), 410)
		want(t, s.visitor().get("/login/link/unknown"), 410)
	})
}

func TestInvitingAMember(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		path := "/contacts/members/" + itoa(s.w.Staff.MemberID) + "/invite"
		b := s.as(s.w.Head)
		want(t, b.fill(path, path), 303, path)
		link := page(t, b.get(path)).Find("#il").AttrOr("value", "")
		if !strings.HasPrefix(link, "http://door.example/login/link/") {
			t.Fatalf("link %q", link)
		}
		if page(t, b.get(path)).Find("#il").Length() != 0 {
			t.Error("the link is shown twice")
		}
		opened := strings.TrimPrefix(link, "http://door.example")
		want(t, s.visitor().fill(opened, opened), 303, "/")
		for who, status := range map[*browser]int{s.as(s.w.OtherHead): 404, s.as(s.w.Staff): 403, s.as(s.w.OtherStaff): 404, s.as(s.w.Super): 200} {
			want(t, who.get(path), status)
			if status != 200 {
				want(t, who.post(path), status)
			}
		}
		for _, bad := range []string{"0", "-1", "x", "99999999999999999999", "4711"} {
			want(t, b.post("/contacts/members/"+bad+"/invite"), 404)
		}
	})
}

func TestEndingDevices(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		a, b, foreign := s.as(s.w.Staff), s.as(s.w.Staff), s.as(s.w.Head)
		if n := page(t, a.get("/settings/devices")).Find(".dp-device").Length(); n != 2 {
			t.Errorf("%d devices", n)
		}
		theirs := page(t, foreign.get("/settings/devices")).Find(`.dp-device input[name="id"]`).AttrOr("value", "")
		want(t, a.post("/settings/devices/end", "id", theirs), 404)
		want(t, a.post("/settings/devices/end", "id", ""), 404)
		want(t, a.post("/settings/devices/end", "others", "on"), 303, "/settings/devices")
		want(t, b.get("/settings/devices"), 303, "/login")
		doc := page(t, a.get("/settings/devices"))
		if doc.Find(".dp-device").Length() != 1 || doc.Find(`[role="status"]`).Length() != 1 {
			t.Error("not one device and a note")
		}
		mine := doc.Find(`.dp-device input[name="id"]`).AttrOr("value", "")
		want(t, a.post("/settings/devices/end", "id", mine), 303, "/login")
		want(t, foreign.get("/settings/devices"), 200)
	})
}

func TestLimitsSayWhenToComeBack(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		b := s.visitor()
		for range 5 {
			want(t, b.fill("/login", "/login", "phone", "13800000005"), 303)
		}
		s.clock.Add(20 * time.Minute)
		rec := b.fill("/login", "/login", "phone", "13800000005")
		want(t, rec, 429)
		if rec.Header().Get("Retry-After") != "2400" || !strings.Contains(rec.Body.String(), "40 分钟") {
			t.Errorf("Retry-After %s: %s", rec.Header().Get("Retry-After"), page(t, rec).Find("main").Text())
		}
		s.clock.Add(40 * time.Minute)
		want(t, b.fill("/login", "/login", "phone", "13800000005"), 303)
	})
}

// IT reads in the log what the person must not learn, without the number.
func TestTheLogNamesTheCause(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		var log bytes.Buffer
		s.deps.Log = slog.New(slog.NewTextHandler(&log, nil))
		s.Handler = web.New(s.deps)
		want(t, s.visitor().fill("/login", "/login", "phone", "13900000000"), 303)
		if got := log.String(); !strings.Contains(got, "number not registered") || strings.Contains(got, "13900000000") || !strings.Contains(got, "139****0000") {
			t.Errorf("logged %s", got)
		}
	})
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

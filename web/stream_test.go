package web_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/web"
)

// online serves the site on a real port, with the hub at work, and with times so
// short that no answer but a stream would outlive them.
func (s *site) online() *httptest.Server { return s.onlineFor(400 * time.Millisecond) }

// onlineFor is online with other times for a request and its answer; 0 is no limit.
func (s *site) onlineFor(limit time.Duration) *httptest.Server {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { s.deps.Hub.Run(ctx); close(done) }()
	server := httptest.NewUnstartedServer(s.Handler)
	server.Config.RegisterOnShutdown(s.deps.Hub.Close)
	server.Config.ReadTimeout, server.Config.WriteTimeout = limit, limit
	server.Start()
	s.t.Cleanup(func() { stop(); <-done; s.deps.Hub.Close(); server.Close() })
	return server
}

// ear is an open stream.
type ear struct {
	t     *testing.T
	lines chan string // closed at its end
	*http.Response
}

// follows opens a stream with a browser's cookies.
func (b *browser) follows(server *httptest.Server, path string, header ...string) *ear {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, server.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	e := &ear{t: b.t, lines: make(chan string, 1000), Response: res}
	b.t.Cleanup(func() { res.Body.Close() })
	go func() {
		defer close(e.lines)
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			e.lines <- lines.Text()
		}
	}()
	return e
}

// hears waits for a line that begins so.
func (e *ear) hears(prefix string) string {
	e.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case line, open := <-e.lines:
			if strings.HasPrefix(line, prefix) {
				return line
			}
			if !open {
				e.t.Fatalf("the stream ended before %q", prefix)
			}
		case <-limit:
			e.t.Fatalf("%q never came", prefix)
		}
	}
}

// ends waits for the end of the stream.
func (e *ear) ends() {
	e.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case _, open := <-e.lines:
			if !open {
				return
			}
		case <-limit:
			e.t.Fatal("the stream never ended")
		}
	}
}

func (s *site) wantStatus(e *ear, want int) {
	s.t.Helper()
	if e.StatusCode != want {
		body, _ := io.ReadAll(e.Body)
		s.t.Fatalf("answered %d, want %d: %.300s", e.StatusCode, want, body)
	}
}

// mark is where the waiting page's stream is, as the page says.
func (b *browser) mark() string {
	b.t.Helper()
	at := page(b.t, b.get("/join")).Find("main").AttrOr("data-live", "")
	if !strings.HasPrefix(at, "/join/live?mark=") {
		b.t.Fatalf("the page follows %q", at)
	}
	return at
}

func TestAWaitingPageHears(t *testing.T) {
	defer web.Pace(50*time.Millisecond, time.Hour, time.Hour)()
	onBoth(t, func(t *testing.T, s *site) {
		server := s.online()
		_, code := s.room("平台群", "internal", "approval", s.w.RD, 10)
		b := s.visitor().scan(code)
		want(t, b.prove(s.w.StaffPhone), 303, "/join")
		at := b.mark()
		e := b.follows(server, at)
		s.wantStatus(e, 200)
		for range 20 { // more than a second: the server's own times are 0.4
			e.hears(": ")
		}
		other := s.visitor().scan(code)
		want(t, other.prove(s.w.OtherStaffPhone), 303, "/join")
		id := s.count("SELECT id FROM join_requests WHERE member_id = ?", s.w.Staff.MemberID)
		want(t, s.as(s.w.Head).post("/requests/decide", "id", fmt.Sprint(id), "decision", "reject", "reason", "不合适"), 303)
		e.hears("event: changed")
		if line := e.hears("data: "); line != "data: {}" {
			t.Errorf("the stream tells %q", line)
		}
		late := b.follows(server, at) // as after a lost connection
		late.hears("event: changed")
		late = b.follows(server, at, "Last-Event-ID", strings.TrimPrefix(b.mark(), "/join/live?mark="))
		late.hears(": ")
		s.exec("UPDATE join_sessions SET expires_at = ?", s.clock.Now())
		s.exec("UPDATE join_requests SET status = 'pending', decided_at = NULL, decided_by = NULL WHERE id = ?", id)
		late.hears("event: over")
		late.ends()
		s.wantStatus(b.follows(server, at), 410)
		s.wantStatus(s.visitor().follows(server, "/join/live"), 410)
	})
}

// Who waits for a seat hears that the line moves.
func TestTheLineMoves(t *testing.T) {
	defer web.Pace(50*time.Millisecond, time.Hour, time.Hour)()
	onBoth(t, func(t *testing.T, s *site) {
		server := s.online()
		group, code := s.room("满群", "internal", "open", s.w.Platform, 1)
		s.exec("UPDATE groups SET member_count = 1 WHERE id = ?", group)
		first, second := s.waits(code, s.w.StaffPhone), s.waits(code, s.w.OtherStaffPhone)
		if text := first.shows("full"); !strings.Contains(text, "按次序直接让你进群") {
			t.Errorf("does not say what will happen: %s", text)
		}
		a, b := first.follows(server, first.mark()), second.follows(server, second.mark())
		a.hears(": ")
		b.hears(": ")
		s.exec("UPDATE groups SET capacity = 2 WHERE id = ?", group)
		a.hears("event: place")
		if _, err := s.deps.Joins.TurnWaiting(context.Background()); err != nil {
			t.Fatal(err)
		}
		a.hears("event: changed")
		first.shows("in")
		b.hears("event: place")
		if text := second.shows("full"); !strings.Contains(text, "第 1 位") {
			t.Errorf("nobody moved up: %s", text)
		}
	})
}

func TestTheConsoleHears(t *testing.T) {
	defer web.Pace(50*time.Millisecond, time.Hour, time.Hour)()
	onBoth(t, func(t *testing.T, s *site) {
		server := s.online()
		group, _ := s.room("平台群", "internal", "approval", s.w.RD, 10)
		head, foreign, staff := s.as(s.w.Head), s.as(s.w.OtherHead), s.as(s.w.Staff)
		h, f, st := head.follows(server, "/live"), foreign.follows(server, "/live"), staff.follows(server, "/live")
		for _, e := range []*ear{h, f, st} {
			e.hears(": ")
		}
		id := s.insert("INSERT INTO join_requests (group_id, member_id, name, created_at) VALUES (?, ?, 'x', ?)", group, s.w.Staff.MemberID, s.clock.Now())
		h.hears("event: requests")
		last := strings.TrimPrefix(h.hears("id: "), "id: ")
		if line := h.hears("data: "); line != fmt.Sprintf(`data: {"ids":[%d]}`, id) {
			t.Errorf("told %q", line)
		}
		if counts := head.get("/live/counts"); !strings.Contains(counts.Body.String(), `"requests":"1"`) {
			t.Errorf("counts %s", counts.Body)
		}
		own, _ := s.room("市场群", "internal", "approval", s.w.Marketing, 10)
		foreignID := s.insert("INSERT INTO join_requests (group_id, member_id, name, created_at) VALUES (?, ?, 'x', ?)", own, s.w.OtherStaff.MemberID, s.clock.Now())
		if line := f.hears("data: "); line != fmt.Sprintf(`data: {"ids":[%d]}`, foreignID) {
			t.Errorf("the other head was told %q", line)
		}
		s.exec("UPDATE join_requests SET status = 'withdrawn', decided_at = ? WHERE id = ?", s.clock.Now(), id)
		again := head.follows(server, "/live", "Last-Event-ID", last) // what came meanwhile, not what came before
		if line := again.hears("data: "); line != fmt.Sprintf(`data: {"ids":[%d]}`, id) {
			t.Errorf("caught up with %q", line)
		}
		fresh := head.follows(server, fmt.Sprint("/live?since=", s.clock.Now().UnixMilli()))
		fresh.hears("event: requests")
		s.losesRights(head, h, group, id)
		want(t, staff.post("/logout"), 303)
		s.exec("INSERT INTO events (kind, member_id, at) VALUES ('member.notice', ?, ?)", s.w.Staff.MemberID, s.clock.Now())
		st.hears("event: over")
		st.ends()
		s.wantStatus(s.visitor().follows(server, "/live"), 401)
	})
}

// losesRights: a head who leads nothing any more hears of nothing more.
func (s *site) losesRights(head *browser, e *ear, group, id int64) {
	s.t.Helper()
	e.hears("data: ") // the withdrawal
	s.exec("DELETE FROM department_heads WHERE member_id = ?", s.w.Head.MemberID)
	s.exec("UPDATE join_requests SET status = 'pending' WHERE id = ?", id)
	s.exec("INSERT INTO events (kind, member_id, at) VALUES ('member.notice', ?, ?)", s.w.Head.MemberID, s.clock.Now())
	if line := e.hears("event: "); line != "event: notices" {
		s.t.Errorf("without the right told %q", line)
	}
}

// More streams than a browser needs are refused; those that are closed make room;
// a stop of the process ends them all.
func TestStreamsAreLimitedAndEnd(t *testing.T) {
	defer web.Pace(50*time.Millisecond, time.Hour, time.Hour)()
	s := newSite(t, sqliteOnly(t))
	server := s.online()
	head := s.as(s.w.Head)
	var all []*ear
	for range web.StreamsPerSession {
		e := head.follows(server, "/live")
		s.wantStatus(e, 200)
		all = append(all, e)
	}
	over := head.follows(server, "/live")
	s.wantStatus(over, 429)
	if over.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	all[0].Body.Close()
	for end := time.Now().Add(10 * time.Second); ; {
		if e := head.follows(server, "/live"); e.StatusCode == 200 {
			all[0] = e
			break
		}
		if time.Now().After(end) {
			t.Fatal("a closed stream keeps its place")
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Config.Shutdown(ctx); err != nil {
		t.Errorf("the stop waits for streams: %v", err)
	}
	for _, e := range all {
		e.ends()
	}
}

// A stream's life is limited: then the browser comes again and everything is asked anew.
func TestAStreamsLifeEnds(t *testing.T) {
	defer web.Pace(50*time.Millisecond, 200*time.Millisecond, time.Hour)()
	s := newSite(t, sqliteOnly(t))
	e := s.as(access.Actor{MemberID: s.w.Head.MemberID}).follows(s.online(), "/live")
	e.hears("retry: ")
	e.ends()
}

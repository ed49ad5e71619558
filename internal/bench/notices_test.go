package bench

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/events"
	"doorplate/internal/join"
	"doorplate/internal/notify"
	"doorplate/internal/scan"
	"doorplate/internal/testkit"
)

// The bounds of BenchmarkDecisionsBesideSilentServers: pairs of rounds, and decisions in each.
const (
	silentPairs     = 9
	silentDecisions = 60
)

// BenchmarkDecisionsBesideSilentServers compares deciding requests one by one
// while a mail server and a webhook take every connection and never answer with
// deciding them while nobody is told anything: "slower" is the median ratio of times.
func BenchmarkDecisionsBesideSilentServers(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *gorm.DB{"sqlite": testkit.SQLite, "postgres": testkit.Postgres} {
		b.Run(name, func(b *testing.B) { decideBesideSilence(b, open(b)) })
	}
}

func decideBesideSilence(b *testing.B, db *gorm.DB) {
	w := testkit.Org(b, db, testkit.NewClock())
	now := func() time.Time { return time.Now().UTC() }
	trail := audit.New(testkit.Keys(), now)
	joins := join.New(db, testkit.Keys(), trail, join.Marks{Person: scan.MarkPerson, Outcome: scan.MarkOutcome, Stage: scan.MarkStage}, now)
	n := notify.New(db, testkit.Keys(), trail, now, slog.New(slog.DiscardHandler), notify.Options{AnyAddress: true})
	room, _ := w.Group(b, db, "群", "internal", "approval", w.Platform, 1000)
	port := silence(b)
	ctx := context.Background()
	if err := n.SaveMail(ctx, w.Super, notify.MailDraft{Host: "127.0.0.1", Port: fmt.Sprint(port), Security: notify.Plain, Sender: "door@example.com"}); err != nil {
		b.Fatal(err)
	}
	if _, err := n.CreateEndpoint(ctx, w.Super, notify.EndpointDraft{Label: "x", URL: fmt.Sprintf("http://127.0.0.1:%d/", port), Kinds: []string{events.Rejected}}); err != nil {
		b.Fatal(err)
	}
	do(b, db, "UPDATE members SET email = 'm' || id || '@example.com'")
	round := func() float64 {
		ids := make([]int64, silentDecisions)
		for i := range ids {
			err := db.Raw("INSERT INTO join_requests (group_id, member_id, name, created_at) SELECT ?, ?, 'x', ? WHERE true RETURNING id", room, w.Staff.MemberID, now()).Scan(&ids[i]).Error
			if err != nil {
				b.Fatal(err)
			}
			do(b, db, fmt.Sprintf("UPDATE join_requests SET status = 'withdrawn' WHERE id = %d", ids[i]))
		}
		spent := time.Duration(0)
		for _, id := range ids {
			do(b, db, fmt.Sprintf("UPDATE join_requests SET status = 'pending' WHERE id = %d", id))
			began := time.Now()
			if _, err := joins.Decide(ctx, w.Head, join.Decision{Reason: "x"}, id); err != nil {
				b.Fatal(err)
			}
			spent += time.Since(began)
		}
		return spent.Seconds()
	}
	round() // warms up
	var ratios []float64
	for range silentPairs {
		alone := round()
		running, stop := context.WithCancel(ctx)
		over := make(chan struct{})
		go func() { n.Run(running); close(over) }()
		ratios = append(ratios, round()/alone)
		stop()
		<-over
	}
	spread(b, "slower", ratios)
}

// silence takes connections and says nothing until the test is over.
func silence(b *testing.B) (port int) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.Cleanup(func() { c.Close() })
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

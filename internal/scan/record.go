package scan

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"doorplate/internal/code"
	"doorplate/internal/fault"
)

const (
	queueLength = 8192
	patience    = 2 * time.Second // of a visitor; then 503, never a silent loss
	maxUTM      = 100
	refLength   = 10
)

// Request is what one visitor's browser sent.
type Request struct {
	Token       string
	Address     string
	UserAgent   string
	Preview     bool   // HEAD, or the browser says that nobody looks yet
	JoinCookie  string // empty for a new visitor
	MemberID    int64  // of the console session; 0 is nobody
	UTMSource   string
	UTMMedium   string
	UTMCampaign string
}

// Decision is what was decided and recorded. Ticket is set for a live code.
type Decision struct {
	Ref     string
	At      time.Time
	Outcome string
	Cause   string // the outcome, or NotYet, Closed, Daily, Speed, Copy
	Ticket  string
	After   time.Duration // when to try again; 0 is unknown
	Facts   *code.Facts   // nil for a token that is not ours
}

// call is a Request on its way through the writer.
type call struct {
	left     atomic.Bool // the visitor was told 503
	req      Request
	publicID string // empty: unknown or forged
	serial   int
	row      row
	robot    bool

	addressHits, visitorHits int
	addressLeft, visitorLeft time.Duration

	done chan answer
}

type answer struct {
	decision Decision
	err      error
}

var errBusy = errors.New("scan: the record was not written in time")

// Record decides a scan and writes it down; when it returns without an error,
// both are durable. A visitor who closes the page does not undo it. It returns
// fault.Unavailable, with only Ref set, when the database did not take it in time.
func (s *Service) Record(ctx context.Context, req Request) (Decision, error) {
	s.Start(ctx)
	wait := patience
	if deadline, bounded := ctx.Deadline(); bounded {
		wait = min(wait, time.Until(deadline))
	}
	c := s.prepare(req)
	failed := Decision{Ref: c.row.Ref}
	if wait <= 0 {
		return failed, fault.Unavailable{Err: errBusy}
	}
	select {
	case <-s.closing:
		return failed, fault.Unavailable{Err: errBusy}
	default:
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	select {
	case s.queue <- c:
	case <-s.closing:
		return failed, fault.Unavailable{Err: errBusy}
	case <-over.C:
		return failed, fault.Unavailable{Err: errBusy}
	}
	select {
	case a := <-c.done:
		if a.err != nil {
			return failed, fault.Unavailable{Err: a.err}
		}
		return a.decision, nil
	case <-over.C:
		c.left.Store(true)
		return failed, fault.Unavailable{Err: errBusy}
	}
}

// prepare does all that needs no database.
func (s *Service) prepare(req Request) *call {
	c := &call{req: req, done: make(chan answer, 1)}
	if id, serial, err := code.ParseToken(s.keys, req.Token); err == nil {
		c.publicID, c.serial = id, serial
	}
	now, agent := s.now(), agentOf(req.UserAgent)
	c.robot = req.Preview || agent.robot
	c.addressHits, c.addressLeft = s.speed.hit("a"+network(req.Address), now)
	c.row = row{
		Ref: newRef(), CopySerial: c.serial, Address: req.Address, Device: agent.device, App: agent.app,
		UTMSource: clip(req.UTMSource), UTMMedium: clip(req.UTMMedium), UTMCampaign: clip(req.UTMCampaign),
		MemberID: req.MemberID,
	}
	if req.JoinCookie != "" {
		c.row.Visitor = s.keys.Hash("visitor", req.JoinCookie)[:32]
		c.visitorHits, c.visitorLeft = s.speed.hit("v"+c.row.Visitor, now)
	}
	return c
}

// refAlphabet leaves out what people misread: I, L, O, U.
const refAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

func newRef() string {
	b := make([]byte, refLength)
	rand.Read(b)
	for i := range b {
		b[i] = refAlphabet[b[i]&31]
	}
	return string(b)
}

// clip makes a text from outside storable on either database, and short.
func clip(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
	if utf8.RuneCountInString(text) > maxUTM {
		text = string([]rune(text)[:maxUTM])
	}
	return text
}

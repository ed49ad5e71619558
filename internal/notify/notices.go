package notify

import (
	"context"
	"crypto/x509"
	"log/slog"
	"sync"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/secret"
)

// Channels are the ways a message can go.
const (
	Bell = "bell" // the list in the console
	Mail = "mail"
	Text = "sms"
	Hook = "webhook"
)

// States of a message.
const (
	Queued  = "queued"
	Sent    = "sent"
	Failed  = "failed"   // it will be tried again
	GivenUp = "given_up" // it will not
	Capped  = "capped"   // its receiver had enough for one day
)

// Message is one message on one way. UID stays the same however often it is
// tried: receivers tell duplicates by it.
type Message struct {
	ID          int64
	UID         string
	Channel     string
	Kind        string
	EventID     *int64
	MemberID    *int64
	GuestID     *int64
	EndpointID  *int64
	Href        string // a path of ours
	Args        string // JSON, for the words
	Body        string // of a webhook: the bytes that are signed
	Times       int    // facts of this kind in one message
	OpenKey     *string
	State       string
	Attempts    int
	LastError   string
	CountedDay  string // the day it counts to, "" = not yet
	NextTryAt   time.Time
	LockedUntil *time.Time
	CreatedAt   time.Time
	UpdatedAt   time.Time
	SentAt      *time.Time
	ReadAt      *time.Time
}

// TableName is for gorm.
func (Message) TableName() string { return "messages" }

// Options are what the environment says about messages.
type Options struct {
	BaseURL string
	SMS     Sender // nil = none are sent
	// Mail is the mail server of the environment; nil = the console's.
	Mail *MailServer
	// AnyAddress lets webhooks go to http and to addresses that are not public,
	// for trying out.
	AnyAddress bool
	// Roots are the authorities that mail servers and webhooks are checked
	// against; nil = the system's.
	Roots *x509.CertPool
}

// Service turns events into messages and hands them over.
type Service struct {
	db    *gorm.DB
	keys  secret.Keys
	trail *audit.Trail
	now   func() time.Time
	log   *slog.Logger
	opt   Options
	hooks *poster
	// at is called at each step with its name; tests let it fail there.
	at func(step string) error
}

// New returns a service; Run starts its work.
func New(db *gorm.DB, keys secret.Keys, trail *audit.Trail, now func() time.Time, log *slog.Logger, opt Options) *Service {
	return &Service{db: db, keys: keys, trail: trail, now: now, log: log, opt: opt, hooks: newPoster(opt),
		at: func(string) error { return nil }}
}

// webhookWorkers hand webhooks over side by side; one endpoint has one of them at most.
const webhookWorkers = 4

// Run works until ctx ends. Each way has workers of its own: a server that does
// not answer holds up nothing but itself.
func (s *Service) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { s.repeat(ctx, "turn events into messages", s.Turn) })
	workers := map[string]int{Mail: 2, Text: 1, Hook: webhookWorkers}
	for channel, n := range workers {
		for range n {
			all.Go(func() {
				s.repeat(ctx, "hand over a message", func(ctx context.Context) (bool, error) { return s.Deliver(ctx, channel) })
			})
		}
	}
	all.Wait()
}

// repeat does work while there is some, and looks again every second.
func (s *Service) repeat(ctx context.Context, what string, work func(context.Context) (bool, error)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		worked, err := work(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error(what, "err", err)
		}
		if worked && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

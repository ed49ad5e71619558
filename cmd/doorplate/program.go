package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/approval"
	"doorplate/internal/audit"
	"doorplate/internal/auth"
	"doorplate/internal/code"
	"doorplate/internal/config"
	"doorplate/internal/database"
	"doorplate/internal/directory"
	"doorplate/internal/events"
	"doorplate/internal/fuse"
	"doorplate/internal/group"
	"doorplate/internal/jobs"
	"doorplate/internal/join"
	"doorplate/internal/notify"
	"doorplate/internal/operations"
	"doorplate/internal/press"
	"doorplate/internal/recert"
	"doorplate/internal/scan"
	"doorplate/internal/secret"
)

// program is everything wired together: one per process.
type program struct {
	config    config.Config
	log       *slog.Logger
	db        *gorm.DB
	keys      secret.Keys
	trail     *audit.Trail
	outbox    *jobs.Outbox
	auth      *auth.Service
	directory *directory.Service
	groups    *group.Service
	approvals *approval.Service
	codes     *code.Service
	scans     *scan.Service
	joins     *join.Service
	press     *press.Service
	rounds    *recert.Service

	operations *operations.Service
	notices    *notify.Service
	fuse       *fuse.Service
	hub        *events.Hub
}

// load reads the environment, prepares the data dir and wires the services. It
// does not contact a PostgreSQL server yet.
func load() (*program, error) {
	cfg, err := config.Load()
	if err != nil {
		return nil, err
	}
	if err := cfg.PrepareDataDir(); err != nil {
		return nil, err
	}
	raw, err := cfg.ResolveSecretKey()
	if err != nil {
		return nil, err
	}
	keys, err := secret.New(raw)
	if err != nil {
		return nil, err
	}
	dsn := cfg.DatabaseURL
	if cfg.Embedded() {
		dsn = database.InDir(cfg.DataDir)
	}
	db, err := database.Open(dsn)
	if err != nil && !cfg.Embedded() {
		return nil, cfg.WrongDatabaseURL(err)
	} else if err != nil {
		return nil, err
	}
	return wire(cfg, keys, db), nil
}

func wire(cfg config.Config, keys secret.Keys, db *gorm.DB) *program {
	p := &program{config: cfg, keys: keys, db: db, log: newLog(cfg)}
	now := func() time.Time { return time.Now().UTC() }
	p.trail = audit.New(keys, now)
	p.hub = events.NewHub(db, p.log, now)
	p.outbox = jobs.New(db, keys, now, p.log)
	p.directory = directory.New(db, p.trail, now)
	p.auth = auth.New(db, keys, p.trail, p.outbox, now)
	p.groups = group.New(db, p.trail, now)
	p.codes = code.New(db, keys, p.trail, now, cfg.BaseURL)
	p.approvals = approval.New(db, p.trail, p.groups, p.codes, now)
	p.rounds = recert.New(db, p.trail, p.codes, now)
	p.scans = scan.New(db, keys, p.codes, p.trail, now)
	p.operations = operations.New(db, p.trail, p.groups, p.codes, now)
	p.press = press.New(db, p.codes, p.trail, now, cfg.BaseURL, p.log)
	p.joins = join.New(db, keys, p.trail, join.Marks{Person: scan.MarkPerson, Outcome: scan.MarkOutcome, Stage: scan.MarkStage}, now)
	p.fuse = fuse.New(db, keys, p.trail, now)
	p.directory.OnMove(p.codes.OrphansUnder)
	sms := sender(cfg)
	p.notices = notify.New(db, keys, p.trail, now, p.log, notify.Options{BaseURL: cfg.BaseURL, SMS: sms, Mail: mailServer(cfg), AnyAddress: cfg.WebhookAddresses == "any"})
	p.outbox.Handle("sms", notify.SMSJob(sms))
	p.directory.OnDepart(
		directory.Effect{Key: "sessions", End: auth.EndSessions},
		directory.Effect{Key: "requests", End: join.CancelFor},
		directory.Effect{Key: "memberships", End: endMemberships},
		directory.Effect{Key: "duties", End: group.EndDuties},
	)
	return p
}

func sender(cfg config.Config) notify.Sender {
	if cfg.SMS == "webhook" {
		return notify.NewWebhook(cfg.SMSWebhookURL)
	}
	return notify.NewLogSender(os.Stdout)
}

// mailServer is the environment's, nil when it names none.
func mailServer(cfg config.Config) *notify.MailServer {
	if cfg.SMTP.Host == "" {
		return nil
	}
	m := notify.MailServer(cfg.SMTP)
	return &m
}

func endMemberships(tx *gorm.DB, _ access.Actor, memberID int64, at time.Time) (int64, error) {
	return group.EndFor(tx, memberID, at, "departed")
}

func newLog(cfg config.Config) *slog.Logger {
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, nil))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}

func (p *program) close() { database.Close(p.db) }

// checkpoint is the file that remembers the head of the audit chain.
func (p *program) checkpoint() string { return filepath.Join(p.config.DataDir, "audit.head") }

// migrated brings the database up to date and checks that it belongs to our key.
func (p *program) migrated(ctx context.Context) error {
	if err := database.Migrate(ctx, p.db); err != nil {
		return err
	}
	if err := p.auth.CheckKey(ctx); err != nil {
		return fmt.Errorf("%w (this key came from %s)", err, p.config.SecretKeySource)
	}
	return nil
}

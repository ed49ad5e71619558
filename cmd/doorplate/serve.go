package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"doorplate/internal/audit"
	"doorplate/internal/database"
	"doorplate/internal/demo"
	"doorplate/internal/directory"
	"doorplate/internal/events"
	"doorplate/internal/paths"
	"doorplate/internal/rules"
	"doorplate/web"
)

// drainTime is what requests in flight get at SIGTERM; with the rest of the
// stop it stays below ten seconds.
const drainTime = 6 * time.Second

func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Apply pending migrations, then serve",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return serve(c.Context()) },
	}
}

func serve(ctx context.Context) error {
	p, err := load()
	if err != nil {
		return err
	}
	defer p.close()
	if p.config.Embedded() {
		release, err := lockDataDir(p.config.DataDir)
		if err != nil {
			return err
		}
		defer release()
	}
	listener, err := net.Listen("tcp", p.config.Addr)
	if err != nil {
		return fmt.Errorf("DOORPLATE_ADDR=%q cannot be listened on: %w", p.config.Addr, err)
	}
	return p.run(ctx, listener)
}

// run serves until ctx ends or coming up fails for good.
func (p *program) run(ctx context.Context, listener net.Listener) error {
	var ready, draining atomic.Bool
	handler := web.New(p.deps(func(ctx context.Context) error {
		if draining.Load() || !ready.Load() {
			return errors.New("not ready")
		}
		return database.Ping(ctx, p.db)
	}))
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, WriteTimeout: 10 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 256 << 10,
	}
	server.RegisterOnShutdown(p.hub.Close) // streams end, or nothing would ever be drained
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(listener) }()
	p.log.Info("listening", "address", listener.Addr().String(), "base_url", p.config.BaseURL)

	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var workers sync.WaitGroup
	go func() {
		if err := p.comeUp(ctx, work, &workers); err != nil {
			failed <- err
			return
		}
		ready.Store(true)
	}()

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	draining.Store(true)
	p.stop(server, stopWork, &workers)
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return nil
	}
	return err
}

// stop answers what is in flight, writes what is pending, then ends the workers.
func (p *program) stop(server *http.Server, stopWork func(), workers *sync.WaitGroup) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		p.log.Warn("some requests did not finish in time", "err", err)
		server.Close()
	}
	p.scans.Close()
	stopWork()
	done := make(chan struct{})
	go func() { workers.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(3 * time.Second):
		p.log.Warn("background work did not finish in time")
	}
	p.log.Info("stopped")
}

// comeUp waits for the database, migrates it, prints the set-up link if one is
// due and starts the background work.
func (p *program) comeUp(ctx, work context.Context, workers *sync.WaitGroup) error {
	if err := p.waitForDatabase(ctx); err != nil {
		return err
	}
	if err := p.migrated(ctx); err != nil {
		return err
	}
	if err := p.scans.Rebuild(ctx); err != nil {
		return err
	}
	token, err := p.auth.SetupToken(ctx)
	if err != nil {
		return err
	}
	if token != "" {
		fmt.Fprintln(os.Stdout, "set-up: "+p.config.BaseURL+paths.To(paths.Setup, token))
	}
	if p.config.SMS == "log" {
		p.log.Warn("DOORPLATE_SMS=log prints sign-in codes on standard output: good for trying out, not for real people")
	}
	p.startWork(work, workers)
	return nil
}

// waitForDatabase tries every second for as long as the server is away. A
// database that answers with a refusal of ours (wrong name, wrong password) is
// tried again too: it may be a machine that is still being set up.
func (p *program) waitForDatabase(ctx context.Context) error {
	for first := true; ; first = false {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := database.Ping(try, p.db)
		cancel()
		if err == nil {
			return nil
		}
		if p.config.Embedded() {
			return fmt.Errorf("open the embedded database in %s: %w", p.config.DataDir, err)
		}
		if first {
			p.log.Warn("the database does not answer; trying again every second", "err", plainCause(err))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// plainCause drops the connection string's details from a driver's error.
func plainCause(err error) string {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) && connect.Unwrap() != nil {
		return connect.Unwrap().Error()
	}
	return err.Error()
}

func (p *program) startWork(ctx context.Context, workers *sync.WaitGroup) {
	p.scans.Start(ctx)
	workers.Go(func() { p.trail.RunSealer(ctx, p.db, p.log, p.checkpoint()) })
	workers.Go(func() { p.trail.RunWatch(ctx, p.db, p.log) })
	workers.Go(func() { p.trail.RunVerifier(ctx, p.db, p.log) })
	workers.Go(func() { p.outbox.Run(ctx) })
	workers.Go(func() { directory.NewImporter(p.directory, p.log).Run(ctx) })
	workers.Go(func() { p.directory.RunIndex(ctx, p.log) })
	workers.Go(func() { p.press.Work(ctx) })
	workers.Go(func() { p.joins.Work(ctx, p.log) })
	workers.Go(func() { p.everyHour(ctx) })
	workers.Go(func() { p.joins.RunClock(ctx, p.log) })
	workers.Go(func() { p.fuse.Run(ctx, p.log) })
	workers.Go(func() { p.hub.Run(ctx) })
	workers.Go(func() { p.joins.RunTurns(ctx, p.hub, p.log) })
	workers.Go(func() { p.joins.RunEnds(ctx, p.log) })
	workers.Go(func() { p.scans.RunPurges(ctx, p.log) })
	workers.Go(func() { p.notices.Run(ctx) })
}

// everyHour does the work that only time causes.
func (p *program) everyHour(ctx context.Context) {
	for {
		for _, chore := range []struct {
			name string
			do   func(context.Context) error
		}{
			{"sweep what expired", p.auth.Sweep},
			{"index requests", p.joins.Reindex},
			{"drop printed files", p.press.Sweep},
			{"plan the next round", p.rounds.Tend},
			{"look at prints in doubt", p.codes.SettlePrints},
			{"look at codes in doubt", p.codes.SettleDoubts},
			{"add up the days", p.scans.SumDays},
			{"announce dying chat images", p.notices.Remind},
			{"delete old messages", p.notices.Sweep},
			{"sweep old events", func(ctx context.Context) error { return events.Sweep(ctx, p.db, time.Now()) }},
			{"add up decisions", p.joins.SumDecisions},
			{"expire join requests", func(ctx context.Context) error {
				_, err := p.joins.ExpireOverdue(ctx)
				return err
			}},
		} {
			if err := chore.do(ctx); err != nil && ctx.Err() == nil {
				p.log.Error("hourly work", "chore", chore.name, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Hour):
		}
	}
}

func (p *program) deps(ready func(context.Context) error) web.Deps {
	return web.Deps{
		Config: p.config, Log: p.log, Now: time.Now, Trail: p.trail, Audit: audit.NewLog(p.db, p.trail), Auth: p.auth, Directory: p.directory, Groups: p.groups,
		Approvals: p.approvals, Codes: p.codes, Scans: p.scans, Joins: p.joins, Rules: rules.New(p.db, p.trail, time.Now), Press: p.press, Rounds: p.rounds, Operations: p.operations, Notices: p.notices, Hub: p.hub, Fuse: p.fuse,
		Demo:  func(ctx context.Context) error { return demo.Fill(ctx, p.db, p.keys, p.config.Timezone, time.Now()) },
		Ready: ready,
	}
}

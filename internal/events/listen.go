package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// channel is where the database's triggers and Publish ring.
const channel = "doorplate_events"

const (
	redial    = time.Second
	deafPause = time.Minute
	quiet     = 30 * time.Second // then the connection is asked whether it still lives
	proofTime = 3 * time.Second
)

// errDeaf: the connection says it listens but hears nothing, as behind a pooler
// that lends connections per transaction. Asking every second goes on.
var errDeaf = errors.New("LISTEN hears nothing here; asking every second instead")

// listen keeps one connection of its own that hears of commits, on whatever
// instance. Without one the hub asks.
func (h *Hub) listen(ctx context.Context) {
	said := ""
	for ctx.Err() == nil {
		err := h.hear(ctx, func() { said = "" })
		h.hearing.Store(false)
		h.poke()
		if ctx.Err() != nil {
			return
		}
		if err.Error() != said {
			h.log.Warn("listening for events; trying again", "err", err)
			said = err.Error()
		}
		pause := redial
		if errors.Is(err, errDeaf) {
			pause = deafPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// hear returns only with an error.
func (h *Hub) hear(ctx context.Context, well func()) error {
	conn, err := h.dial(ctx)
	if err != nil {
		return err
	}
	defer func() {
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(bye) // it is given up in any case
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := h.prove(ctx, conn); err != nil {
		return err
	}
	well()
	h.hearing.Store(true)
	h.poke() // for what was committed in between
	for {
		if err := next(ctx, conn); err != nil {
			return err
		}
		h.poke()
	}
}

// next waits for one notification and makes sure now and then that the other side is there.
func next(ctx context.Context, conn *pgx.Conn) error {
	for {
		wait, cancel := context.WithTimeout(ctx, quiet)
		_, err := conn.WaitForNotification(wait)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) || conn.IsClosed() {
			return fmt.Errorf("wait for a notification: %w", err)
		}
		ping, cancel := context.WithTimeout(ctx, proofTime)
		err = conn.Ping(ping)
		cancel()
		if err != nil {
			return fmt.Errorf("the listening connection: %w", err)
		}
	}
}

// prove rings once through the pool and waits for the sound.
func (h *Hub) prove(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, proofTime)
	defer cancel()
	if err := h.db.WithContext(ctx).Exec("SELECT pg_notify(?, '')", channel).Error; err != nil {
		return fmt.Errorf("ring: %w", err)
	}
	_, err := conn.WaitForNotification(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errDeaf
	case err != nil:
		return fmt.Errorf("wait for the proof: %w", err)
	}
	return nil
}

// dial opens a connection beside the pool, with the pool's settings.
func (h *Hub) dial(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	pool, err := h.db.DB()
	if err != nil {
		return nil, fmt.Errorf("find the pool: %w", err)
	}
	one, err := pool.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to listen: %w", err)
	}
	var config *pgx.ConnConfig
	err = errors.Join(one.Raw(func(driver any) error {
		if c, ok := driver.(*stdlib.Conn); ok {
			config = c.Conn().Config()
			config.OnNotification = nil // the copied one would fill the pooled connection's memory
			return nil
		}
		return fmt.Errorf("a driver of type %T cannot listen", driver)
	}), one.Close())
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to listen: %w", err)
	}
	return conn, nil
}

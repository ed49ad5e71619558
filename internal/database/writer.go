package database

import (
	"context"
	"database/sql"
	"time"

	"gorm.io/gorm"
)

// oneWriter lets one transaction or statement write at a time, first come first
// served. SQLite has one writer anyway; waiting in our own queue is fair, obeys
// the context and never ends in SQLITE_BUSY inside one process.
//
// It also binds every time in UTC with microseconds: SQLite keeps times as
// text, which only sorts right when all of them are written alike.
type oneWriter struct {
	*sql.DB
	turn chan struct{}
}

func (w *oneWriter) acquire(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *oneWriter) release() { <-w.turn }

// GetDBConn lets gorm find the pool itself.
func (w *oneWriter) GetDBConn() (*sql.DB, error) { return w.DB, nil }

// BeginTx starts a transaction when it is its turn to write.
func (w *oneWriter) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	if err := w.acquire(ctx); err != nil {
		return nil, err
	}
	tx, err := w.DB.BeginTx(ctx, opts)
	if err != nil {
		w.release()
		return nil, err
	}
	return &writerTx{Tx: tx, release: w.release}, nil
}

func (w *oneWriter) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := w.acquire(ctx); err != nil {
		return nil, err
	}
	defer w.release()
	return w.DB.ExecContext(ctx, query, utc(args)...)
}

func (w *oneWriter) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return w.DB.QueryContext(ctx, query, utc(args)...)
}

func (w *oneWriter) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return w.DB.QueryRowContext(ctx, query, utc(args)...)
}

type writerTx struct {
	*sql.Tx
	release func()
	over    bool
}

func (t *writerTx) done() {
	if !t.over {
		t.over = true
		t.release()
	}
}

func (t *writerTx) Commit() error {
	defer t.done()
	return t.Tx.Commit()
}

func (t *writerTx) Rollback() error {
	defer t.done()
	return t.Tx.Rollback()
}

func (t *writerTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return t.Tx.ExecContext(ctx, query, utc(args)...)
}

func (t *writerTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.Tx.QueryContext(ctx, query, utc(args)...)
}

func (t *writerTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return t.Tx.QueryRowContext(ctx, query, utc(args)...)
}

func utc(args []any) []any {
	for i, a := range args {
		switch t := a.(type) {
		case time.Time:
			args[i] = t.UTC().Truncate(time.Microsecond)
		case *time.Time:
			if t != nil {
				args[i] = t.UTC().Truncate(time.Microsecond)
			}
		case sql.NullTime:
			if t.Valid {
				args[i] = t.Time.UTC().Truncate(time.Microsecond)
			}
		}
	}
	return args
}

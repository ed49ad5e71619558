// Package database opens the embedded SQLite file or PostgreSQL behind one
// *gorm.DB and brings its tables up to date.
package database

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/glebarez/go-sqlite" // registers the driver name "sqlite"
	"github.com/glebarez/sqlite"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// FileName is the embedded database inside the data dir.
const FileName = "doorplate.db"

// busyTimeout is how long a statement of another process's turn is waited for:
// commands beside a running server must wait, not fail with "locked".
const busyTimeout = 15 * time.Second

// Open connects to dsn when it is a postgres:// URL, else to the SQLite file at
// dsn. PostgreSQL is not contacted before the first statement.
func Open(dsn string) (*gorm.DB, error) {
	if IsPostgres(dsn) {
		return openPostgres(dsn)
	}
	return openSQLite(dsn)
}

// IsPostgres reports whether dsn names a PostgreSQL server.
func IsPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// InDir returns the path of the embedded database below dir.
func InDir(dir string) string { return filepath.Join(dir, FileName) }

// Postgres reports whether db speaks to PostgreSQL, for the few statements that differ.
func Postgres(db *gorm.DB) bool { return db.Name() == "postgres" }

func settings() *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true, // our methods open their own
		TranslateError:         true,
		DisableAutomaticPing:   true,
		NowFunc:                func() time.Time { return time.Now().UTC() },
		// Errors are returned and logged once, where they are answered.
		Logger: logger.Discard,
	}
}

// shortQueries suits PostgreSQL to queries that read a page of rows: compiling
// one takes longer than running it, and what they look up is in memory or on a
// disk without a moving head, so that reading a whole table instead seldom pays.
// Who has set another price for that than the usual one keeps it.
const shortQueries = "SET jit = off; SELECT set_config('random_page_cost', '1.1', false) WHERE current_setting('random_page_cost') = '4'"

func openPostgres(dsn string) (*gorm.DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	// Said after connecting, for poolers refuse such parameters.
	quick := stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, shortQueries)
		return err
	})
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: stdlib.OpenDB(*config, quick)}), settings())
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	pool.SetMaxOpenConns(24)
	pool.SetMaxIdleConns(24)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

func openSQLite(path string) (*gorm.DB, error) {
	// No _time_format here, though "sqlite" is what it is: the driver overlooks _txlock after it.
	q := url.Values{"_txlock": {"immediate"}}
	for _, p := range []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(WAL)", "foreign_keys(1)", "synchronous(FULL)", "case_sensitive_like(0)",
		"cache_size(-8000)", "temp_store(MEMORY)",
	} {
		q.Add("_pragma", p)
	}
	pool, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	pool.SetMaxOpenConns(8)
	pool.SetMaxIdleConns(8)
	db, err := gorm.Open(sqlite.Dialector{DriverName: "sqlite", Conn: &oneWriter{DB: pool, turn: make(chan struct{}, 1)}}, settings())
	if err != nil {
		return nil, fmt.Errorf("open sqlite %s: %w", path, err)
	}
	return db, nil
}

// Close closes the pool behind db.
func Close(db *gorm.DB) {
	pool, err := db.DB()
	if err == nil {
		err = pool.Close()
	}
	if err != nil {
		slog.Warn("closing the database", "err", err)
	}
}

// Ping reports whether the database answers within the context's time.
func Ping(ctx context.Context, db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.PingContext(ctx)
}

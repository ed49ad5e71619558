// Package testkit gives tests real databases, an organisation to play with, a
// clock to move and a browser.
package testkit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/database"
	"doorplate/internal/testkit/cluster"
)

// DB runs test twice, each time on its own migrated database: a SQLite file and
// a PostgreSQL database.
func DB(t *testing.T, test func(t *testing.T, db *gorm.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "doorplate-template-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "template.db")
	if err := migrated(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func migrated(dsn string) error {
	db, err := database.Open(dsn)
	if err != nil {
		return err
	}
	defer database.Close(db) // the last connection checkpoints the WAL into the file
	return database.Migrate(context.Background(), db)
}

// SQLite returns a fresh migrated SQLite database.
func SQLite(t testing.TB) *gorm.DB {
	t.Helper()
	db, err := database.Open(SQLiteFile(t))
	must(t, err)
	t.Cleanup(func() {
		checkTimes(t, db)
		database.Close(db)
	})
	return db
}

// SQLiteFile returns the path of a fresh migrated SQLite file that nobody has open.
func SQLiteFile(t testing.TB) string {
	t.Helper()
	content, err := sqliteTemplate()
	must(t, err)
	path := filepath.Join(t.TempDir(), database.FileName)
	must(t, os.WriteFile(path, content, 0o600))
	return path
}

// checkTimes fails the test that stored a time in another shape than UTC:
// SQLite compares times as text.
func checkTimes(t testing.TB, db *gorm.DB) {
	var columns []struct{ Table, Column string }
	err := db.Raw(`SELECT m.name AS "table", p.name AS "column" FROM sqlite_master m JOIN pragma_table_info(m.name) p
		WHERE m.type = 'table' AND p.type = 'datetime'`).Scan(&columns).Error
	must(t, err)
	for _, c := range columns {
		var bad string
		err := db.Raw(fmt.Sprintf("SELECT %q FROM %q WHERE %q NOT LIKE '%%+00:00' LIMIT 1", c.Column, c.Table, c.Column)).Row().Scan(&bad)
		if err == nil {
			t.Errorf("%s.%s holds %q: times are bound as UTC time.Time", c.Table, c.Column, bad)
		}
	}
}

var server = sync.OnceValues(func() (string, error) {
	if dsn := os.Getenv("DOORPLATE_TEST_DATABASE_URL"); dsn != "" {
		return dsn, nil
	}
	return cluster.Start()
})

var clones atomic.Int64

// Postgres returns a fresh migrated PostgreSQL database, dropped after the test.
func Postgres(t testing.TB) *gorm.DB {
	t.Helper()
	db, err := database.Open(PostgresURL(t))
	must(t, err)
	t.Cleanup(func() { database.Close(db) })
	return db
}

// PostgresURL returns the URL of a fresh migrated PostgreSQL database.
func PostgresURL(t testing.TB) string {
	t.Helper()
	dsn, err := server()
	must(t, err)
	admin, err := database.Open(dsn)
	must(t, err)
	template, err := template(admin, dsn)
	must(t, err)
	name := fmt.Sprintf("dp_%d_%d_%d", os.Getpid(), time.Now().UnixNano()%1e9, clones.Add(1))
	must(t, admin.Exec("CREATE DATABASE "+name+" TEMPLATE "+template).Error)
	t.Cleanup(func() {
		must(t, admin.Exec("DROP DATABASE "+name+" WITH (FORCE)").Error)
		database.Close(admin)
	})
	return cluster.WithDatabase(dsn, name)
}

// template migrates one database per state of the migrations, whichever of the
// parallel test binaries comes first, and returns its name.
func template(admin *gorm.DB, dsn string) (string, error) {
	sum, err := migrationsSum()
	if err != nil {
		return "", err
	}
	name := "dp_template_" + sum
	err = admin.Connection(func(tx *gorm.DB) error {
		if err := tx.Exec("SELECT pg_advisory_lock(715517)").Error; err != nil {
			return err
		}
		defer tx.Exec("SELECT pg_advisory_unlock(715517)")
		var exists bool
		if err := tx.Raw("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = ?)", name).Scan(&exists).Error; err != nil || exists {
			return err
		}
		building := name + "_building"
		if err := tx.Exec("DROP DATABASE IF EXISTS " + building).Error; err != nil {
			return err
		}
		if err := tx.Exec("CREATE DATABASE " + building).Error; err != nil {
			return err
		}
		if err := migrated(cluster.WithDatabase(dsn, building)); err != nil {
			return err
		}
		return tx.Exec("ALTER DATABASE " + building + " RENAME TO " + name).Error
	})
	return name, err
}

func migrationsSum() (string, error) {
	h := sha256.New()
	err := fs.WalkDir(database.Files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(database.Files(), path)
		h.Write([]byte(path))
		h.Write(b)
		return err
	})
	return hex.EncodeToString(h.Sum(nil))[:12], err
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

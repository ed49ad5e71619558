package database_test

import (
	"path/filepath"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/database"
)

// A command beside a running server reads before it writes. It waits for its
// turn or makes the server wait; it never fails with "locked".
func TestTwoProcessesOnTheEmbeddedDatabaseWait(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	open := func() *gorm.DB {
		db, err := database.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { database.Close(db) })
		return db
	}
	command, server := open(), open()
	if err := command.Exec("CREATE TABLE turns (n integer)").Error; err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	err := command.Transaction(func(tx *gorm.DB) error {
		var n int64
		if err := tx.Raw("SELECT count(*) FROM turns").Scan(&n).Error; err != nil {
			return err
		}
		go func() { written <- server.Exec("INSERT INTO turns VALUES (1)").Error }()
		select {
		case err := <-written: // the server was let through between our read and our write
			written <- err
		case <-time.After(200 * time.Millisecond):
		}
		return tx.Exec("INSERT INTO turns VALUES (1)").Error
	})
	if err != nil {
		t.Error("the command:", err)
	}
	if err := <-written; err != nil {
		t.Error("the server:", err)
	}
}

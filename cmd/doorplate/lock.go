package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockDataDir refuses a second server on one embedded database. The lock ends
// with the process, however it ends.
func lockDataDir(dir string) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "serve.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data dir: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another doorplate serve already uses the embedded database in DOORPLATE_DATA_DIR=%q; stop it, or give this one its own folder or a PostgreSQL", dir)
	}
	return func() { f.Close() }, nil
}

package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// ReadCheckpoint reads the head that was kept beside the database, the zero
// Head when there is none yet.
func ReadCheckpoint(path string) (Head, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return Head{}, nil
	} else if err != nil {
		return Head{}, fmt.Errorf("read the audit checkpoint: %w", err)
	}
	var h Head
	if err := json.Unmarshal(raw, &h); err != nil {
		return Head{}, fmt.Errorf("the audit checkpoint %s is not readable: %w", path, err)
	}
	return h, nil
}

// writeCheckpoint replaces the file at once, so that a crash leaves the old one.
func writeCheckpoint(path string, h Head) error {
	raw, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
)

// A checkpoint is signed and kept after so many entries, or after an hour with any.
const (
	checkpointEvery = 1000
	checkpointAge   = time.Hour
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

// keptCheckpoint is a row of audit_checkpoints.
type keptCheckpoint struct {
	Size int64
	Head string
	At   time.Time
	Note string
}

// keptHeads reads the heads that were signed and kept in the database. forged
// names the first one whose signature does not fit.
func (t *Trail) keptHeads(db *gorm.DB) (heads []Head, forged *Broken, err error) {
	var rows []keptCheckpoint
	if err := db.Raw("SELECT * FROM audit_checkpoints ORDER BY size").Scan(&rows).Error; err != nil {
		return nil, nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	for _, r := range rows {
		c, err := ParseCheckpoint(r.Note, t.PublicKey())
		if err != nil || c.Seq != r.Size || c.Hash != r.Head {
			if forged == nil {
				forged = &Broken{Seq: r.Size, Kind: Unsigned}
			}
			continue
		}
		heads = append(heads, c.Head)
	}
	return heads, forged, nil
}

// lostHead says how the chain lost a head that was its own once, nil when it did not.
func lostHead(db *gorm.DB, h Head) (*Broken, error) {
	if h.Seq == 0 {
		return nil, nil
	}
	var hashes []string
	if err := db.Raw("SELECT hash FROM audit_seals WHERE seq = ?", h.Seq).Scan(&hashes).Error; err != nil {
		return nil, fmt.Errorf("look for a head: %w", err)
	}
	switch {
	case len(hashes) == 0:
		last, err := lastSeal(db)
		return &Broken{Seq: last.Seq + 1, Kind: CutOff, Note: fmt.Sprintf("a checkpoint knows entry %d", h.Seq)}, err
	case hashes[0] != h.Hash:
		return &Broken{Seq: h.Seq, Kind: Rewritten, Note: fmt.Sprintf("its hash at entry %d differs from the checkpoint", h.Seq)}, nil
	}
	return nil, nil
}

// signWhenDue keeps a signed checkpoint when enough happened since the last one.
func (t *Trail) signWhenDue(db *gorm.DB, head Head) error {
	if !t.due(head) {
		return nil
	}
	// Another process may have been first.
	var rows []keptCheckpoint
	if err := db.Raw("SELECT * FROM audit_checkpoints ORDER BY size DESC LIMIT 1").Scan(&rows).Error; err != nil {
		return fmt.Errorf("read the newest checkpoint: %w", err)
	}
	if len(rows) > 0 {
		t.signed, t.signedAt = Head{Seq: rows[0].Size, Hash: rows[0].Head}, rows[0].At
		if !t.due(head) {
			return nil
		}
	}
	if lost, err := lostHead(db, t.signed); err != nil || lost != nil {
		return err // verifying names it; nothing that follows a lost head is signed
	}
	c, err := t.sign(head, t.now().UTC().Truncate(time.Second))
	if err != nil {
		return err
	}
	if err := keep(db, c); err != nil {
		return err
	}
	t.signed, t.signedAt = head, c.At
	return nil
}

func (t *Trail) due(head Head) bool {
	return head.Seq >= t.signed.Seq+checkpointEvery || head.Seq != t.signed.Seq && t.now().Sub(t.signedAt) >= checkpointAge
}

// keep inserts a checkpoint unless there is one of that size.
func keep(db *gorm.DB, c Checkpoint) error {
	err := db.Exec(`INSERT INTO audit_checkpoints (size, head, at, note)
		SELECT ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM audit_checkpoints WHERE size = ?) ON CONFLICT DO NOTHING`,
		c.Seq, c.Hash, c.At, c.Note, c.Seq).Error
	if err != nil {
		return fmt.Errorf("keep a checkpoint: %w", err)
	}
	return nil
}

// Checkpoint signs the chain as it is now, keeps that and writes down who took
// it away. Whoever holds it can tell later whether anything up to here was
// changed. fault.Conflict while nothing is sealed, or when the chain is broken.
func (l *Log) Checkpoint(ctx context.Context, by access.Actor) (c Checkpoint, err error) {
	if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
		return c, err
	}
	err = l.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		head, err := lastSeal(tx)
		if err != nil {
			return fmt.Errorf("read the head of the chain: %w", err)
		}
		if head.Seq == 0 {
			return nothingSealed
		}
		if broken, err := l.trail.brokenNow(tx); err != nil || broken {
			return orBroken(err)
		}
		if c, err = l.trail.sign(head.head(), l.trail.now().UTC().Truncate(time.Second)); err != nil {
			return err
		}
		if err := keep(tx, c); err != nil {
			return err
		}
		return l.trail.Record(tx, by, Event{Action: "audit.checkpoint", Object: chainObject, Details: map[string]any{"sealed": c.Seq}})
	})
	return c, err
}

// PublicKey is what the checkpoints are checked with.
func (l *Log) PublicKey() string { return l.trail.PublicKey() }

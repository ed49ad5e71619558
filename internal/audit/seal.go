package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// sealBatch is how many entries one sealing transaction takes.
const sealBatch = 1000

type unsealed struct{ EntryID int64 }

func (unsealed) TableName() string { return "audit_unsealed" }

// Seal is one link of the chain: hash = SHA-256(seq, previous hash, entry).
type Seal struct {
	Seq      int64  `json:"seq"`
	EntryID  int64  `json:"-"`
	Previous string `json:"previous"`
	Hash     string `json:"hash"`
}

// TableName is for gorm.
func (Seal) TableName() string { return "audit_seals" }

func link(seq int64, previous string, e Entry) string {
	h := sha256.New()
	h.Write([]byte(strconv.FormatInt(seq, 10) + "\n" + previous + "\n" + e.MAC + "\n"))
	h.Write(content(e))
	return hex.EncodeToString(h.Sum(nil))
}

// RunSealer seals what commits until ctx ends, then seals the rest once more,
// and keeps the newest head in the file checkpoint. Exactly one process seals
// at a time: the transaction takes a lock.
func (t *Trail) RunSealer(ctx context.Context, db *gorm.DB, log *slog.Logger, checkpoint string) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
			defer cancel()
			if err := t.sealAndKeep(last, db, log, checkpoint); err != nil {
				log.Error("sealing the audit trail at the end", "err", err)
			}
			return
		case <-tick.C:
		case <-t.wake:
			// Let the transaction that woke us commit, and others join the batch.
			time.Sleep(20 * time.Millisecond)
		}
		if err := t.sealAndKeep(ctx, db, log, checkpoint); err != nil && ctx.Err() == nil {
			log.Error("sealing the audit trail", "err", err)
		}
	}
}

func (t *Trail) sealAndKeep(ctx context.Context, db *gorm.DB, log *slog.Logger, checkpoint string) error {
	if err := t.SealAll(ctx, db, log); err != nil {
		return err
	}
	head, err := lastSeal(db.WithContext(ctx))
	if err != nil || head.Seq == t.kept {
		return err
	}
	if err := writeCheckpoint(checkpoint, Head{Seq: head.Seq, Hash: head.Hash}); err != nil {
		return fmt.Errorf("keep the audit checkpoint: %w", err)
	}
	t.kept = head.Seq
	return nil
}

// SealAll seals everything committed so far.
func (t *Trail) SealAll(ctx context.Context, db *gorm.DB, log *slog.Logger) error {
	for {
		n, err := t.sealBatch(ctx, db, log)
		if err != nil || n < sealBatch {
			return err
		}
	}
}

func (t *Trail) sealBatch(ctx context.Context, db *gorm.DB, log *slog.Logger) (int, error) {
	var waiting bool
	err := db.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM audit_unsealed)").Scan(&waiting).Error
	if err != nil || !waiting {
		return 0, err
	}
	n := 0
	err = db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if tx.Name() == "postgres" {
			if err := tx.Exec("LOCK TABLE audit_seals IN EXCLUSIVE MODE").Error; err != nil {
				return err
			}
		}
		var entries []Entry
		err := tx.Raw(`SELECT e.* FROM audit_unsealed u JOIN audit_entries e ON e.id = u.entry_id
			ORDER BY u.entry_id LIMIT ?`, sealBatch).Scan(&entries).Error
		if err != nil {
			return err
		}
		n = len(entries)
		return t.append(tx, entries, log)
	})
	if err != nil {
		return 0, fmt.Errorf("seal: %w", err)
	}
	return n, nil
}

func (t *Trail) append(tx *gorm.DB, entries []Entry, log *slog.Logger) error {
	head, err := lastSeal(tx)
	if err != nil {
		return err
	}
	var seals []Seal
	var sealed []int64
	for _, e := range entries {
		if !t.fits(e) {
			log.Error("an audit entry does not fit its MAC and stays unsealed; run doorplate audit verify", "entry", e.ID)
			continue
		}
		head = Seal{Seq: head.Seq + 1, EntryID: e.ID, Previous: head.Hash, Hash: link(head.Seq+1, head.Hash, e)}
		seals = append(seals, head)
		sealed = append(sealed, e.ID)
	}
	if len(seals) == 0 {
		return nil
	}
	if err := tx.CreateInBatches(&seals, 500).Error; err != nil {
		return err
	}
	return tx.Where("entry_id IN ?", sealed).Delete(&unsealed{}).Error
}

func lastSeal(tx *gorm.DB) (Seal, error) {
	var s Seal
	err := tx.Clauses(clause.OrderBy{Columns: []clause.OrderByColumn{{Column: clause.Column{Name: "seq"}, Desc: true}}}).Take(&s).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Seal{}, nil
	}
	return s, err
}

package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/database"
)

// sealBatch is how many entries one sealing transaction takes.
const sealBatch = 1000

// gather is how long the sealer lets the transaction that woke it commit, and
// others join its batch. Each batch is a commit of its own that business waits
// beside; an entry has to be sealed within a second.
const gather = 100 * time.Millisecond

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

// RunSealer seals what commits until ctx ends, then seals the rest once more,
// and keeps the newest head in the file checkpoint. Exactly one process seals
// at a time; the others find the lock taken and look again later.
func (t *Trail) RunSealer(ctx context.Context, db *gorm.DB, log *slog.Logger, checkpoint string) {
	kept, err := ReadCheckpoint(checkpoint)
	if err != nil {
		log.Error("the audit checkpoint is not compared with the chain and will be replaced", "err", err)
	}
	t.kept = kept
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
			time.Sleep(gather)
		}
		if err := t.sealAndKeep(ctx, db, log, checkpoint); err != nil && ctx.Err() == nil {
			log.Error("sealing the audit trail", "err", err)
		}
	}
}

func (t *Trail) sealAndKeep(ctx context.Context, db *gorm.DB, log *slog.Logger, checkpoint string) error {
	if err := t.seal(ctx, db, log, false); err != nil {
		return err
	}
	db = db.WithContext(ctx)
	head, err := lastSeal(db)
	if err != nil || head.head() == t.kept {
		return err
	}
	if lost, err := lostHead(db, t.kept); err != nil || lost != nil {
		return t.alarm(db, log, lost, err)
	}
	if err := writeCheckpoint(checkpoint, head.head()); err != nil {
		return fmt.Errorf("keep the audit checkpoint: %w", err)
	}
	t.kept, t.alarmed = head.head(), false
	return t.signWhenDue(db, head.head())
}

// alarm says once that the chain lost what this process knows of it. The file
// stays as it is: it is the evidence.
func (t *Trail) alarm(db *gorm.DB, log *slog.Logger, lost *Broken, err error) error {
	if err != nil {
		return err
	}
	if !t.alarmed {
		t.alarmed = true
		log.Error("the audit trail is broken; run doorplate audit verify", "entry", lost.Seq, "cause", lost.Cause())
	}
	return t.saveBroken(db, lost) // again when somebody found the rest whole: this process knows better
}

// SealAll seals everything committed so far.
func (t *Trail) SealAll(ctx context.Context, db *gorm.DB, log *slog.Logger) error {
	return t.seal(ctx, db, log, true)
}

func (t *Trail) seal(ctx context.Context, db *gorm.DB, log *slog.Logger, wait bool) error {
	for {
		n, err := t.sealBatch(ctx, db, log, wait)
		if err != nil || n < sealBatch {
			return err
		}
	}
}

func (t *Trail) sealBatch(ctx context.Context, db *gorm.DB, log *slog.Logger, wait bool) (int, error) {
	var waiting bool
	err := db.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM audit_unsealed)").Scan(&waiting).Error
	if err != nil || !waiting {
		return 0, err
	}
	n := 0
	err = db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		mine, err := lockSealing(tx, wait)
		if err != nil || !mine {
			return err
		}
		entries, err := queued(tx)
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

// queued reads the next entries that wait for their seals.
func queued(tx *gorm.DB) (entries []Entry, err error) {
	var e Entry
	rows, err := tx.Raw("SELECT "+entryColumns+" FROM audit_unsealed u JOIN audit_entries e ON e.id = u.entry_id ORDER BY u.entry_id LIMIT ?", sealBatch).Rows()
	err = eachRow(rows, err, e.fields(), func() { entries = append(entries, e) })
	return entries, err
}

// sealLock is the advisory lock of whoever seals. A lock on the table would ask
// for a right that the application does not need.
const sealLock = 715518

// lockSealing makes this transaction the only one that seals. On SQLite it is by
// its nature. A sealer that is stopped in the middle loses its turn after ten
// seconds: the server ends its transaction, and the numbers it would have given
// are another's; business transactions never wait for a sealer.
func lockSealing(tx *gorm.DB, wait bool) (mine bool, err error) {
	if !database.Postgres(tx) {
		return true, nil
	}
	if err := tx.Exec("SET LOCAL idle_in_transaction_session_timeout = '10s'").Error; err != nil {
		return false, err
	}
	if wait {
		return true, tx.Exec("SELECT pg_advisory_xact_lock(?)", sealLock).Error
	}
	err = tx.Raw("SELECT pg_try_advisory_xact_lock(?)", sealLock).Scan(&mine).Error
	return mine, err
}

func (t *Trail) append(tx *gorm.DB, entries []Entry, log *slog.Logger) error {
	head, err := lastSeal(tx)
	if err != nil {
		return err
	}
	var seals []Seal
	var sealed []int64
	h := newHasher(&t.keys)
	for _, e := range entries {
		if !h.fits(&e) {
			log.Error("an audit entry does not fit its MAC and stays unsealed; run doorplate audit verify", "entry", e.ID)
			continue
		}
		head = Seal{Seq: head.Seq + 1, EntryID: e.ID, Previous: head.Hash, Hash: string(h.link(head.Seq+1, head.Hash, e.MAC))}
		seals = append(seals, head)
		sealed = append(sealed, e.ID)
	}
	if len(seals) == 0 {
		return nil
	}
	if database.Postgres(tx) {
		return appendAtOnce(tx, seals, sealed)
	}
	if err := tx.CreateInBatches(&seals, 500).Error; err != nil {
		return err
	}
	return tx.Where("entry_id IN ?", sealed).Delete(&unsealed{}).Error
}

// appendAtOnce writes a batch with two statements of always the same text: a
// thousand parameters would be parsed anew for each size of a batch.
func appendAtOnce(tx *gorm.DB, seals []Seal, sealed []int64) error {
	text, err := json.Marshal(seals)
	if err != nil {
		return err
	}
	err = tx.Exec(`INSERT INTO audit_seals (seq, entry_id, previous, hash)
		SELECT s.seq, i.id, s.previous, s.hash FROM json_to_recordset(CAST(? AS json)) AS s (seq bigint, previous text, hash text)
		JOIN unnest(CAST(? AS bigint[])) WITH ORDINALITY AS i (id, nth) ON i.nth = s.seq - ? + 1`, string(text), idList(sealed), seals[0].Seq).Error
	if err != nil {
		return err
	}
	return tx.Exec("DELETE FROM audit_unsealed WHERE entry_id = ANY (CAST(? AS bigint[]))", idList(sealed)).Error
}

// idList is an array as PostgreSQL reads it.
func idList(ids []int64) string {
	b := []byte{'{'}
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, id, 10)
	}
	return string(append(b, '}'))
}

func (s Seal) head() Head { return Head{Seq: s.Seq, Hash: s.Hash} }

func lastSeal(tx *gorm.DB) (Seal, error) {
	var s Seal
	err := tx.Clauses(clause.OrderBy{Columns: []clause.OrderByColumn{{Column: clause.Column{Name: "seq"}, Desc: true}}}).Take(&s).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Seal{}, nil
	}
	return s, err
}

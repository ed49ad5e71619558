package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/fault"
)

// The background verification: what is new every minute, everything once a day
// in pieces, so that it costs next to nothing.
const (
	watchEvery = time.Minute
	passEvery  = 24 * time.Hour
	passPiece  = 50_000
)

// Verified is how far the chain was found whole, and what was found broken.
type Verified struct {
	TipSeq   int64 // everything new up to here fits what was verified before
	TipHash  string
	TipAt    *time.Time
	WholeSeq int64 // the newest walk from the first entry reached this one
	WholeAt  *time.Time

	BrokenSeq     int64
	BrokenEntry   int64
	BrokenEntryAt *time.Time
	BrokenCause   Cause
	BrokenAt      *time.Time // when it was found; nil while nothing is
}

// watched is the row of audit_verified. Its MAC keeps anybody from declaring an
// altered part verified.
type watched struct {
	Verified  `gorm:"embedded"`
	PassSeq   int64
	PassHash  string
	PassBegan *time.Time
	MAC       string
}

func (t *Trail) watchedMAC(w watched) string {
	w.MAC = ""
	for _, at := range []**time.Time{&w.TipAt, &w.WholeAt, &w.BrokenAt, &w.PassBegan, &w.BrokenEntryAt} {
		if *at != nil {
			utc := (*at).UTC().Truncate(time.Microsecond)
			*at = &utc
		}
	}
	text, err := json.Marshal(w)
	if err != nil {
		panic(err) // numbers, texts and times only
	}
	return t.keys.Hash("audit verified", string(text))
}

// readWatched reads the state; one that we did not write counts as none.
func (t *Trail) readWatched(db *gorm.DB) (w watched, err error) {
	var rows []watched
	if err := db.Table("audit_verified").Where("id = 1").Find(&rows).Error; err != nil {
		return w, fmt.Errorf("read how far the trail is verified: %w", err)
	}
	if len(rows) == 1 && rows[0].MAC == t.watchedMAC(rows[0]) {
		w = rows[0]
	}
	return w, nil
}

func (t *Trail) saveWatched(db *gorm.DB, w watched) error {
	w.MAC = t.watchedMAC(w)
	err := db.Exec(`INSERT INTO audit_verified (id, tip_seq, tip_hash, tip_at, pass_seq, pass_hash, pass_began, whole_seq, whole_at,
		broken_seq, broken_entry, broken_cause, broken_entry_at, broken_at, mac) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET tip_seq = excluded.tip_seq, tip_hash = excluded.tip_hash, tip_at = excluded.tip_at, pass_seq = excluded.pass_seq,
		pass_hash = excluded.pass_hash, pass_began = excluded.pass_began, whole_seq = excluded.whole_seq, whole_at = excluded.whole_at,
		broken_seq = excluded.broken_seq, broken_entry = excluded.broken_entry, broken_cause = excluded.broken_cause,
		broken_entry_at = excluded.broken_entry_at, broken_at = excluded.broken_at, mac = excluded.mac`,
		w.TipSeq, w.TipHash, w.TipAt, w.PassSeq, w.PassHash, w.PassBegan, w.WholeSeq, w.WholeAt,
		w.BrokenSeq, w.BrokenEntry, w.BrokenCause, w.BrokenEntryAt, w.BrokenAt, w.MAC).Error
	if err != nil {
		return fmt.Errorf("keep how far the trail is verified: %w", err)
	}
	return nil
}

func (t *Trail) stamp() *time.Time {
	at := t.now().UTC().Truncate(time.Microsecond)
	return &at
}

func (w *watched) broke(b *Broken, at *time.Time) {
	w.BrokenSeq, w.BrokenEntry, w.BrokenCause, w.BrokenAt = b.Seq, b.Entry, b.Kind, at
	w.BrokenEntryAt = nil
	if !b.At.IsZero() {
		utc := b.At.UTC()
		w.BrokenEntryAt = &utc
	}
}

func (t *Trail) saveBroken(db *gorm.DB, b *Broken) error {
	w, err := t.readWatched(db)
	if err != nil || w.BrokenAt != nil {
		return err
	}
	w.broke(b, t.stamp())
	return t.saveWatched(db, w)
}

func (t *Trail) brokenNow(db *gorm.DB) (bool, error) {
	w, err := t.readWatched(db)
	return w.BrokenAt != nil, err
}

// RunWatch verifies in the background until ctx ends.
func (t *Trail) RunWatch(ctx context.Context, db *gorm.DB, log *slog.Logger) {
	for {
		if err := t.Watch(ctx, db, log); err != nil && ctx.Err() == nil {
			log.Error("verifying the audit trail", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchEvery):
		}
	}
}

// Watch does one piece of the background verification and keeps where it
// stopped. A broken chain stays broken until somebody verified it as a whole.
func (t *Trail) Watch(ctx context.Context, db *gorm.DB, log *slog.Logger) error {
	if !t.looks.TryLock() {
		return nil // the whole is being verified
	}
	defer t.looks.Unlock()
	db = db.WithContext(ctx)
	w, err := t.readWatched(db)
	if err != nil || w.BrokenAt != nil {
		return err
	}
	if w.TipAt != nil && t.now().Sub(*w.TipAt) < watchEvery/2 {
		return nil // another process just did
	}
	broken, err := t.watchTip(ctx, db, &w)
	if err == nil && broken == nil {
		broken, err = t.watchPass(ctx, db, &w)
	}
	if err != nil {
		return err
	}
	if broken != nil {
		log.Error("the audit trail is broken; run doorplate audit verify", "entry", broken.Seq, "id", broken.Entry, "cause", broken.Cause())
		w.broke(broken, t.stamp())
	}
	return db.Transaction(func(tx *gorm.DB) error {
		since, err := t.holdWatched(tx)
		if err != nil || since.BrokenAt != nil {
			return err // another process found it broken while this one looked elsewhere
		}
		return t.saveWatched(tx, w)
	})
}

// holdWatched reads the state so that nobody else changes it before tx ends.
func (t *Trail) holdWatched(tx *gorm.DB) (watched, error) {
	return t.readWatched(tx.Clauses(clause.Locking{Strength: "UPDATE"}))
}

// walkOn follows the chain from a head to a number, at most limit links.
func (t *Trail) walkOn(ctx context.Context, db *gorm.DB, from Head, upto, limit int64) (Head, *Broken, error) {
	w := newWalker(&t.keys, nil)
	w.head = from
	err := eachChunk(ctx, db, from.Seq, min(upto, from.Seq+limit), func(chunk []sealed) bool {
		for i := range chunk {
			if !w.step(&chunk[i]) {
				return false
			}
		}
		return true
	})
	w.known = nil
	if err == nil {
		w.end()
	}
	return w.head, w.broken, err
}

// watchTip verifies what was sealed since the last time.
func (t *Trail) watchTip(ctx context.Context, db *gorm.DB, w *watched) (*Broken, error) {
	if lost, err := lostHead(db, Head{w.TipSeq, w.TipHash}); err != nil || lost != nil {
		return lost, err
	}
	last, err := lastSeal(db)
	if err != nil {
		return nil, err
	}
	head := Head{w.TipSeq, w.TipHash}
	for head.Seq < last.Seq {
		var broken *Broken
		before := head.Seq
		head, broken, err = t.walkOn(ctx, db, head, last.Seq, passPiece)
		w.TipSeq, w.TipHash = head.Seq, head.Hash
		if err != nil || broken != nil {
			return broken, err
		}
		if head.Seq == before {
			return &Broken{Seq: before + 1, Kind: SealMissing}, nil
		}
	}
	w.TipAt = t.stamp()
	return nil, nil
}

// watchPass walks one piece of the way from the first entry to the tip.
func (t *Trail) watchPass(ctx context.Context, db *gorm.DB, w *watched) (*Broken, error) {
	now := t.stamp()
	if w.PassBegan == nil || w.PassSeq == 0 && now.Sub(*w.PassBegan) >= passEvery {
		w.PassSeq, w.PassHash, w.PassBegan = 0, "", now
	} else if w.PassSeq == 0 {
		return nil, nil // today's is done
	}
	head, broken, err := t.walkOn(ctx, db, Head{w.PassSeq, w.PassHash}, w.TipSeq, passPiece)
	w.PassSeq, w.PassHash = head.Seq, head.Hash
	if err != nil || broken != nil || head.Seq < w.TipSeq {
		return broken, err
	}
	if broken, err = t.lostCheckpoint(db); err != nil || broken != nil {
		return broken, err
	}
	if broken, err = strayEntry(db); err != nil || broken != nil {
		return broken, err
	}
	w.WholeSeq, w.WholeAt = head.Seq, now
	w.PassSeq, w.PassHash = 0, ""
	return nil, nil
}

// lostCheckpoint finds a kept checkpoint that the chain does not agree with.
func (t *Trail) lostCheckpoint(db *gorm.DB) (*Broken, error) {
	kept, forged, err := t.keptHeads(db)
	if err != nil || forged != nil {
		return forged, err
	}
	var seals []Seal
	err = db.Raw("SELECT s.* FROM audit_checkpoints c JOIN audit_seals s ON s.seq = c.size").Scan(&seals).Error
	if err != nil {
		return nil, err
	}
	hashes := make(map[int64]string, len(seals))
	for _, s := range seals {
		hashes[s.Seq] = s.Hash
	}
	for _, h := range kept {
		if hashes[h.Seq] != h.Hash {
			return lostHead(db, h)
		}
	}
	return nil, nil
}

var (
	chainObject   = Object{Kind: "audit"}
	nothingSealed = fault.Conflict{Message: fault.Msg("chain.error.empty")}
	chainBroken   = fault.Conflict{Message: fault.Msg("chain.error.broken")}
)

func orBroken(err error) error {
	if err != nil {
		return err
	}
	return chainBroken
}

package audit

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/secret"
)

// Head is the end of the chain: how many entries are sealed, and the last hash.
type Head struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// Cause says what is wrong with the trail, as a word that texts are found by.
type Cause string

// The causes.
const (
	Changed      Cause = "changed"
	Deleted      Cause = "deleted"
	SealMissing  Cause = "missing"
	Unlinked     Cause = "unlinked"
	NotOurs      Cause = "mac"
	Repeated     Cause = "repeated"
	Inserted     Cause = "inserted"
	WaitingWrong Cause = "waiting"
	CutOff       Cause = "cutoff"
	Rewritten    Cause = "rewritten"
	Unsigned     Cause = "unsigned"
)

var causes = map[Cause]string{
	Changed:      "the entry was changed after it was sealed",
	Deleted:      "the entry was deleted",
	SealMissing:  "the seal of this entry is missing: the entry was deleted",
	Unlinked:     "its seal does not follow the one before: entries were changed, inserted or put in another order",
	NotOurs:      "the entry does not fit its MAC: it was changed or inserted, not written by Doorplate",
	Repeated:     "the entry was inserted: it is a copy of an earlier one",
	Inserted:     "the entry was inserted: no seal covers it and none is due",
	WaitingWrong: "an entry that is not sealed yet does not fit its MAC: it was changed or not written by Doorplate",
	CutOff:       "the chain was cut off",
	Rewritten:    "the chain was rewritten",
	Unsigned:     "a kept checkpoint is not signed by this installation",
}

// Broken is the first place where the trail is not what was written.
type Broken struct {
	Seq   int64 // 0 when it was never sealed
	Entry int64
	At    time.Time // the entry's own time, if it is known
	Kind  Cause
	Note  string // more about it, in English
}

// Cause is a plain sentence.
func (b Broken) Cause() string {
	if b.Note != "" {
		return causes[b.Kind] + ": " + b.Note
	}
	return causes[b.Kind]
}

// Report is what verifying found. Broken is nil when everything fits.
type Report struct {
	Head        Head
	Unsealed    int64
	MACChecked  bool
	Checkpoints int  // how many earlier heads the chain was compared with
	Signed      int  // how many of them carried a signature that fits
	Carried     bool // a file has a checkpoint of its own
	Broken      *Broken
}

// walker follows a chain link by link.
type walker struct {
	*hasher
	head   Head
	fit    int64 // the last known head that the chain agreed with
	known  []Head
	seen   []mark
	broken *Broken
}

// mark tells entries apart by the first bytes of their MACs.
type mark struct {
	mac uint64
	seq int64
}

// newWalker compares the chain with the heads known from elsewhere.
func newWalker(keys *secret.Keys, known []Head) *walker {
	known = slices.DeleteFunc(slices.Clone(known), func(h Head) bool { return h.Seq <= 0 })
	slices.SortStableFunc(known, func(a, b Head) int { return cmp.Compare(a.Seq, b.Seq) })
	return &walker{hasher: newHasher(keys), known: known}
}

// step takes the next link and reports whether all is well so far.
func (w *walker) step(s *sealed) bool {
	switch cause := w.fault(s); cause {
	case "":
	case SealMissing:
		w.broken = &Broken{Seq: w.head.Seq + 1, Kind: cause, Note: fmt.Sprintf("after entry %d the chain goes on with entry %d", w.head.Seq, s.Seq)}
		return false
	default:
		w.broken = &Broken{Seq: s.Seq, Entry: s.SealOf, At: s.At, Kind: cause}
		return false
	}
	w.head = Head{Seq: s.Seq, Hash: s.Hash}
	w.remember(s)
	return w.compare(s)
}

// fault says what is wrong with one link, "" when nothing is.
func (w *walker) fault(s *sealed) Cause {
	switch {
	case s.Seq != w.head.Seq+1:
		return SealMissing
	case s.Previous != w.head.Hash:
		return Unlinked
	case s.Twice:
		return Repeated
	case s.UID == "":
		return Deleted
	}
	w.take(&s.Entry)
	if string(w.link(s.Seq, s.Previous, s.MAC)) != s.Hash {
		return Changed
	}
	if w.mac != nil && string(w.code()) != s.MAC {
		return NotOurs
	}
	return ""
}

func (w *walker) remember(s *sealed) {
	var first [8]byte
	if len(s.MAC) >= 16 {
		if _, err := hex.Decode(first[:], []byte(s.MAC[:16])); err == nil {
			w.seen = append(w.seen, mark{binary.BigEndian.Uint64(first[:]), s.Seq})
		}
	}
}

// compare holds the new head against what was known of it before.
func (w *walker) compare(s *sealed) bool {
	for len(w.known) > 0 && w.known[0].Seq <= w.head.Seq {
		if w.known[0].Seq == w.head.Seq && w.known[0].Hash != w.head.Hash {
			w.broken = &Broken{Seq: s.Seq, Entry: s.SealOf, At: s.At, Kind: Rewritten,
				Note: fmt.Sprintf("its hash at entry %d differs from the checkpoint, so something between entry %d and %d is not what it was", s.Seq, w.fit+1, s.Seq)}
			return false
		}
		w.fit, w.known = w.known[0].Seq, w.known[1:]
	}
	return true
}

// end looks at what only the whole chain shows.
func (w *walker) end() {
	if w.broken != nil {
		return
	}
	if n := len(w.known); n > 0 {
		w.broken = &Broken{Seq: w.head.Seq + 1, Kind: CutOff, Note: fmt.Sprintf("a checkpoint knows entry %d", w.known[n-1].Seq)}
		return
	}
	slices.SortFunc(w.seen, func(a, b mark) int { return cmp.Or(cmp.Compare(a.mac, b.mac), cmp.Compare(a.seq, b.seq)) })
	for i := 1; i < len(w.seen); i++ {
		if w.seen[i].mac == w.seen[i-1].mac && (w.broken == nil || w.seen[i].seq < w.broken.Seq) {
			w.broken = &Broken{Seq: w.seen[i].seq, Kind: Repeated, Note: fmt.Sprintf("entry %d", w.seen[i-1].seq)}
		}
	}
}

// Verify walks the whole chain in the database, beside a server that writes to
// it. known are heads seen earlier and elsewhere: a chain that lost one of them
// was cut off or rewritten. The checkpoints kept in the database are looked at too.
func (t *Trail) Verify(ctx context.Context, db *gorm.DB, known ...Head) (Report, error) {
	return t.verify(ctx, db, func(int64) error { return nil }, known...)
}

// verify is Verify that tells how far it is, and ends with the error that comes back.
func (t *Trail) verify(ctx context.Context, db *gorm.DB, tell func(done int64) error, known ...Head) (Report, error) {
	r := Report{MACChecked: true}
	db = db.WithContext(ctx)
	last, err := lastSeal(db)
	if err != nil {
		return r, fmt.Errorf("verify: %w", err)
	}
	kept, forged, err := t.keptHeads(db)
	if err != nil {
		return r, fmt.Errorf("verify: %w", err)
	}
	w := newWalker(&t.keys, append(kept, known...))
	r.Checkpoints, r.Signed = len(w.known), len(kept)
	var stopped error
	err = eachChunk(ctx, db, 0, last.Seq, func(chunk []sealed) bool {
		for i := range chunk {
			if !w.step(&chunk[i]) {
				return false
			}
		}
		stopped = tell(w.head.Seq)
		return stopped == nil
	})
	if err := errors.Join(err, stopped); err != nil {
		return r, fmt.Errorf("verify: %w", err)
	}
	w.end()
	r.Head, r.Broken = w.head, w.broken
	if r.Broken == nil {
		r.Broken = forged
	}
	if r.Broken == nil {
		r.Broken, r.Unsealed, err = t.unsealedFault(db)
	}
	if err == nil && r.Broken != nil && r.Broken.At.IsZero() && r.Broken.Entry > 0 {
		err = db.Raw("SELECT at FROM audit_entries WHERE id = ?", r.Broken.Entry).Scan(&r.Broken.At).Error
	}
	if err != nil {
		return r, fmt.Errorf("verify: %w", err)
	}
	return r, nil
}

// unsealedFault looks at what no seal covers: entries that wait for theirs, and
// entries that have no business to be there.
func (t *Trail) unsealedFault(db *gorm.DB) (*Broken, int64, error) {
	var waiting []Entry
	err := db.Raw(`SELECT e.* FROM audit_unsealed u LEFT JOIN audit_entries e ON e.id = u.entry_id ORDER BY u.entry_id`).Scan(&waiting).Error
	if err != nil {
		return nil, 0, err
	}
	h := newHasher(&t.keys)
	for _, e := range waiting {
		if !h.fits(&e) {
			return &Broken{Entry: e.ID, At: e.At, Kind: WaitingWrong}, 0, nil
		}
	}
	stray, err := strayEntry(db)
	return stray, int64(len(waiting)), err
}

// strayEntry finds an entry without a seal. Counting is quick; only when the
// numbers differ is it worth looking which one.
func strayEntry(db *gorm.DB) (*Broken, error) {
	var n struct{ Entries, Seals, Waiting int64 }
	err := db.Raw(`SELECT (SELECT count(*) FROM audit_entries) AS entries, (SELECT count(*) FROM audit_seals) AS seals,
		(SELECT count(*) FROM audit_unsealed) AS waiting`).Scan(&n).Error
	if err != nil || n.Entries == n.Seals+n.Waiting {
		return nil, err
	}
	var stray []Entry
	err = db.Raw(`SELECT e.* FROM audit_entries e WHERE NOT EXISTS (SELECT 1 FROM audit_seals s WHERE s.entry_id = e.id)
		AND NOT EXISTS (SELECT 1 FROM audit_unsealed u WHERE u.entry_id = e.id) ORDER BY e.id LIMIT 1`).Scan(&stray).Error
	if err != nil || len(stray) == 0 {
		return nil, err
	}
	return &Broken{Entry: stray[0].ID, At: stray[0].At, Kind: Inserted}, nil
}

package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/secret"
)

// line is one line of an exported trail; the last one has only Head.
type line struct {
	Seq      int64    `json:"seq,omitempty"`
	Previous string   `json:"previous,omitempty"`
	Hash     string   `json:"hash,omitempty"`
	Entry    *Entry   `json:"entry,omitempty"`
	Head     *endLine `json:"head,omitempty"`
}

// endLine is the head as a file carries it. Files of before have no checkpoint.
type endLine struct {
	Head
	Checkpoint string `json:"checkpoint,omitempty"` // signed, of this very head
	PublicKey  string `json:"public_key,omitempty"` // for convenience: whoever forges a file forges this too
}

// Export writes every sealed entry as a JSON line, the head with its signed checkpoint last.
func (t *Trail) Export(ctx context.Context, db *gorm.DB, w io.Writer) error {
	last, err := lastSeal(db.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("export the audit trail: %w", err)
	}
	out := json.NewEncoder(w)
	var head Head
	var failed error
	err = eachChunk(ctx, db, 0, last.Seq, func(chunk []sealed) bool {
		for i := range chunk {
			s := &chunk[i]
			if failed = out.Encode(line{Seq: s.Seq, Previous: s.Previous, Hash: s.Hash, Entry: &s.Entry}); failed != nil {
				return false
			}
			head = Head{Seq: s.Seq, Hash: s.Hash}
		}
		return true
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("export the audit trail: %w", err)
	}
	end := endLine{Head: head}
	if head.Seq > 0 {
		c, err := t.sign(head, t.now().UTC().Truncate(time.Second))
		if err != nil {
			return err
		}
		end.Checkpoint, end.PublicKey = c.Note, t.PublicKey()
	}
	return out.Encode(line{Head: &end})
}

// Proof is what an exported file is held against. Every part may be missing.
type Proof struct {
	Keys      *secret.Keys // checks the MACs
	PublicKey string       // checks the signature of the file's own checkpoint
	Known     []Head       // heads seen earlier
}

// VerifyFile checks an exported trail without a database. Without the secret
// key only the chain and the checkpoints are checked.
func VerifyFile(r io.Reader, p Proof) (Report, error) {
	report := Report{MACChecked: p.Keys != nil, Checkpoints: len(p.Known)}
	w := newWalker(p.Keys, p.Known)
	end, err := w.readLines(r)
	report.Head, report.Broken = w.head, w.broken
	if err != nil || report.Broken != nil {
		return report, err
	}
	if end == nil && w.head.Seq == 0 {
		return report, errors.New("the file has no head line: it is not an exported audit trail")
	}
	if end == nil {
		report.Broken = &Broken{Seq: w.head.Seq + 1, Kind: CutOff, Note: "the file ends without its head line"}
		return report, nil
	}
	report.Carried = end.Checkpoint != ""
	if end.Head != w.head {
		report.Broken = &Broken{Seq: w.head.Seq + 1, Kind: CutOff, Note: fmt.Sprintf("the file's head names entry %d", end.Seq)}
		return report, nil
	}
	w.end()
	if report.Broken = w.broken; report.Broken != nil || p.PublicKey == "" || end.Checkpoint == "" {
		return report, nil
	}
	c, err := ParseCheckpoint(end.Checkpoint, p.PublicKey)
	switch {
	case errors.Is(err, ErrSignature):
		report.Broken = &Broken{Seq: w.head.Seq, Kind: Unsigned, Note: "the one at the end of the file is not signed with this public key"}
	case err != nil:
		return report, err
	case c.Head != w.head:
		report.Broken = &Broken{Seq: min(c.Seq, w.head.Seq), Kind: Rewritten, Note: fmt.Sprintf("the file's own checkpoint knows %d entries and another end", c.Seq)}
	default:
		report.Signed++
	}
	return report, nil
}

// lineMax is the longest line that is read; an entry is a fraction of it.
const lineMax = 8 << 20

// readLines walks the lines of a file and returns its head line.
func (w *walker) readLines(r io.Reader) (end *endLine, err error) {
	for d := range decodeLines(r) {
		switch {
		case d.err != nil:
			return nil, d.err
		case end != nil || d.line.Entry == nil && d.line.Head == nil:
			return nil, notAnEntry(d.number)
		case d.line.Head != nil:
			end = d.line.Head
			continue
		}
		s := sealed{Seq: d.line.Seq, SealOf: d.line.Entry.ID, Previous: d.line.Previous, Hash: d.line.Hash, Entry: *d.line.Entry}
		if !w.step(&s) {
			return nil, nil
		}
	}
	return end, nil
}

func notAnEntry(number int) error {
	return fmt.Errorf("line %d is not an entry of an exported audit trail", number)
}

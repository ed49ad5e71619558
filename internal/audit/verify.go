package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"gorm.io/gorm"

	"doorplate/internal/secret"
)

// Head is the end of the chain: how many entries are sealed, and the last hash.
type Head struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// Broken is the first place where the trail is not what was written.
type Broken struct {
	Seq   int64 // 0 when it was never sealed
	Entry int64
	Cause string
}

// Report is what verifying found. Broken is nil when everything fits.
type Report struct {
	Head       Head
	Unsealed   int64
	MACChecked bool
	Broken     *Broken
}

type sealed struct {
	Seq      int64
	SealOf   int64
	Previous string
	Hash     string
	Entry
}

// Verify walks the whole chain in the database. checkpoint, if its Seq is not
// zero, is a head seen earlier: a chain that lost it was cut off or rewritten.
func (t *Trail) Verify(ctx context.Context, db *gorm.DB, checkpoint Head) (Report, error) {
	r := Report{MACChecked: true}
	// One snapshot: a server may be sealing meanwhile.
	err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := t.walk(tx, checkpoint, &r); err != nil || r.Broken != nil {
			return err
		}
		return t.checkUnsealed(tx, &r)
	}, snapshot(db))
	if err != nil {
		return r, fmt.Errorf("verify: %w", err)
	}
	return r, nil
}

func (t *Trail) walk(tx *gorm.DB, checkpoint Head, r *Report) error {
	rows, err := tx.Raw(`SELECT s.seq, s.entry_id AS seal_of, s.previous, s.hash, e.*
		FROM audit_seals s LEFT JOIN audit_entries e ON e.id = s.entry_id ORDER BY s.seq`).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		s, err := scanSealed(tx, rows)
		if err != nil {
			return err
		}
		if cause := t.fault(r.Head, s); cause != "" {
			r.Broken = &Broken{Seq: s.Seq, Entry: s.SealOf, Cause: cause}
			return nil
		}
		r.Head = Head{Seq: s.Seq, Hash: s.Hash}
		if s.Seq == checkpoint.Seq && s.Hash != checkpoint.Hash {
			r.Broken = &Broken{Seq: s.Seq, Entry: s.SealOf, Cause: "the chain was rewritten: its hash differs from the checkpoint"}
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if r.Head.Seq < checkpoint.Seq {
		r.Broken = &Broken{Seq: r.Head.Seq + 1, Cause: fmt.Sprintf("the chain was cut off: the checkpoint knows entry %d", checkpoint.Seq)}
	}
	return nil
}

// fault names what is wrong with one link after the given head, "" when nothing is.
func (t *Trail) fault(head Head, s sealed) string {
	if cause := chainFault(head, s); cause != "" {
		return cause
	}
	if !t.fits(s.Entry) {
		return "the entry does not fit its MAC: it was not written by Doorplate"
	}
	return ""
}

// chainFault is fault without the secret key.
func chainFault(head Head, s sealed) string {
	switch {
	case s.Seq != head.Seq+1:
		return fmt.Sprintf("the seal of entry number %d is missing", head.Seq+1)
	case s.Previous != head.Hash:
		return "its seal does not follow the one before"
	case s.Entry.UID == "":
		return "the entry was deleted"
	case link(s.Seq, s.Previous, s.Entry) != s.Hash:
		return "the entry was changed after it was sealed"
	}
	return ""
}

// checkUnsealed looks at what no seal covers yet.
func (t *Trail) checkUnsealed(tx *gorm.DB, r *Report) error {
	var waiting []Entry
	err := tx.Raw(`SELECT e.* FROM audit_unsealed u LEFT JOIN audit_entries e ON e.id = u.entry_id ORDER BY u.entry_id`).Scan(&waiting).Error
	if err != nil {
		return err
	}
	for _, e := range waiting {
		if !t.fits(e) {
			r.Broken = &Broken{Entry: e.ID, Cause: "an entry that is not sealed yet does not fit its MAC: it was changed or not written by Doorplate"}
			return nil
		}
	}
	r.Unsealed = int64(len(waiting))
	var stray []int64
	err = tx.Raw(`SELECT e.id FROM audit_entries e WHERE NOT EXISTS (SELECT 1 FROM audit_seals s WHERE s.entry_id = e.id)
		AND NOT EXISTS (SELECT 1 FROM audit_unsealed u WHERE u.entry_id = e.id) ORDER BY e.id LIMIT 1`).Scan(&stray).Error
	if err == nil && len(stray) > 0 {
		r.Broken = &Broken{Entry: stray[0], Cause: "the entry was inserted: no seal covers it and none is due"}
	}
	return err
}

// line is one line of an exported trail; the last one has only Head.
type line struct {
	Seq      int64  `json:"seq,omitempty"`
	Previous string `json:"previous,omitempty"`
	Hash     string `json:"hash,omitempty"`
	Entry    *Entry `json:"entry,omitempty"`
	Head     *Head  `json:"head,omitempty"`
}

// Export writes every sealed entry as a JSON line, the head last.
func (t *Trail) Export(ctx context.Context, db *gorm.DB, w io.Writer) error {
	rows, err := db.WithContext(ctx).Raw(`SELECT s.seq, s.entry_id AS seal_of, s.previous, s.hash, e.*
		FROM audit_seals s JOIN audit_entries e ON e.id = s.entry_id ORDER BY s.seq`).Rows()
	if err != nil {
		return fmt.Errorf("export the audit trail: %w", err)
	}
	defer rows.Close()
	out := json.NewEncoder(w)
	var head Head
	for rows.Next() {
		s, err := scanSealed(db, rows)
		if err != nil {
			return err
		}
		if err := out.Encode(line{Seq: s.Seq, Previous: s.Previous, Hash: s.Hash, Entry: &s.Entry}); err != nil {
			return err
		}
		head = Head{Seq: s.Seq, Hash: s.Hash}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return out.Encode(line{Head: &head})
}

// VerifyFile checks an exported trail. Without keys only the chain is checked.
func VerifyFile(r io.Reader, keys *secret.Keys) (Report, error) {
	report := Report{MACChecked: keys != nil}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), 8<<20)
	var end *Head
	for n := 1; lines.Scan(); n++ {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return report, fmt.Errorf("line %d is not an entry of an exported audit trail", n)
		}
		if l.Head != nil {
			end = l.Head
			continue
		}
		if end != nil || l.Entry == nil {
			return report, fmt.Errorf("line %d is not an entry of an exported audit trail", n)
		}
		if cause := fileFault(report.Head, l, keys); cause != "" {
			report.Broken = &Broken{Seq: l.Seq, Entry: l.Entry.ID, Cause: cause}
			return report, nil
		}
		report.Head = Head{Seq: l.Seq, Hash: l.Hash}
	}
	if err := lines.Err(); err != nil {
		return report, fmt.Errorf("read the exported audit trail: %w", err)
	}
	if end == nil {
		return report, errors.New("the file has no head line: it is not a whole exported audit trail")
	}
	if *end != report.Head {
		report.Broken = &Broken{Seq: report.Head.Seq + 1, Cause: fmt.Sprintf("the file was cut off: its head names entry %d", end.Seq)}
	}
	return report, nil
}

func fileFault(head Head, l line, keys *secret.Keys) string {
	s := sealed{Seq: l.Seq, Previous: l.Previous, Hash: l.Hash, Entry: *l.Entry}
	if keys == nil {
		return chainFault(head, s)
	}
	return (&Trail{keys: *keys}).fault(head, s)
}

package join

import (
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/code"
	"doorplate/internal/database"
	"doorplate/internal/directory"
)

// Signs are what a request is found and judged by. They are written when
// somebody asks; hints about others are added while the request waits.
type Signs struct {
	Visitor string // the browser, as the scan kept it
	Hints   Hint
	Sought  string // grams of name, phone and job number; "" = not indexed yet
}

// Hint is a set of reasons to look twice at a request. They are said in words
// and decide nothing.
type Hint int

// The hints.
const (
	Newcomer   Hint = 1 << iota // added to the directory within NewFor
	SameDevice                  // another person asked from the same browser
	SameVisit                   // another person asked after the same scan
	SamePhone                   // another person asked with the same number
	ManyTries                   // codes typed wrong, or asked again and again
	OffNetwork                  // sent from outside the networks of the code
)

// AllHints lists them, the gravest first.
var AllHints = []Hint{SameVisit, SamePhone, SameDevice, OffNetwork, ManyTries, Newcomer}

var hintNames = map[Hint]string{Newcomer: "newcomer", SameDevice: "device", SameVisit: "visit", SamePhone: "phone", ManyTries: "tries", OffNetwork: "network"}

// Name is how texts and filters call one hint.
func (h Hint) Name() string { return hintNames[h] }

// Each lists the hints that are set, the gravest first. The same visit is the
// same browser, which then need not be said.
func (h Hint) Each() (set []Hint) {
	if h&SameVisit != 0 {
		h &^= SameDevice
	}
	for _, one := range AllHints {
		if h&one != 0 {
			set = append(set, one)
		}
	}
	return set
}

const (
	// NewFor is how long somebody in the directory is new.
	NewFor = 7 * 24 * time.Hour
	// sharedFor is how far back another applicant from the same device or number counts.
	sharedFor = 30 * 24 * time.Hour
	// triesFor is how far back tries count, and manyTries how many are many.
	triesFor  = 24 * time.Hour
	manyTries = 4
	// othersHinted bounds how many waiting requests one more applicant marks.
	othersHinted = 50
)

// sign fills in the signs of a request that is about to be written, and marks
// the waiting requests of others that it shares a device, a visit or a number
// with. address is where the form came from.
func (s *Service) sign(tx *gorm.DB, c code.Code, address string, r *Request) error {
	now := s.now().UTC()
	var known struct {
		Job   string
		Fresh bool
	}
	if r.MemberID != nil {
		err := tx.Raw("SELECT coalesce(job_number, '') AS job, created_at > ? AS fresh FROM members WHERE id = ?", now.Add(-NewFor), *r.MemberID).Scan(&known).Error
		if err != nil {
			return fmt.Errorf("read the applicant: %w", err)
		}
	}
	r.Sought = directory.GramsOf(r.Name, r.Phone, known.Job)
	if known.Fresh {
		r.Hints |= Newcomer
	}
	if address != "" && !c.AllowsNetwork(address) { // who is called up from the waiting list comes from nowhere
		r.Hints |= OffNetwork
	}
	shared, err := s.recognise(tx, r, now)
	if err != nil {
		return err
	}
	return markOthers(tx, *r, shared)
}

// recognise looks for others with the same device, visit or number, and counts tries.
func (s *Service) recognise(tx *gorm.DB, r *Request, now time.Time) (shared Hint, err error) {
	var found []struct {
		Kind Hint
		N    int
	}
	self, other := r.person()
	since := now.Add(-sharedFor)
	scan := int64(0)
	if r.ScanID != nil {
		scan = *r.ScanID
	}
	err = tx.Raw(`SELECT CAST(? AS integer) AS kind, count(*) AS n FROM (SELECT 1 AS one FROM join_requests WHERE visitor = ? AND visitor <> '' AND `+other+` AND created_at > ? LIMIT 1) a
		UNION ALL SELECT CAST(? AS integer), count(*) FROM (SELECT 1 AS one FROM join_requests WHERE scan_id = ? AND `+other+` LIMIT 1) b
		UNION ALL SELECT CAST(? AS integer), count(*) FROM (SELECT 1 AS one FROM join_requests WHERE phone = ? AND phone <> '' AND `+other+` AND created_at > ? LIMIT 1) c
		UNION ALL SELECT CAST(? AS integer), (SELECT count(*) FROM (SELECT 1 AS one FROM join_requests WHERE `+self+` AND created_at > ? LIMIT 20) d)
			+ (SELECT coalesce(sum(CASE WHEN used_at IS NULL THEN attempts ELSE attempts - 1 END), 0) FROM phone_codes WHERE phone = ? AND purpose = 'join' AND created_at > ?)`,
		SameDevice, r.Visitor, r.whose(), since, SameVisit, scan, r.whose(), SamePhone, r.Phone, r.whose(), since,
		ManyTries, r.whose(), now.Add(-triesFor), r.Phone, now.Add(-triesFor)).Scan(&found).Error
	if err != nil {
		return 0, fmt.Errorf("compare the request with others: %w", err)
	}
	for _, f := range found {
		switch {
		case f.Kind == ManyTries && f.N >= manyTries:
			r.Hints |= ManyTries
		case f.Kind != ManyTries && f.N > 0:
			shared |= f.Kind
		}
	}
	r.Hints |= shared
	return shared, nil
}

// person is "asked by this person" and "asked by another one", each with whose as its argument.
func (r Request) person() (self, other string) {
	if r.MemberID != nil {
		return "member_id = ?", "coalesce(member_id, 0) <> ?"
	}
	return "guest_id = ?", "coalesce(guest_id, 0) <> ?"
}

func (r Request) whose() int64 {
	if r.MemberID != nil {
		return *r.MemberID
	}
	return *r.GuestID
}

// markOthers gives the waiting requests of the others the same hints. One that
// somebody is just deciding is left alone: waiting for it here could deadlock.
func markOthers(tx *gorm.DB, r Request, shared Hint) error {
	_, other := r.person()
	scan := int64(0)
	if r.ScanID != nil {
		scan = *r.ScanID
	}
	skip := ""
	if database.Postgres(tx) {
		skip = " FOR NO KEY UPDATE SKIP LOCKED"
	}
	for _, same := range []struct {
		hint  Hint
		where string
		value any
	}{{SameDevice, "visitor <> '' AND visitor", r.Visitor}, {SameVisit, "scan_id", scan}, {SamePhone, "phone <> '' AND phone", r.Phone}} {
		if shared&same.hint == 0 {
			continue
		}
		err := tx.Exec("UPDATE join_requests SET hints = hints + ? WHERE id IN (SELECT id FROM join_requests WHERE "+same.where+" = ? AND status = 'pending' AND "+other+
			" AND (hints & ?) = 0 ORDER BY id LIMIT ?"+skip+")", same.hint, same.value, r.whose(), same.hint, othersHinted).Error
		if err != nil {
			return fmt.Errorf("mark requests alike: %w", err)
		}
	}
	return nil
}

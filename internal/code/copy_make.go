package code

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// MaxCopies is how many copies one press makes.
const MaxCopies = 500

// CopyForm is what describes copies, as it was typed.
type CopyForm struct {
	Count     string // of a new form; empty is one
	Place     string
	Custodian string // a phone, a job number, or any words
	Channel   string // id; empty is none
}

// AddCopies makes copies with the next free serials and returns the first and
// the last. req: B25
func (s *Service) AddCopies(ctx context.Context, by access.Actor, publicID string, form CopyForm) (first, last int, err error) {
	err = s.change(ctx, by, access.CodeRevoke, publicID, func(tx *gorm.DB, f Facts) error {
		model, n, err := s.newCopies(tx, f, form)
		if err != nil {
			return err
		}
		copies := make([]Copy, n)
		for i := range copies {
			copies[i] = model
		}
		if first, err = s.write(tx, by, f.ID, copies); err != nil {
			return err
		}
		last = first + n - 1
		return s.trail.Record(tx, by, event("code.copies.add", f, map[string]any{"first": first, "last": last, "place": model.Place}))
	})
	return first, last, err
}

func (s *Service) newCopies(tx *gorm.DB, f Facts, form CopyForm) (Copy, int, error) {
	wrong := fault.Invalid{}
	n := 1
	if text := strings.TrimSpace(form.Count); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > MaxCopies {
			wrong["count"] = fault.Msg("copies.error.count", "Max", MaxCopies)
		}
	}
	model, err := describe(tx, f.ID, form, Copy{}, wrong)
	return model, n, errors.Join(err, wrong.Or())
}

// describe puts what was typed on a copy.
func describe(tx *gorm.DB, codeID int64, form CopyForm, k Copy, wrong fault.Invalid) (Copy, error) {
	if k.Place = oneLine(form.Place); utf8.RuneCountInString(k.Place) > maxLabel {
		wrong["place"] = fault.Msg("copies.error.place", "Max", maxLabel)
	}
	if err := entrust(tx, &k, form.Custodian, wrong); err != nil {
		return k, err
	}
	k.ChannelID = nil
	if text := strings.TrimSpace(form.Channel); text != "" && text != "0" {
		id, err := strconv.ParseInt(text, 10, 64)
		var there bool
		if err == nil {
			if err := tx.Raw("SELECT EXISTS (SELECT 1 FROM code_channels WHERE id = ? AND code_id = ?)", id, codeID).Scan(&there).Error; err != nil {
				return k, fmt.Errorf("find channel: %w", err)
			}
		}
		if !there {
			wrong["channel"] = fault.Msg("copies.error.channel")
		}
		k.ChannelID = &id
	}
	return k, nil
}

// entrust finds the member behind a phone or a job number; other words stay as
// they are, but a number of nobody's is a slip.
func entrust(tx *gorm.DB, k *Copy, typed string, wrong fault.Invalid) error {
	text := oneLine(typed)
	k.Custodian, k.CustodianID = text, nil
	if utf8.RuneCountInString(text) > maxLabel {
		wrong["custodian"] = fault.Msg("copies.error.custodian.long", "Max", maxLabel)
		return nil
	}
	if text == "" {
		return nil
	}
	phone, isPhone := directory.ParsePhone(text)
	var m directory.Member
	err := tx.Where("status = 'active' AND (job_number IS NOT NULL AND lower(job_number) = lower(?) OR phone = ?)", text, phone).Order("id").Take(&m).Error
	switch {
	case err == nil:
		k.Custodian, k.CustodianID = m.Name, &m.ID
	case !errors.Is(err, gorm.ErrRecordNotFound):
		return fmt.Errorf("find the custodian: %w", err)
	case isPhone:
		wrong["custodian"] = fault.Msg("copies.error.custodian")
	}
	return nil
}

// write numbers the copies, gives each its typed code and stores them. The
// code's row is locked, so nobody else takes the same serials.
func (s *Service) write(tx *gorm.DB, by access.Actor, codeID int64, copies []Copy) (first int, err error) {
	if err := tx.Raw("SELECT coalesce(max(serial), 0) + 1 FROM code_copies WHERE code_id = ?", codeID).Scan(&first).Error; err != nil {
		return 0, fmt.Errorf("find the next serial: %w", err)
	}
	if first+len(copies)-1 > MaxSerial {
		return 0, fault.Invalid{"count": fault.Msg("copies.error.serials", "Left", max(0, MaxSerial-first+1))}
	}
	typed, err := newTypedCodes(tx, len(copies))
	if err != nil {
		return 0, err
	}
	now := s.now().UTC()
	for i := range copies {
		k := &copies[i]
		k.CodeID, k.Serial, k.TypedCode, k.CreatedBy, k.CreatedAt = codeID, first+i, &typed[i], &by.MemberID, now
	}
	if err := tx.CreateInBatches(copies, 100).Error; err != nil {
		return 0, fmt.Errorf("write copies: %w", err)
	}
	return first, nil
}

// againSQL are the copies that hung for the codes that the given one replaced,
// one after the other, and that nobody has made again.
const againSQL = `WITH RECURSIVE earlier (id) AS (SELECT id FROM codes WHERE replaced_by = ?
	UNION SELECT c.id FROM codes c JOIN earlier e ON c.replaced_by = e.id) `

const againWhere = ` FROM code_copies k JOIN earlier e ON e.id = k.code_id
	WHERE k.removed_at IS NULL AND k.revoked_at IS NULL AND NOT EXISTS (SELECT 1 FROM code_copies a WHERE a.reprint_of = k.id)`

func countAgain(tx *gorm.DB, codeID int64) (n int, err error) {
	if err = tx.Raw(againSQL+"SELECT count(*)"+againWhere, codeID).Scan(&n).Error; err != nil {
		err = fmt.Errorf("count the copies to make again: %w", err)
	}
	return n, err
}

// CopyAgain makes, for a code that replaced another, the same copies once more:
// same places, custodians and channels, new serials. It returns how many, at
// most MaxCopies at once; none left is fault.Conflict. req: C52
func (s *Service) CopyAgain(ctx context.Context, by access.Actor, publicID string) (n int, err error) {
	err = s.change(ctx, by, access.CodeRevoke, publicID, func(tx *gorm.DB, f Facts) error {
		var old []Copy
		if err := tx.Raw(againSQL+"SELECT k.*"+againWhere+" ORDER BY k.code_id, k.serial LIMIT ?", f.ID, MaxCopies).Scan(&old).Error; err != nil {
			return fmt.Errorf("read the copies to make again: %w", err)
		}
		if n = len(old); n == 0 {
			return fault.Conflict{Message: fault.Msg("copies.conflict.again")}
		}
		fresh, err := s.sameAgain(tx, by, f.ID, old)
		if err != nil {
			return err
		}
		first, err := s.write(tx, by, f.ID, fresh)
		if err != nil {
			return err
		}
		return s.trail.Record(tx, by, event("code.copies.again", f, map[string]any{"first": first, "last": first + n - 1}))
	})
	return n, err
}

func (s *Service) sameAgain(tx *gorm.DB, by access.Actor, codeID int64, old []Copy) ([]Copy, error) {
	channels, err := s.sameChannels(tx, by, codeID)
	if err != nil {
		return nil, err
	}
	fresh := make([]Copy, len(old))
	for i, k := range old {
		fresh[i] = Copy{Place: k.Place, Custodian: k.Custodian, CustodianID: k.CustodianID, ReprintOf: &k.ID}
		if k.ChannelID != nil {
			if id, known := channels[*k.ChannelID]; known {
				fresh[i].ChannelID = &id
			}
		}
	}
	return fresh, nil
}

// sameChannels gives the code the channels of the codes it replaced, and returns
// old id → new id.
func (s *Service) sameChannels(tx *gorm.DB, by access.Actor, codeID int64) (map[int64]int64, error) {
	var old, own []Channel
	if err := tx.Raw(againSQL+"SELECT h.* FROM code_channels h JOIN earlier e ON e.id = h.code_id ORDER BY h.id", codeID).Scan(&old).Error; err != nil {
		return nil, fmt.Errorf("read earlier channels: %w", err)
	}
	if err := tx.Where("code_id = ?", codeID).Find(&own).Error; err != nil {
		return nil, fmt.Errorf("read channels: %w", err)
	}
	byName, same := map[string]int64{}, map[int64]int64{}
	for _, c := range own {
		byName[strings.ToLower(c.Name)] = c.ID
	}
	for _, c := range old {
		from, name := c.ID, strings.ToLower(c.Name)
		if byName[name] == 0 {
			c.ID, c.CodeID, c.CreatedBy, c.CreatedAt = 0, codeID, &by.MemberID, s.now().UTC()
			if err := tx.Create(&c).Error; err != nil {
				return nil, fmt.Errorf("write channel: %w", err)
			}
			byName[name] = c.ID
		}
		same[from] = byName[name]
	}
	return same, nil
}

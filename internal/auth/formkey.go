package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// formKeyLife is how long a form may stay open before it has to be shown again.
const formKeyLife = 24 * time.Hour

// claimLife is after which time a claim whose holder never finished is free
// again: the process died. No request lives that long.
const claimLife = 30 * time.Second

// ErrFormKey says that a form came without a usable key: missing, not ours, too
// old, or used with other content. Show the form again with a fresh one.
var ErrFormKey = errors.New("auth: no usable form key")

// ErrFormBusy says that the first sending of a form has not been answered yet.
var ErrFormBusy = errors.New("auth: the form is being worked on")

// Answer is what the first sending of a form was answered.
type Answer struct {
	Status int
	Header map[string][]string
	Body   []byte
}

type formKey struct {
	KeyHash   string
	State     string
	Answer    []byte
	CreatedAt time.Time
}

func (formKey) TableName() string { return "form_keys" }

// sealedAnswer is what the column answer holds. Print is there from the claim on.
type sealedAnswer struct {
	Print  string
	Answer *Answer
}

// NewFormKey issues a one-time key for a form. Nothing is stored before it comes back.
func (s *Service) NewFormKey() string {
	raw := make([]byte, 24, 40)
	rand.Read(raw[:16])
	binary.BigEndian.PutUint64(raw[16:], uint64(s.now().Add(formKeyLife).Unix()))
	return base64.RawURLEncoding.EncodeToString(append(raw, s.keys.MAC("form", raw)[:16]...))
}

func (s *Service) issued(key string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(key)
	if err != nil || len(raw) != 40 || !hmac.Equal(raw[24:], s.keys.MAC("form", raw[:24])[:16]) {
		return false
	}
	return s.now().Unix() < int64(binary.BigEndian.Uint64(raw[16:24]))
}

// ClaimForm takes the key for one sending of a form. print identifies the
// content. It returns nil for the first sending, which the caller then works
// on and ends with FinishForm or ReleaseForm; the first answer for a repeat;
// ErrFormBusy while there is none yet; ErrFormKey for a key that is of no use.
func (s *Service) ClaimForm(ctx context.Context, key, print string) (*Answer, error) {
	if !s.issued(key) {
		return nil, ErrFormKey
	}
	var first bool
	var row formKey
	now := s.now().UTC()
	mine := formKey{KeyHash: s.keys.Hash("formkey", key), State: "running", CreatedAt: now}
	var err error
	if mine.Answer, err = s.sealAnswer(sealedAnswer{Print: print}); err != nil {
		return nil, err
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		done := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&mine)
		if first = done.RowsAffected == 1; done.Error != nil || first {
			return done.Error
		}
		done = tx.Model(&formKey{}).Where("key_hash = ? AND state = 'running' AND created_at < ?", mine.KeyHash, now.Add(-claimLife)).
			Updates(map[string]any{"created_at": now, "answer": mine.Answer})
		if first = done.RowsAffected == 1; done.Error != nil || first {
			return done.Error
		}
		return tx.Where("key_hash = ?", mine.KeyHash).Take(&row).Error
	})
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil, ErrFormBusy // released between two statements; the next look claims it
	case err != nil:
		return nil, fmt.Errorf("claim the form: %w", err)
	case first:
		return nil, nil
	}
	return s.repeat(row, print)
}

func (s *Service) repeat(row formKey, print string) (*Answer, error) {
	plain, err := s.keys.Open("answer", row.Answer)
	if err != nil {
		return nil, fmt.Errorf("open the first answer: %w", err)
	}
	var kept sealedAnswer
	if err := json.Unmarshal(plain, &kept); err != nil {
		return nil, fmt.Errorf("read the first answer: %w", err)
	}
	switch {
	case kept.Print != print:
		return nil, ErrFormKey
	case kept.Answer == nil:
		return nil, ErrFormBusy
	}
	return kept.Answer, nil
}

// FinishForm keeps the answer for repeats. It is sealed: it may open a session.
func (s *Service) FinishForm(ctx context.Context, key, print string, a Answer) error {
	sealed, err := s.sealAnswer(sealedAnswer{Print: print, Answer: &a})
	if err != nil {
		return err
	}
	err = s.db.WithContext(ctx).Model(&formKey{}).Where("key_hash = ?", s.keys.Hash("formkey", key)).
		Updates(map[string]any{"state": "done", "answer": sealed}).Error
	if err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	return nil
}

// ReleaseForm gives the key back after a sending that had no effect.
func (s *Service) ReleaseForm(ctx context.Context, key string) error {
	err := s.db.WithContext(ctx).Where("key_hash = ? AND state = 'running'", s.keys.Hash("formkey", key)).Delete(&formKey{}).Error
	if err != nil {
		return fmt.Errorf("release the form: %w", err)
	}
	return nil
}

func (s *Service) sealAnswer(a sealedAnswer) ([]byte, error) {
	plain, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("seal the answer: %w", err)
	}
	return s.keys.Seal("answer", plain), nil
}

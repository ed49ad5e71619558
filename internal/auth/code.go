package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/fault"
	"doorplate/internal/secret"
)

// What a phone code is for. It can be used for nothing else.
const (
	ForSignIn = "signin"
	ForJoin   = "join"
)

// CodeLife is how long a phone code may be typed in.
const CodeLife = 5 * time.Minute

// codeTries is how many guesses a code survives.
const codeTries = 5

// CodeRequest asks for a phone code.
type CodeRequest struct {
	Purpose  string // ForSignIn or ForJoin
	Phone    string // E.164
	MemberID *int64 // whom CheckCode shall name; nil for a guest or nobody
	Address  string // where the request came from
	Lang     string // language of the message
	Previous string // the challenge this browser held before: its code dies
	// Deliver sends the message. Without it everything else happens alike, no
	// code will fit, and nobody outside can tell the difference.
	Deliver bool
}

// phoneCode is a row of phone_codes.
type phoneCode struct {
	ChallengeHash string
	Purpose       string
	Phone         string
	CodeHash      string
	MemberID      *int64
	Attempts      int
	CreatedAt     time.Time
	ExpiresAt     time.Time
	UsedAt        *time.Time
}

func (phoneCode) TableName() string { return "phone_codes" }

// message is the payload of a job of kind "sms"; see notify.SMSJob.
type message struct {
	ID   string `json:"id"`
	To   string `json:"to"`
	Code string `json:"code"`
	Lang string `json:"lang"`
	For  string `json:"for"`
	Link string `json:"link,omitempty"`
}

// SendCode makes a code and sends it to the phone. The challenge goes into a
// cookie: the code only fits together with it, that is, in the browser that
// asked. fault.TooMany when the number or the address asked too often.
func (s *Service) SendCode(ctx context.Context, r CodeRequest) (challenge string, err error) {
	if err := s.allow(ctx, messagesOfAddress, r.Address, messagesOfNumber, r.Phone); err != nil {
		return "", err
	}
	code, err := sixDigits()
	if err != nil {
		return "", err
	}
	challenge = secret.Token(24)
	now := s.now().UTC()
	row := phoneCode{ChallengeHash: s.keys.Hash("challenge", challenge), Purpose: r.Purpose, Phone: r.Phone, MemberID: r.MemberID,
		CodeHash: s.codeHash(challenge, code), CreatedAt: now, ExpiresAt: now.Add(CodeLife)}
	if !r.Deliver {
		row.CodeHash = s.codeHash(challenge, secret.Token(24))
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := s.dropCode(tx, r.Purpose, r.Previous); err != nil {
			return err
		}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("keep the code: %w", err)
		}
		return s.send(tx, message{ID: secret.Token(12), To: r.Phone, Code: code, Lang: r.Lang, For: r.Purpose}, r.Deliver)
	})
	if err != nil {
		return "", err
	}
	s.outbox.Wake()
	return challenge, nil
}

// errDiscard undoes a message that must not go out.
var errDiscard = errors.New("discard")

// send queues the message, or queues it and takes it back: the same work, so
// that the time an answer takes says nothing.
func (s *Service) send(tx *gorm.DB, m message, deliver bool) error {
	err := tx.Transaction(func(tx *gorm.DB) error {
		if err := s.outbox.Enqueue(tx, "sms", m); err != nil || deliver {
			return err
		}
		return errDiscard
	})
	if errors.Is(err, errDiscard) {
		return nil
	}
	return err
}

func (s *Service) dropCode(tx *gorm.DB, purpose, challenge string) error {
	err := tx.Where("challenge_hash = ? AND purpose = ?", s.keys.Hash("challenge", challenge), purpose).Delete(&phoneCode{}).Error
	if err != nil {
		return fmt.Errorf("drop the older code: %w", err)
	}
	return nil
}

// codeHash binds the code to its challenge, so that equal codes differ.
func (s *Service) codeHash(challenge, code string) string {
	return s.keys.Hash("code", challenge+" "+code)
}

func sixDigits() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", fmt.Errorf("draw a code: %w", err)
	}
	return fmt.Sprintf("%06d", n), nil
}

// CheckCode compares a typed code. It returns the phone it proves and the
// member named in the request, who may have departed since: look again.
// A wrong, used or late code answers fault.Invalid for "code"; fault.TooMany
// when the number or the address tried too often. Every try is counted and
// committed before it is compared.
func (s *Service) CheckCode(ctx context.Context, purpose, challenge, code, address string) (phone string, memberID *int64, err error) {
	row, err := s.challenge(ctx, purpose, challenge)
	if err != nil {
		return "", nil, err
	}
	if err := s.allow(ctx, triesOfAddress, address, triesOfNumber, row.Phone); err != nil {
		return "", nil, err
	}
	row, alive, err := s.try(ctx, row.ChallengeHash, purpose)
	if err != nil {
		return "", nil, err
	}
	if !alive {
		return "", nil, codeDead
	}
	if subtle.ConstantTimeCompare([]byte(s.codeHash(challenge, digitsOf(code))), []byte(row.CodeHash)) == 0 {
		return "", nil, codeWrong(codeTries - row.Attempts)
	}
	used, err := s.use(ctx, row.ChallengeHash)
	if err != nil {
		return "", nil, err
	}
	if !used {
		return "", nil, codeDead
	}
	return row.Phone, row.MemberID, nil
}

// codeDead is the answer for a code that cannot fit any more.
var codeDead = fault.Invalid{"code": fault.Msg("auth.code.dead")}

func codeWrong(left int) error {
	if left <= 0 {
		return codeDead
	}
	return fault.Invalid{"code": fault.Msg("auth.code.wrong", "Count", left)}
}

// ChallengePhone returns the number that a challenge of this purpose was sent
// to, for showing it masked; "" when there is no such challenge (any more).
func (s *Service) ChallengePhone(ctx context.Context, purpose, challenge string) (string, error) {
	row, err := s.challenge(ctx, purpose, challenge)
	return row.Phone, err
}

// challenge reads the row, or a zero one: an unknown challenge is tried like a known one.
func (s *Service) challenge(ctx context.Context, purpose, challenge string) (phoneCode, error) {
	row := phoneCode{ChallengeHash: s.keys.Hash("challenge", challenge)}
	var found phoneCode
	err := s.db.WithContext(ctx).Where("challenge_hash = ? AND purpose = ?", row.ChallengeHash, purpose).Take(&found).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, nil
	} else if err != nil {
		return row, fmt.Errorf("read the challenge: %w", err)
	}
	return found, nil
}

// try takes one of the code's tries with one conditional statement: of any
// number of parallel guesses exactly codeTries get to compare.
func (s *Service) try(ctx context.Context, hash, purpose string) (row phoneCode, alive bool, err error) {
	var rows []phoneCode
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return tx.Raw(`UPDATE phone_codes SET attempts = attempts + 1
			WHERE challenge_hash = ? AND purpose = ? AND used_at IS NULL AND expires_at > ? AND attempts < ? RETURNING *`,
			hash, purpose, s.now().UTC(), codeTries).Scan(&rows).Error
	})
	if err != nil {
		return row, false, fmt.Errorf("count a try: %w", err)
	}
	if len(rows) == 0 {
		return row, false, nil
	}
	return rows[0], true, nil
}

// use spends the code; of two right answers one wins.
func (s *Service) use(ctx context.Context, hash string) (bool, error) {
	done := s.db.WithContext(ctx).Model(&phoneCode{}).Where("challenge_hash = ? AND used_at IS NULL", hash).Update("used_at", s.now().UTC())
	if done.Error != nil {
		return false, fmt.Errorf("spend the code: %w", done.Error)
	}
	return done.RowsAffected == 1, nil
}

package auth

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/fault"
	"doorplate/internal/secret"
)

// A building often shares one address, so what is limited per address is wrong
// passwords; the limit per code stops a guesser with many addresses. req: C29
var (
	doorOfAddress = limit{kind: "door address", max: 20}
	doorOfCode    = limit{kind: "door code", max: 200}
)

// DoorPassword compares what a visitor typed with the hash of a code's password.
// The try is counted before it is compared, so that parallel guesses cannot
// share a count, and given back when it was right. It returns fault.TooMany when
// the address, or everybody together, was wrong too often.
func (s *Service) DoorPassword(ctx context.Context, code, address, password, hash string) (bool, error) {
	if err := s.allow(ctx, doorOfAddress, code+" "+network(address), doorOfCode, code); err != nil {
		return false, tooManyDoors(err)
	}
	fits, err := secret.PasswordFits(ctx, clip(password, passwordMax+1), hash)
	if err != nil || !fits {
		return false, err
	}
	return true, s.db.WithContext(context.WithoutCancel(ctx)).Transaction(func(tx *gorm.DB) error {
		if err := s.giveBack(tx, doorOfAddress, code+" "+network(address)); err != nil {
			return err
		}
		return s.giveBack(tx, doorOfCode, code)
	})
}

func (s *Service) giveBack(tx *gorm.DB, l limit, of string) error {
	err := tx.Exec("UPDATE throttles SET hits = hits - 1 WHERE key = ? AND hits > 0", s.keys.Hash("throttle", l.kind+" "+of)).Error
	if err != nil {
		return fmt.Errorf("give a try back: %w", err)
	}
	return nil
}

// tooManyDoors says it in the words of the join page.
func tooManyDoors(err error) error {
	if many, ok := err.(fault.TooMany); ok {
		many.Message = fault.Msg("terms.error.password.many")
		return many
	}
	return err
}

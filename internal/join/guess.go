package join

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/fault"
)

// Wrong answers that one visitor, one address and everybody together may give
// at one code within guessWindow. A building shares one address.
const (
	GuessesOfVisitor = 10
	GuessesOfAddress = 30
	GuessesOfCode    = 300
	guessWindow      = time.Hour
)

// try is one counted attempt at a challenge: its keys in the throttle table, in
// the one order in which everybody takes them.
type try struct{ keys [3]string }

// limits belong to the keys of a try.
var limits = [3]int{GuessesOfVisitor, GuessesOfAddress, GuessesOfCode}

// countTry counts an attempt before anything is compared, so that parallel
// guesses cannot share a count; nil when the form guesses nothing. Over a limit
// it is fault.TooMany, and what was typed is not looked at.
func (s *Service) countTry(ctx context.Context, who Visitor, f Form) (*try, error) {
	if !f.guesses() {
		return nil, nil
	}
	var found []Session
	err := s.db.WithContext(ctx).Select("id", "code_id", "member_id", "guest_id", "phone").Where("secret_hash = ?", s.hash(who.Secret)).Limit(1).Find(&found).Error
	if err != nil {
		return nil, fmt.Errorf("read join session: %w", err)
	}
	if len(found) == 0 {
		return nil, nil // the form leads nowhere
	}
	code := fmt.Sprint(found[0].CodeID)
	t := try{[3]string{"ask visitor " + code + " " + visitorKey(found[0], who), "ask address " + code + " " + network(who.Address), "ask code " + code}}
	for i, key := range t.keys {
		t.keys[i] = s.keys.Hash("throttle", key)
	}
	return &t, s.hit(ctx, t)
}

// visitorKey is the person where they are known: scanning anew gives no fresh tries.
func visitorKey(session Session, who Visitor) string {
	switch {
	case session.MemberID != nil:
		return fmt.Sprint("member ", *session.MemberID)
	case session.GuestID != nil:
		return fmt.Sprint("guest ", *session.GuestID)
	case who.Proved != "":
		return "phone " + who.Proved
	case session.Phone != "":
		return "phone " + session.Phone
	case who.SignedIn != nil:
		return fmt.Sprint("member ", *who.SignedIn)
	}
	return fmt.Sprint("session ", session.ID)
}

// network is what counts as one address: an IPv6 customer has a whole /64.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() {
		return address
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

// hit counts all three with one statement. A visitor over a limit does not use
// up what others share.
func (s *Service) hit(ctx context.Context, t try) (over error) {
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		hits, until, err := s.count(tx, t)
		if err != nil {
			return err
		}
		for i, n := range hits {
			if n > limits[i] {
				over = fault.TooMany{Message: fault.Msg("asking.join.many"), After: max(until[i].Sub(s.now()), time.Second)}
				return giveBack(tx, t.keys[i+1:])
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return over
}

func (s *Service) count(tx *gorm.DB, t try) (hits [3]int, until [3]time.Time, err error) {
	var rows []struct {
		Key         string
		WindowStart time.Time
		Hits        int
	}
	now := s.now().UTC()
	old := now.Add(-guessWindow)
	err = tx.Raw(`INSERT INTO throttles (key, window_start, hits) VALUES (?, ?, 1), (?, ?, 1), (?, ?, 1)
		ON CONFLICT (key) DO UPDATE SET
			hits = CASE WHEN throttles.window_start <= ? THEN 1 ELSE throttles.hits + 1 END,
			window_start = CASE WHEN throttles.window_start <= ? THEN excluded.window_start ELSE throttles.window_start END
		RETURNING key, window_start, hits`, t.keys[0], now, t.keys[1], now, t.keys[2], now, old, old).Scan(&rows).Error
	if err != nil {
		return hits, until, fmt.Errorf("count a try: %w", err)
	}
	for _, r := range rows {
		if i := slices.Index(t.keys[:], r.Key); i >= 0 {
			hits[i], until[i] = r.Hits, r.WindowStart.Add(guessWindow)
		}
	}
	return hits, until, nil
}

func giveBack(tx *gorm.DB, keys []string) error {
	for _, key := range keys { // in the order in which they were taken
		if err := tx.Exec("UPDATE throttles SET hits = hits - 1 WHERE key = ? AND hits > 0", key).Error; err != nil {
			return fmt.Errorf("give a try back: %w", err)
		}
	}
	return nil
}

// settleTry gives a try back that cost nothing: what was typed was right, or it
// was not compared. A failure to do so is the loss of one try, no more.
func (s *Service) settleTry(ctx context.Context, t *try, out View, err error) error {
	if t == nil {
		return err
	}
	var bad fault.Invalid
	if errors.As(err, &bad) && guessed(bad) || guessed(out.Lacks) {
		return err
	}
	back := s.db.WithContext(context.WithoutCancel(ctx)).Transaction(func(tx *gorm.DB) error { return giveBack(tx, t.keys[:]) })
	if err == nil {
		err = back
	}
	return err
}

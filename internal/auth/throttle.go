package auth

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/fault"
)

// window is how long hits are counted together.
const window = time.Hour

// limit is how many hits a kind of key may have, in an hour where per is not set.
type limit struct {
	kind string
	max  int
	per  time.Duration // 0 is window
}

func (l limit) span() time.Duration {
	if l.per > 0 {
		return l.per
	}
	return window
}

// The limits of the public contract, for codes and passwords alike.
var (
	triesOfNumber     = limit{kind: "tries number", max: 10}
	triesOfAddress    = limit{kind: "tries address", max: 100}
	messagesOfNumber  = limit{kind: "messages number", max: 5}
	messagesOfAddress = limit{kind: "messages address", max: 30}
)

// typedOfAddress keeps strangers from trying typed codes one after the other.
var typedOfAddress = limit{kind: "typed address", max: 30, per: time.Minute}

// AllowTyped counts one try of a typed code; fault.TooMany when the address
// tried too often.
func (s *Service) AllowTyped(ctx context.Context, address string) error {
	return s.allow(ctx, typedOfAddress, address, limit{}, "")
}

// allow counts a hit against the address first and the number second, always in
// that order, so that two transactions cannot wait for each other. The counts
// stay when what they were for fails: that is their point.
func (s *Service) allow(ctx context.Context, ofAddress limit, address string, ofNumber limit, number string) error {
	var over error
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) (err error) {
		over, err = s.hit(tx, ofAddress, network(address))
		if err == nil && over == nil && number != "" {
			over, err = s.hit(tx, ofNumber, number)
		}
		return err
	})
	if err != nil {
		return err
	}
	return over
}

// hit counts with one statement, so that parallel requests cannot share a count.
func (s *Service) hit(tx *gorm.DB, l limit, of string) (over, err error) {
	var row struct {
		WindowStart time.Time
		Hits        int
	}
	now := s.now().UTC()
	err = tx.Raw(`INSERT INTO throttles (key, window_start, hits) VALUES (?, ?, 1)
		ON CONFLICT (key) DO UPDATE SET
			hits = CASE WHEN throttles.window_start <= ? THEN 1 ELSE throttles.hits + 1 END,
			window_start = CASE WHEN throttles.window_start <= ? THEN excluded.window_start ELSE throttles.window_start END
		RETURNING window_start, hits`,
		s.keys.Hash("throttle", l.kind+" "+of), now, now.Add(-l.span()), now.Add(-l.span())).Scan(&row).Error
	if err != nil {
		return nil, fmt.Errorf("count %s: %w", l.kind, err)
	}
	if row.Hits <= l.max {
		return nil, nil
	}
	return fault.TooMany{Message: fault.Msg("auth.limit"), After: max(row.WindowStart.Add(l.span()).Sub(now), time.Second)}, nil
}

// network is what counts as one address: an IPv6 customer has a whole /64.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() {
		return address
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

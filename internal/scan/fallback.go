package scan

import (
	"context"
	"time"

	"doorplate/internal/code"
	"doorplate/internal/paths"
)

// waitingTicket is how long the page of a refused scan keeps a place on the
// waiting list on offer: people read it first.
const waitingTicket = 10 * time.Minute

// Onward is where a visitor goes whom a code's own limits turned away: another
// address, or by a ticket to the waiting list. Both empty: nowhere.
type Onward struct{ URL, Ticket string }

// limits are the causes that a code's fallback is for.
var limits = map[string]bool{Expired: true, Exhausted: true, Daily: true, NotYet: true, Closed: true}

// Onward reads what happens after a refusal that is already recorded. Who is not
// on an allowed network or not in the audience, and every robot, goes nowhere.
// followed says that this scan is itself where another code led: it leads no
// further, so that codes cannot send people in a circle. req: B21
func (s *Service) Onward(ctx context.Context, req Request, d Decision, followed bool) (Onward, error) {
	f := d.Facts
	if f == nil || followed || !limits[d.Cause] || f.Fallback == code.Message || !f.AllowsNetwork(req.Address) {
		return Onward{}, nil
	}
	var member *int64
	if req.MemberID != 0 {
		member = &req.MemberID
		if in, err := f.InAudience(s.db.WithContext(ctx), member); err != nil || !in {
			return Onward{}, err
		}
	}
	switch {
	case f.Fallback == code.Redirect:
		return Onward{URL: f.FallbackURL}, nil
	case f.Fallback == code.Waiting:
		return Onward{Ticket: s.Ticket(d.Ref, d.At.Add(waitingTicket))}, nil
	case f.FallbackGroupID == nil:
		return Onward{}, nil
	}
	token, ok, err := s.codes.LiveCodeOf(ctx, *f.FallbackGroupID, req.Address, member)
	if err != nil || !ok {
		return Onward{}, err
	}
	return Onward{URL: paths.With(paths.To(paths.Scan, token), Followed, "1",
		"utm_source", req.UTMSource, "utm_medium", req.UTMMedium, "utm_campaign", req.UTMCampaign)}, nil
}

// Followed is the query parameter that marks a scan another code led to.
const Followed = "followed"

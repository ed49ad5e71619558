package notify

import (
	"context"
	"net/http"
)

// FailAt makes each step ask at first.
func (s *Service) FailAt(at func(step string) error) { s.at = at }

// BackOff is the wait after a try.
var BackOff = backOff

// AfterQuiet moves a moment out of quiet hours.
var AfterQuiet = afterQuiet

// MaxFailures switch an endpoint off.
const MaxFailures = maxFailures

// CheckURL is what is wrong with the address of an endpoint.
func (s *Service) CheckURL(raw string) string { return s.hooks.check(raw) }

// OnlyPublic judges the address of a connection.
var OnlyPublic = onlyPublic

// Dial connects as a webhook would.
func (s *Service) Dial(ctx context.Context, address string) error {
	c, err := s.hooks.client.Transport.(*http.Transport).DialContext(ctx, "tcp", address)
	if err == nil {
		c.Close()
	}
	return err
}

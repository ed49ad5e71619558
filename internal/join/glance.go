package join

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"

	"doorplate/internal/events"
)

// Mark names what the page shows: another mark means that there is something new
// to see. It says nothing by itself.
func (v View) Mark() string {
	h := fnv.New64a()
	fmt.Fprint(h, v.State, v.Step, v.Why, v.Barred, v.Late, v.Held, v.Locked, v.RetryAt.Unix(), v.Group.Name, v.Entry.Kind, v.Entry.URL, v.Entry.Missing, v.Entry.Number, v.Deciders)
	if v.Entry.FileID != nil {
		fmt.Fprint(h, " file", *v.Entry.FileID)
	}
	if r := v.Request; r != nil {
		fmt.Fprint(h, " request", r.ID, r.Status, r.Reason, r.Note, r.Addition)
	}
	if v.Wait != nil {
		fmt.Fprint(h, " wait", v.Wait.Position, v.Wait.ForSeat)
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// Glance is what a page that stays open follows.
type Glance struct {
	Mark    string
	GroupID int64
	person  *Person
	waits   bool
}

// Glance is At for a page that is open already.
func (s *Service) Glance(ctx context.Context, secret string, signedIn *int64) (Glance, error) {
	tx := s.db.WithContext(ctx)
	v, err := s.visit(tx, secret, signedIn)
	if err != nil {
		return Glance{}, err
	}
	out, err := s.view(tx, v)
	if err != nil {
		return Glance{}, err
	}
	return Glance{Mark: out.Mark(), GroupID: v.group.ID, person: v.person, waits: out.Wait != nil}, nil
}

// Live reports whether the page should follow what others do.
func (v View) Live() bool {
	switch v.State {
	case StatePending:
		return true
	case StateFull:
		return v.Wait != nil
	case StateRefused:
		return v.Why == Turned
	case StateIn:
		return v.Entry.Number > 0 || v.Entry.Missing || v.Held
	}
	return false
}

// Concern is how much an event may change what a visitor sees.
type Concern uint8

// The concerns.
const (
	NoConcern Concern = iota
	InLine            // others move: a place in the same line may have changed
	Oneself           // it is about this person, or the whole group
)

// Concerns says what an event means for this visitor.
func (g Glance) Concerns(e events.Event) Concern {
	switch {
	case g.person == nil:
		return NoConcern
	case same(e.MemberID, g.person.MemberID), same(e.GuestID, g.person.GuestID):
		return Oneself
	case e.GroupID == nil || *e.GroupID != g.GroupID:
		return NoConcern
	case e.Kind == events.Disbanded:
		return Oneself
	case g.waits && (e.Kind == events.Unqueued || e.Kind == events.Seat):
		return InLine
	}
	return NoConcern
}

// Alive reports whether a join cookie still leads anywhere.
func (s *Service) Alive(ctx context.Context, secret string) (alive bool, err error) {
	err = s.db.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM join_sessions WHERE secret_hash = ? AND expires_at > ?)", s.hash(secret), s.now().UTC()).Scan(&alive).Error
	if err != nil {
		err = fmt.Errorf("look for the join session: %w", err)
	}
	return alive, err
}

func same(a, b *int64) bool { return a != nil && b != nil && *a == *b }

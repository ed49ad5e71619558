package join

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/events"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// turnEvery is how often the waiting lists are looked at without being told to.
const turnEvery = 2 * time.Second

// turnBatch bounds how many groups, and how many people of one line, are looked at in one go.
const turnBatch = 100

// room holds for a group g with a seat that neither a member nor a request
// stands for yet: so many places of the waiting list may turn, and no more.
const room = `g.status = 'active' AND g.join_mode <> 'off'
	AND g.member_count + (SELECT count(*) FROM join_requests p WHERE p.group_id = g.id AND p.status = 'pending') < g.capacity`

// RunTurns turns places on waiting lists into requests and entries until ctx ends.
func (s *Service) RunTurns(ctx context.Context, hub *events.Hub, log *slog.Logger) {
	wake := s.overhear(ctx, hub)
	tick := time.NewTicker(turnEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-wake:
		}
		_, err := s.TurnWaiting(ctx)
		if err != nil && ctx.Err() == nil && !failed {
			log.Error("turning waiting lists; trying again", "err", err)
		}
		failed = err != nil
	}
}

// overhear is the bell for seats; nil where the hub cannot be reached, and then the tick does it.
func (s *Service) overhear(ctx context.Context, hub *events.Hub) <-chan struct{} {
	sub, err := hub.Overhear(ctx, func(e events.Told) bool {
		return slices.Contains([]string{events.Seat, events.Rejected, events.Withdrawn, events.Expired, events.Cancelled}, e.Kind)
	})
	if err != nil {
		return nil
	}
	wake := make(chan struct{}, 1)
	go func() {
		defer sub.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case <-sub.Wake():
				sub.Take()
				select {
				case wake <- struct{}{}:
				default:
				}
			}
		}
	}()
	return wake
}

// TurnWaiting gives every free seat that people wait for to the next in line:
// in an open group they are let in, elsewhere their request is written. It says
// how many it turned. Any number of instances may do it at once.
func (s *Service) TurnWaiting(ctx context.Context) (n int, err error) {
	var due []int64
	err = s.db.WithContext(ctx).Raw(`SELECT g.id FROM groups g WHERE g.id IN (SELECT w.group_id FROM waiting_list w WHERE w.ended_at IS NULL AND w.for_seat)
		AND `+room+` ORDER BY g.id LIMIT ?`, turnBatch).Scan(&due).Error
	if err != nil {
		return 0, fmt.Errorf("find groups with seats for those who wait: %w", err)
	}
	for _, id := range due {
		turned, err := s.turnGroup(ctx, id)
		if n += turned; err != nil {
			return n, err
		}
	}
	return n, nil
}

func (s *Service) turnGroup(ctx context.Context, groupID int64) (n int, err error) {
	past, tried := int64(0), int64(0)
	for {
		next, err := s.nextInLine(ctx, groupID, past)
		if err != nil || next == nil || next.ID == tried {
			return n, err
		}
		switch err := s.turn(ctx, *next); {
		case errors.Is(err, errPassedOver):
			past = next.ID // the code that led here no longer leads this person in
		case errors.Is(err, errNoSeat):
			tried = next.ID // or they left, or another instance was at it: then there is another one next
		case err != nil:
			return n, err
		default:
			n++
		}
	}
}

// nextInLine is the first after past whose code still lets people in.
func (s *Service) nextInLine(ctx context.Context, groupID, past int64) (*Queued, error) {
	tx := s.db.WithContext(ctx)
	lives := map[int64]bool{}
	for {
		var line []Queued
		err := tx.Where("group_id = ? AND ended_at IS NULL AND for_seat = ? AND id > ?", groupID, true, past).Order("id").Limit(turnBatch).Find(&line).Error
		if err != nil {
			return nil, fmt.Errorf("read who waits: %w", err)
		}
		for _, w := range line {
			if ok, err := s.codeLives(tx, w, lives); err != nil || ok {
				return &w, err
			}
			past = w.ID
		}
		if len(line) < turnBatch {
			return nil, nil
		}
	}
}

// codeLives asks once per code. Who came before a cap was used up was counted.
func (s *Service) codeLives(tx *gorm.DB, w Queued, known map[int64]bool) (bool, error) {
	if w.CodeID == nil {
		return false, nil
	}
	if _, asked := known[*w.CodeID]; !asked {
		f, err := code.LoadFactsByID(tx, *w.CodeID)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return false, err
		}
		known[*w.CodeID] = err == nil && s.leadsIn(f)
	}
	return known[*w.CodeID], nil
}

// leadsIn reports whether who was counted by the code still gets in.
func (s *Service) leadsIn(f code.Facts) bool {
	return slices.Contains([]code.State{code.Live, code.Exhausted, code.Limited}, f.State(s.now()))
}

// errPassedOver: this one stays on the list, for a person to decide.
var errPassedOver = errors.New("join: stays on the waiting list")

// turn is one place: persons, series and group are locked as everywhere, then
// one conditional statement takes the place off the list.
func (s *Service) turn(ctx context.Context, w Queued) error {
	return s.followed(ctx, func(tx *gorm.DB) error {
		if err := holdWaiter(tx, w); err != nil {
			return err
		}
		v, err := s.waiterVisit(tx, w)
		if err != nil {
			return err
		}
		now := s.now().UTC()
		done := tx.Exec(`UPDATE waiting_list SET ended_at = ?, ended_how = 'in' WHERE id = ? AND ended_at IS NULL
			AND EXISTS (SELECT 1 FROM groups g WHERE g.id = waiting_list.group_id AND `+room+`)`, now, w.ID)
		switch {
		case done.Error != nil:
			return fmt.Errorf("take the next off the waiting list: %w", done.Error)
		case done.RowsAffected == 0:
			return errNoSeat
		}
		return s.comeIn(tx, v, w)
	})
}

func holdWaiter(tx *gorm.DB, w Queued) error {
	var held []int64
	if w.MemberID != nil {
		if err := tx.Table("members").Clauses(clause.Locking{Strength: "SHARE"}).Where("id = ? AND status = 'active'", *w.MemberID).Pluck("id", &held).Error; err != nil {
			return fmt.Errorf("hold who waits: %w", err)
		}
		if len(held) == 0 {
			return errPassedOver
		}
	}
	if err := group.HoldSeries(tx, []int64{w.GroupID}); err != nil {
		return err
	}
	return group.HoldGroups(tx, w.GroupID)
}

// waiterVisit is the visit as it was when the place was taken, seen under the locks.
func (s *Service) waiterVisit(tx *gorm.DB, w Queued) (v visit, err error) {
	v.seats = true // the caller holds them so
	v.session = Session{CodeID: *w.CodeID, GroupID: &w.GroupID, ScanLive: true, PasswordOK: true}
	if w.ScanID != nil {
		v.session.ScanID = *w.ScanID
	}
	v.person = &Person{MemberID: w.MemberID, GuestID: w.GuestID, Name: w.Name, Phone: w.Phone}
	v.moment = s.now()
	if v.code, err = code.LoadFactsByID(tx, *w.CodeID); err != nil {
		return v, err
	}
	if v.group, err = group.LoadByID(tx, w.GroupID); err != nil {
		return v, err
	}
	v.group = v.room(v.group)
	if v.org, err = directory.LoadOrganisation(tx); err != nil {
		return v, err
	}
	fits, err := v.fits(tx)
	if err != nil {
		return v, err
	}
	copyGone := false
	if v.session.ScanID != 0 {
		if copyGone, err = v.copyRevoked(tx); err != nil {
			return v, err
		}
	}
	if !fits || copyGone || !s.leadsIn(v.code) || v.group.JoinMode == group.Restricted && !v.code.Narrow() {
		return v, errPassedOver
	}
	return v, nil
}

// comeIn lets the person in or writes the request, as a press on the form would
// have. Where the form asks for more than it was told, somebody decides.
func (s *Service) comeIn(tx *gorm.DB, v visit, w Queued) error {
	in, err := group.Joined(tx, w.GroupID, v.person.group())
	if err != nil || in {
		return err
	}
	answers, err := s.owesAnswers(tx, v)
	if err != nil {
		return err
	}
	if answers {
		return errPassedOver // the page asks them, now that there is a seat
	}
	out, as := View{}, "request"
	open, err := s.opensTo(tx, v)
	if err != nil {
		return err
	}
	if open {
		as, err = "entry", s.enter(tx, v, Visitor{}, Form{}, &out)
	} else {
		err = s.request(tx, v, Visitor{}, Form{}, &out)
	}
	switch {
	case err != nil:
		return err
	case out.State == StateFull:
		return errNoSeat
	case out.State == StatePending && out.reached != "":
		if err := tx.Model(&Request{}).Where("id = ?", out.Request.ID).Update("waited_since", w.CreatedAt.UTC()).Error; err != nil {
			return fmt.Errorf("note since when they waited: %w", err)
		}
	}
	err = events.Publish(tx, events.Event{Kind: events.Turned, GroupID: &w.GroupID, MemberID: w.MemberID, GuestID: w.GuestID, CodeID: w.CodeID, Data: as, At: s.now().UTC()})
	if err != nil {
		return err
	}
	if err := s.trail.Record(tx, access.Background("waiting"), waiterEvent("waiting.turn", v.group, w)); err != nil || out.reached == "" || w.ScanID == nil {
		return err
	}
	if err := s.marks.Stage(tx, out.reached, *w.ScanID); err != nil || !out.ruled {
		return err
	}
	return s.marks.Stage(tx, stageJoined, *w.ScanID)
}

// owesAnswers reports whether the door asks for what only the person can answer.
func (s *Service) owesAnswers(tx *gorm.DB, v visit) (bool, error) {
	asked := View{State: StateForm}
	if err := s.addAsks(tx, v, &asked); err != nil {
		return false, err
	}
	bad := fault.Invalid{}
	missing(asked.Asks, Form{}, bad)
	return len(bad) > 0, nil
}

// opensTo reports whether the group takes the person without asking anything more.
func (s *Service) opensTo(tx *gorm.DB, v visit) (bool, error) {
	if v.group.JoinMode != group.Open {
		return false, nil
	}
	rules, err := group.RulesOf(tx, v.group)
	if err != nil {
		return false, err
	}
	asked := View{Rules: rules}
	if v.wantsName() {
		asked.Step = StepName
	}
	return len(v.lacks(Form{}, asked)) == 0, nil
}

// scan is the scan of the visit, nil once it was deleted.
func (v visit) scan() *int64 {
	if v.session.ScanID == 0 {
		return nil
	}
	return &v.session.ScanID
}

package join

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// State is what the join page shows; it stands in data-join-state.
type State string

// The states. Barred is no page of its own: the visitor gets the page that
// refuses the scan, with View.Barred saying which.
const (
	StateForm    State = "form"
	StatePending State = "pending"
	StateIn      State = "in"
	StateRefused State = "refused"
	StateFull    State = "full"
	StateOff     State = "off"
	StateBarred  State = ""
)

// Step is which question StateForm asks.
type Step string

// The steps.
const (
	StepPhone Step = "phone" // who are you: a number
	StepCode  Step = "code"  // the six digits sent to it
	StepName  Step = "name"  // a guest proved a number that has no name yet
	StepAsk   Step = "ask"   // known; one button
)

// Why a known person is refused for good, as far as this code goes.
const (
	Audience   = "audience"   // the code is for others
	ByAdmin    = "restricted" // a restricted group whose code names no audience
	Turned     = "rejected"   // somebody rejected the request
	GroupEnded = "disbanded"
)

// View is what stands at the door for one visitor at one moment.
type View struct {
	State        State
	Step         Step
	Barred       string // a scan outcome: the code, the group or the audience refuses this visit
	Why          string // with StateRefused: Turned, ByAdmin or GroupEnded
	Organisation string
	Location     *time.Location
	Group        group.Group
	Department   string // path in words, without the organisation
	Code         code.Facts
	ScanID       int64
	ScanRef      string  // the reference of the scan
	Person       *Person // nil until identified
	AskedPhone   string
	Request      *Request        // the person's newest one, if any
	Deciders     []string        // names; empty until identified
	RetryAt      time.Time       // with Turned: when asking again is possible by itself; zero = not at all
	AgainLeft    int             // with Turned: how often still; 0 = no limit
	Expect       *Expect         // with StatePending: how long others waited; nil when too few did
	Entry        group.EntryView // with StateIn
	reached      string          // the stage that this very press led to
	Locked       bool            // the code's password is still to be given
	Late         string          // with StateFull: the code's own limit that turned the visitor away; "" = the group is full
	Wait         *Wait           // with StateFull: the visitor's place on the waiting list
	Rules        *group.Rules    // with StateForm: to agree to; with StateIn: asked anew
	Lacks        fault.Invalid   // with StateForm: what the form that proved the number did not give
	Held         bool            // with StateIn: the membership stands still until a head confirms it; there is no entry
	Asks         group.Asking    // with StateForm: what this code asks here
	Draft        Draft           // what was typed before and not sent
	invite       *Invite         // the one that this press may use
	Ruled        bool            // a rule decided in this very press
	ruled        bool            // and let the person in
	Until        *time.Time      // with StateIn: when the stay ends by itself
	TimeAsked    bool            // with StateIn: more time was asked for
	Instead      string          // with StateIn: the group that was asked for, when it is another one
	Guests       bool            // people outside the directory may ask, be it for another of the code's groups
}

// At says what the page shows to the browser with this join cookie. signedIn is
// the member whose console session the browser carries, if any. A missing or
// overdue cookie is fault.Gone.
func (s *Service) At(ctx context.Context, secret string, signedIn *int64) (View, error) {
	tx := s.db.WithContext(ctx)
	v, err := s.visit(tx, secret, signedIn)
	if err != nil {
		return View{}, err
	}
	if err := keepChoice(tx, v); err != nil {
		return View{}, err
	}
	out, err := s.view(tx, v)
	if err != nil {
		return out, err
	}
	return out, out.refer(tx)
}

// refer reads the reference of the scan: a refusal shows it, and by it the
// visitor can ask whether the print is genuine.
func (v *View) refer(tx *gorm.DB) error {
	if err := tx.Table("scans").Select("ref").Where("id = ?", v.ScanID).Row().Scan(&v.ScanRef); err != nil {
		return fmt.Errorf("read the scan's reference: %w", err)
	}
	return nil
}

// EntryPicture is the upstream image of the group, for somebody who was let in
// and while it works. Anybody else gets fault.NotFound.
func (s *Service) EntryPicture(ctx context.Context, secret string, signedIn *int64) (group.Picture, error) {
	v, err := s.At(ctx, secret, signedIn)
	if err != nil {
		return group.Picture{}, err
	}
	if v.State != StateIn || v.Entry.Kind != group.EntryUpstream || v.Entry.Expired(s.now()) {
		return group.Picture{}, fault.NotFound
	}
	return group.LoadPicture(s.db.WithContext(ctx), v.Entry.FileID)
}

// view decides the state and adds the rules that go with it.
func (s *Service) view(tx *gorm.DB, v visit) (View, error) {
	out, err := s.stateOf(tx, v)
	if err != nil {
		return out, err
	}
	if err := s.addAsks(tx, v, &out); err != nil {
		return out, err
	}
	out.Draft = s.openDraft(v.session)
	if err := s.addStay(tx, v, &out); err != nil {
		return out, err
	}
	if err := s.addRules(tx, v, &out); err != nil {
		return out, err
	}
	return out, s.addExpect(tx, v, &out)
}

// stateOf decides the state. The order of the questions is the rule.
func (s *Service) stateOf(tx *gorm.DB, v visit) (View, error) {
	out := View{Organisation: v.org.Name, Location: v.org.Location(), Group: v.group, Code: v.code, ScanID: v.session.ScanID,
		Person: v.person, AskedPhone: v.session.AskedPhone, Locked: v.locked(), Guests: v.admitsGuests()}
	path := v.group.DepartmentPath
	lineages, err := group.Lineages(tx, []string{path})
	if err != nil {
		return out, err
	}
	out.Department = lineages[path]
	if v.person != nil {
		if known, err := s.known(tx, v, &out); known || err != nil {
			return out, err
		}
	}
	if withdrawn, err := v.copyRevoked(tx); err != nil || withdrawn {
		out.Barred = scanOfCopy
		return out, err
	}
	if late := v.late(s.now()); late != "" {
		return out, s.tooLate(tx, v, late, &out)
	}
	if out.Barred = barred(v.code.State(s.now())); out.Barred != "" {
		return out, nil
	}
	if v.code.State(s.now()) == code.Off {
		out.State = StateOff
		return out, nil
	}
	if v.uncounted() {
		return out, scanAgain(tx, v, &out)
	}
	if v.person == nil {
		out.State, out.Step = StateForm, v.step()
		return out, nil
	}
	return out, s.welcome(tx, v, &out)
}

// barred translates a code's state. A used-up cap does not undo a scan that was let through.
func barred(state code.State) string {
	switch state {
	case code.Live, code.Off, code.Exhausted, code.Limited:
		return ""
	}
	return string(state)
}

func (v visit) step() Step {
	switch {
	case v.session.Phone != "":
		return StepName
	case len(v.session.Challenge) > 0:
		return StepCode
	}
	return StepPhone
}

// known answers for somebody who is in, waits or was waiting when the group ended:
// whatever became of the code, that stays true.
func (s *Service) known(tx *gorm.DB, v visit, out *View) (bool, error) {
	in, err := group.Joined(tx, v.group.ID, v.person.group())
	if err != nil {
		return false, fmt.Errorf("look for a membership: %w", err)
	}
	if out.Request, err = latest(tx, v.group.ID, *v.person); err != nil {
		return false, err
	}
	if out.Deciders, err = deciders(tx, v.group, v.person.MemberID, out.Request, s.now()); err != nil {
		return false, err
	}
	asked := out.Request != nil && (out.Request.Status == Pending || out.Request.Status == Cancelled)
	switch {
	case v.group.Status != group.Active:
		if asked || in {
			out.State, out.Why = StateRefused, GroupEnded
		}
		return asked || in, nil
	case in && v.late(s.now()) != "":
		return false, nil // such a visit leads to no entry
	case in:
		out.State = StateIn
		if out.Held, err = group.Held(tx, v.group.ID, v.person.group(), s.now()); out.Held || err != nil {
			return true, err
		}
		out.Entry, err = group.Show(tx, v.group, v.person.group(), s.now())
		return true, err
	case asked && out.Request.Status == Pending:
		out.State = StatePending
		return true, nil
	}
	return false, nil
}

// welcome decides for an identified person whom nothing bars yet.
func (s *Service) welcome(tx *gorm.DB, v visit, out *View) error {
	fits, err := v.fits(tx)
	if err != nil {
		return err
	}
	turned, err := s.turnedDown(tx, v, out)
	if err != nil {
		return err
	}
	switch {
	case !fits:
		out.Barred = Audience
	case v.group.JoinMode == group.Restricted && !v.code.Narrow():
		out.State, out.Why = StateRefused, ByAdmin
	case turned:
		out.State, out.Why = StateRefused, Turned
	case v.full():
		out.State = StateFull
		out.Wait, err = place(tx, v.group.ID, *v.person)
		return err
	default:
		if out.State, out.Step = StateForm, StepAsk; v.wantsName() {
			out.Step = StepName
		}
	}
	return nil
}

// latest is the person's newest request for the group, nil when there is none.
func latest(tx *gorm.DB, groupID int64, p Person) (*Request, error) {
	q := tx.Where("group_id = ?", groupID)
	if p.MemberID != nil {
		q = q.Where("member_id = ?", *p.MemberID)
	} else {
		q = q.Where("guest_id = ?", *p.GuestID)
	}
	var r Request
	err := q.Order("id DESC").Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read the newest request: %w", err)
	}
	return &r, nil
}

// fits reports whether the code's audience has the person in it. Guests are
// outside any audience, and outside a group that admits none.
func (v visit) fits(tx *gorm.DB) (bool, error) {
	if v.person.MemberID == nil && !v.group.Admits() {
		return false, nil
	}
	return v.code.InAudience(tx, v.person.MemberID)
}

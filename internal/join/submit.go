package join

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Visitor is who pressed the button on the join page, as far as the browser shows.
type Visitor struct {
	Secret   string // the join cookie
	SignedIn *int64 // the member of the console session, if any
	Proved   string // a phone whose code has just been right; "" else
	Address  string
	Device   string
}

// Form is what they typed.
type Form struct {
	Name, Note string
	Company    string // where a guest comes from
	Rules      string // group.Rules.Token of the version whose box is ticked
	Proofs
}

// Check reports what is wrong with a form before anything is used up for it.
func (f Form) Check() error {
	wrong := fault.Invalid{}
	if utf8.RuneCountInString(f.Name) > MaxName {
		wrong["name"] = fault.Msg("join.error.name.long", "Max", MaxName)
	}
	if utf8.RuneCountInString(f.Note) > MaxNote {
		wrong["note"] = fault.Msg("join.error.note.long", "Max", MaxNote)
	}
	f.checkCompany(wrong)
	f.Proofs.check(wrong)
	return wrong.Or()
}

// WhoAreYou is what a visitor whom nothing identifies is told under "phone".
const WhoAreYou = "join.error.phone.missing"

// Submit takes a visitor one step on: it binds a proved number, names a guest
// and, once nothing more is needed, lets them in or writes their request. It
// returns what the page shows now; pressing twice changes nothing. A visitor
// whom nothing identifies gets fault.Invalid for "phone".
func (s *Service) Submit(ctx context.Context, who Visitor, f Form) (out View, err error) {
	f.Name, f.Note, f.Company = oneLine(f.Name), strings.TrimSpace(f.Note), oneLine(f.Company)
	if err := f.Check(); err != nil {
		return out, err
	}
	try, err := s.countTry(ctx, who, f)
	if err != nil {
		return out, err
	}
	err = s.followed(ctx, func(tx *gorm.DB) error {
		v, err := s.visit(tx, who.Secret, who.SignedIn)
		if err != nil {
			return err
		}
		if known, err := s.settleIdentity(tx, &v, who, f); err != nil || !known {
			out, err = s.orView(tx, v, err)
			return err
		}
		if err := s.hold(tx, &v); err != nil {
			return err
		}
		if out, err = s.view(tx, v); err != nil {
			return err
		}
		if err := s.act(tx, v, who, f, &out); err != nil {
			return err
		}
		if err := s.endOtherWaits(tx, v, out); err != nil {
			return err
		}
		if err := s.mark(tx, v, out); err != nil {
			return err
		}
		return out.refer(tx)
	})
	return out, s.settleTry(ctx, try, out, err)
}

func (s *Service) orView(tx *gorm.DB, v visit, err error) (View, error) {
	if err != nil {
		return View{}, err
	}
	return s.view(tx, v)
}

// settleIdentity reports whether the visitor is somebody after this form.
func (s *Service) settleIdentity(tx *gorm.DB, v *visit, who Visitor, f Form) (bool, error) {
	if who.Proved != "" {
		if err := s.prove(tx, v, who.Proved); err != nil {
			return false, err
		}
	}
	switch {
	case v.person != nil && v.person.GuestID != nil && who.Proved != "" && f.Name != "" && f.Name != v.person.Name:
		return true, s.baptize(tx, v, f.Name)
	case v.person != nil && v.wantsName() && f.Name != "" && f.Name != v.person.Name:
		return true, s.baptize(tx, v, f.Name)
	case v.person != nil && v.session.MemberID == nil && v.session.GuestID == nil && who.Proved == "":
		return true, s.bind(tx, v) // by the console session: remember it for later visits
	case v.person != nil:
		return true, nil
	case v.session.Phone == "":
		return false, fault.Invalid{"phone": fault.Msg(WhoAreYou)}
	case f.Name != "":
		return true, s.baptize(tx, v, f.Name)
	case who.Proved != "":
		return false, nil // the page asks for the name next
	}
	return false, fault.Invalid{"name": fault.Msg("join.error.name.missing")}
}

// hold keeps the person employed and the group as it is until the transaction
// ends, and reads the group again under that lock.
func (s *Service) hold(tx *gorm.DB, v *visit) error {
	share := clause.Locking{Strength: "SHARE"}
	if v.person.MemberID != nil {
		var active []int64
		err := tx.Table("members").Clauses(share).Where("id = ? AND status = 'active'", *v.person.MemberID).Pluck("id", &active).Error
		if err != nil {
			return fmt.Errorf("hold member: %w", err)
		}
		if len(active) == 0 {
			return Again
		}
	}
	exclusive, err := holdRooms(tx, v)
	if err != nil {
		return err
	}
	before := v.group.JoinMode
	g, err := group.LoadByID(tx, v.group.ID)
	if err != nil {
		return err
	}
	v.group = g
	hung := v.code.GroupID
	if v.code, err = code.LoadFactsByID(tx, v.session.CodeID); err != nil {
		return err
	}
	if v.code.GroupID != hung {
		return errFollowed
	}
	v.group = v.room(g)
	if before != group.Open && v.group.JoinMode == group.Open && v.doors == nil {
		v.group.JoinMode = before // opened this very moment: ask once more as it was shown
	}
	return s.chooseAgain(tx, v, exclusive)
}

// act does what the form asks for, when the page would have asked for it.
func (s *Service) act(tx *gorm.DB, v visit, who Visitor, f Form, out *View) error {
	switch {
	case out.Barred == Audience && !v.session.ScanLive:
		return nil // the scan keeps the cause it was refused for
	case out.Barred == Audience:
		return s.marks.Outcome(tx, v.session.ScanID, Audience)
	case out.State == StatePending:
		return s.complete(tx, out.Request, f.Note)
	case out.State == StateIn:
		return s.agreeAgain(tx, v, who, f, out)
	case out.State != StateForm:
		return nil
	case out.Locked && who.Proved != "":
		return nil // the page asks for the password next
	case out.Locked:
		return fault.Invalid{"password": fault.Msg("terms.error.password.missing")}
	}
	bad := v.lacks(f, *out)
	if err := s.compare(tx, v, f, out, bad); err != nil {
		return err
	}
	if len(bad) > 0 && who.Proved != "" {
		out.Lacks = bad // the number stays proved; the page asks for the rest
		return nil
	} else if len(bad) > 0 {
		return bad
	}
	if v.group.JoinMode == group.Open {
		return s.enter(tx, v, who, f, out)
	}
	return s.request(tx, v, who, f, out)
}

// enter takes a seat in an open group.
func (s *Service) enter(tx *gorm.DB, v visit, who Visitor, f Form, out *View) error {
	m := group.Membership{GroupID: v.group.ID, MemberID: v.person.MemberID, GuestID: v.person.GuestID, Source: "code", CodeID: &v.session.CodeID, RulesVersion: out.version()}
	got, err := group.LetIn(tx, s.trail, &m, s.now())
	switch {
	case err != nil:
		return err
	case got == group.NoSeat:
		out.State, out.Step = StateFull, ""
		out.Wait, err = place(tx, v.group.ID, *v.person)
		return err
	}
	out.State, out.Step = StateIn, "" // the page that follows shows the entry
	if got == group.AlreadyIn {
		return nil
	}
	if err := endWaits(tx, v, s.now()); err != nil {
		return err
	}
	if err := v.agree(tx, who, out, s); err != nil {
		return err
	}
	if err := s.takeInvite(tx, v, out.invite); err != nil {
		return err
	}
	if err := keepStay(tx, m.ID, said(out.Asks, f, out.invite)); err != nil {
		return err
	}
	if err := s.forget(tx, v); err != nil {
		return err
	}
	out.reached = stageJoined
	return s.trail.Record(tx, v.actor(who), audit.Event{Action: "join.enter", DepartmentPath: v.group.DepartmentPath,
		Object: audit.Object{Kind: "group", ID: v.group.GID, Name: v.group.Name}, Details: map[string]any{"code": v.code.PublicID}})
}

// request writes the request, or finds the one that a parallel press wrote: the
// partial unique index allows one pending request per person and group.
func (s *Service) request(tx *gorm.DB, v visit, who Visitor, f Form, out *View) error {
	now := s.now().UTC()
	r := Request{GroupID: v.group.ID, CodeID: &v.session.CodeID, ScanID: v.scan(), MemberID: v.person.MemberID, GuestID: v.person.GuestID,
		Name: v.person.Name, Phone: v.person.Phone, Note: f.Note, Status: Pending, CreatedAt: now, RulesVersion: out.version()}
	v.company(&r, f)
	if err := r.comeFrom(tx); err != nil {
		return err
	}
	if err := s.sign(tx, v.code.Code, who.Address, &r); err != nil {
		return err
	}
	if err := s.wind(tx, v.group, v.org.Location(), &r); err != nil {
		return err
	}
	done := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&r)
	if done.Error != nil {
		return fmt.Errorf("write the request: %w", done.Error)
	}
	out.State, out.Step, out.Request = StatePending, "", &r
	if err := s.keepUntil(tx, v, now.Add(PendingLife)); err != nil {
		return err
	}
	if err := endWaits(tx, v, now); err != nil {
		return err
	}
	if done.RowsAffected == 0 {
		var err error
		out.Request, err = latest(tx, v.group.ID, *v.person)
		return err
	}
	if err := v.agree(tx, who, out, s); err != nil {
		return err
	}
	if err := s.takeInvite(tx, v, out.invite); err != nil {
		return err
	}
	if err := keepAnswers(tx, r.ID, said(out.Asks, f, out.invite)); err != nil {
		return err
	}
	if err := s.forget(tx, v); err != nil {
		return err
	}
	out.reached = stageRequested
	err := s.trail.Record(tx, v.actor(who), audit.Event{Action: "request.submit", Object: r.object(), DepartmentPath: v.group.DepartmentPath,
		Details: map[string]any{"group": v.group.GID}})
	if err != nil {
		return err
	}
	return s.judge(tx, v, who, &r, said(out.Asks, f, out.invite), out)
}

// complete adds the note to a request that was made without one.
func (s *Service) complete(tx *gorm.DB, r *Request, note string) error {
	if note == "" || r.Note != "" {
		return nil
	}
	r.Note = note
	err := tx.Model(&Request{}).Where("id = ? AND status = ? AND note = ''", r.ID, Pending).Update("note", note).Error
	if err != nil {
		return fmt.Errorf("add the note: %w", err)
	}
	return nil
}

func (r Request) object() audit.Object {
	return audit.Object{Kind: "request", ID: strconv.FormatInt(r.ID, 10), Name: r.Name}
}

// actor is the visitor as the audit trail names them.
func (v visit) actor(who Visitor) access.Actor {
	a := access.Actor{Kind: access.Guest, Name: v.person.Name, Address: who.Address, Device: who.Device}
	if v.person.MemberID != nil {
		a.Kind, a.MemberID = access.Member, *v.person.MemberID
	} else {
		a.GuestID = *v.person.GuestID
	}
	return a
}

// oneLine trims a name and turns what would break its line into spaces.
func oneLine(name string) string { return strings.Join(strings.Fields(name), " ") }

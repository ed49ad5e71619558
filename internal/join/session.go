package join

import (
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Lives of a join cookie.
const (
	// CookieLife is how long a redeemed ticket lets somebody fill in the form.
	CookieLife = 24 * time.Hour
	// PendingLife is how long the cookie leads back to a request.
	PendingLife = 30 * 24 * time.Hour
)

// Session is what the join cookie points to: one redeemed scan and, once they
// said so, the person behind it. Only a hash of the cookie is stored.
type Session struct {
	ID         int64
	SecretHash string
	ScanID     int64
	CodeID     int64
	Phone      string // proved, E.164
	MemberID   *int64
	GuestID    *int64
	Name       string
	AskedPhone string // a code was asked for; nothing is proved yet
	Challenge  []byte // sealed
	ScanLive   bool   `gorm:"default:true"` // false: only good for waiting while the code does not live
	PasswordOK bool   // the code's password was right
	Draft      []byte // sealed; see KeepDraft
	GroupID    *int64 // the one of a live code's groups that this visit is for
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

// TableName is for gorm.
func (Session) TableName() string { return "join_sessions" }

// Person is who stands at the door: exactly one id is set.
type Person struct {
	MemberID, GuestID *int64
	Name, Phone       string
}

func (p Person) group() group.Person { return group.Person{MemberID: p.MemberID, GuestID: p.GuestID} }

// visit is a session with everything that the decision about it reads.
type visit struct {
	session Session
	code    code.Facts
	moment  time.Time // the visit is seen at
	group   group.Group
	org     directory.Organisation
	person  *Person     // nil until identified
	named   bool        // identified in this very transaction
	doors   []code.Door // of a live code or a series; nil when there is only the one group
	held    []int64     // groups that are locked, in order
	seats   bool        // they are locked as for taking a seat
	door    *code.Door  // the chosen one, whose room is group; nil when no seat is left behind any
}

// Again is the answer for a missing, unknown or overdue join cookie.
var Again = fault.Gone{Message: fault.Msg("join.again.text")}

// visit loads the session behind a join cookie. signedIn is the member whose
// console session the browser carries, if any; an identity proved for this very
// scan goes before it.
func (s *Service) visit(tx *gorm.DB, secret string, signedIn *int64) (v visit, err error) {
	err = tx.Where("secret_hash = ? AND expires_at > ?", s.hash(secret), s.now().UTC()).Take(&v.session).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || secret == "" {
		return v, Again
	} else if err != nil {
		return v, fmt.Errorf("read join session: %w", err)
	}
	v.moment = s.now()
	if v.code, err = code.LoadFactsByID(tx, v.session.CodeID); err != nil {
		return v, err
	}
	if v.group, err = group.LoadByID(tx, v.code.GroupID); err != nil {
		return v, err
	}
	v.group = v.room(v.group)
	if v.org, err = directory.LoadOrganisation(tx); err != nil {
		return v, err
	}
	if err := v.identify(tx, signedIn); err != nil {
		return v, err
	}
	return v, s.choose(tx, &v)
}

// identify fills in the person as the session, else the console session, names them.
func (v *visit) identify(tx *gorm.DB, signedIn *int64) (err error) {
	switch {
	case v.session.MemberID != nil:
		v.person, err = activeMember(tx, "id = ?", *v.session.MemberID)
	case v.session.GuestID != nil:
		v.person, err = knownGuest(tx, "id = ?", *v.session.GuestID)
	case v.session.Phone == "" && signedIn != nil:
		v.person, err = activeMember(tx, "id = ?", *signedIn)
	}
	if errors.Is(err, fault.NotFound) {
		return Again // departed since: the session leads nowhere any more
	}
	return err
}

// activeMember answers fault.NotFound for nobody and for the departed.
func activeMember(tx *gorm.DB, where string, arg any) (*Person, error) {
	var m directory.Member
	err := tx.Select("id", "name", "phone").Where(where, arg).Where("status = ?", directory.Active).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fault.NotFound
	} else if err != nil {
		return nil, fmt.Errorf("read member: %w", err)
	}
	return &Person{MemberID: &m.ID, Name: m.Name, Phone: m.Phone}, nil
}

// Guest is somebody outside the directory who proved a phone number.
type Guest struct {
	ID        int64
	Name      string
	Phone     string
	CreatedAt time.Time
}

// TableName is for gorm.
func (Guest) TableName() string { return "guests" }

func knownGuest(tx *gorm.DB, where string, arg any) (*Person, error) {
	var g Guest
	err := tx.Where(where, arg).Take(&g).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fault.NotFound
	} else if err != nil {
		return nil, fmt.Errorf("read guest: %w", err)
	}
	return &Person{GuestID: &g.ID, Name: g.Name, Phone: g.Phone}, nil
}

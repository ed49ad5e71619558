package code

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// What happens to a visitor whom a code's own limits turn away. req: B21
const (
	Message  = "message"  // the page that says why
	Redirect = "redirect" // on to another address
	ToGroup  = "group"    // on to the newest living code of another group
	Waiting  = "waiting"  // the page, with a place on the waiting list
)

// Fallbacks lists them in the order of the form.
var Fallbacks = []string{Message, Redirect, ToGroup, Waiting}

const maxURL = 500

// setFallback checks what happens then. Fields of choices not taken are dropped.
func (d desk) setFallback(c *Code, form Form, wrong fault.Invalid) error {
	before := c.FallbackGroupID
	c.Fallback, c.FallbackURL, c.FallbackGroupID = form.Fallback, "", nil
	switch form.Fallback {
	case "":
		c.Fallback = Message
	case Redirect:
		c.FallbackURL = strings.TrimSpace(form.FallbackURL)
		d.checkURL(c.FallbackURL, wrong)
	case ToGroup:
		return d.setGroup(c, before, strings.TrimSpace(form.FallbackGroup), wrong)
	default:
		if !slices.Contains(Fallbacks, form.Fallback) {
			c.Fallback, wrong["fallback"] = Message, fault.Msg("terms.error.fallback")
		}
	}
	return nil
}

// checkURL takes web addresses of other places: one of our own doors would lead in a circle.
func (d desk) checkURL(text string, wrong fault.Invalid) {
	u, err := url.Parse(text)
	odd := strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' })
	switch {
	case utf8.RuneCountInString(text) > maxURL:
		wrong["fallback_url"] = fault.Msg("codes.error.label.long", "Max", maxURL)
	case err != nil || odd || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil:
		wrong["fallback_url"] = fault.Msg("terms.error.url")
	case d.ours(u):
		wrong["fallback_url"] = fault.Msg("terms.error.url.ours")
	}
}

// ours reports whether an address is one of this server's doors.
func (d desk) ours(u *url.URL) bool {
	base, err := url.Parse(d.baseURL)
	if err != nil || !strings.EqualFold(base.Hostname(), u.Hostname()) || port(base) != port(u) {
		return false
	}
	path := strings.ToLower(u.Path) + "/"
	return strings.HasPrefix(path, "/j/") || strings.HasPrefix(path, "/join/") || strings.HasPrefix(path, "/s/")
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// setGroup takes another living group whose codes by may see, or the one that was chosen before.
func (d desk) setGroup(c *Code, before *int64, gid string, wrong fault.Invalid) error {
	g, err := group.Load(d.tx, gid)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	kept := err == nil && before != nil && *before == g.ID
	switch {
	case err != nil, !kept && (g.Status != group.Active || access.Check(d.by, access.CodeDownload, g.Object(false)) != nil):
		wrong["fallback_group"] = fault.Msg("terms.error.group")
	case g.ID == d.group.ID:
		wrong["fallback_group"] = fault.Msg("terms.error.group.same")
	default:
		c.FallbackGroupID = &g.ID
	}
	return nil
}

// liveLimit bounds how many codes of a group are looked at for a living one.
const liveLimit = 50

// LiveCodeOf returns the token of the newest code of a group that a scan from
// this address by this member (nil for a stranger) would find live; false when there is none.
func (s *Service) LiveCodeOf(ctx context.Context, groupID int64, address string, memberID *int64) (string, bool, error) {
	tx := s.db.WithContext(ctx)
	all, err := facts(tx, "WHERE c.group_id = ? AND c.revoked_at IS NULL ORDER BY c.id DESC LIMIT ?", groupID, liveLimit)
	if err != nil {
		return "", false, err
	}
	for _, f := range all {
		if f.State(s.now()) != Live || !f.AllowsNetwork(address) {
			continue
		}
		if memberID != nil {
			if in, err := f.InAudience(tx, memberID); err != nil {
				return "", false, err
			} else if !in {
				continue
			}
		}
		return Token(s.keys, f.PublicID, 0), true, nil
	}
	return "", false, nil
}

// GroupChoice is a group that turned-away visitors may be sent to.
type GroupChoice struct {
	GID  string `gorm:"column:gid"`
	Name string
}

// groupChoices lists the living groups in by's scope but for one.
func groupChoices(tx *gorm.DB, by access.Actor, but int64) (all []GroupChoice, err error) {
	where, args := visible(by)
	err = tx.Raw("SELECT g.gid, g.name FROM groups g JOIN departments d ON d.id = g.department_id WHERE g.status = 'active' AND g.id <> ? AND "+where+
		" ORDER BY g.name, g.id LIMIT ?", append(append([]any{but}, args...), maxChoices)...).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list groups to go on to: %w", err)
	}
	return all, nil
}

// TurnsAway reports whether a state is one of the code's own limits: what the fallback is for.
func (s State) TurnsAway() bool {
	return s == Expired || s == Exhausted || s == Limited || s == NotYet || s == Closed
}

// OpensIn is how long until the code lets people in again by its start and
// hours; 0 when that is now or never.
func (f Facts) OpensIn(now time.Time) time.Duration {
	at, ok := f.Opens(now, f.Location())
	if !ok {
		return 0
	}
	return max(0, at.Sub(now))
}

package group

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"doorplate/internal/fault"
)

// Bounds of what a form may say.
const (
	MaxName     = 60
	MaxPurpose  = 500
	MaxReason   = 500
	MaxCapacity = 100_000
	maxEntryURL = 2000
)

// Draft is what a form says a group should be, as it was typed.
type Draft struct {
	Name, Type, DepartmentID, Capacity, Purpose, JoinMode string
	EntryKind, EntryURL, EntryValidUntil                  string
	CharterDraft
	EntryImage []byte // empty: keep the one there is
	Version    int64  // of the settings the form was filled from; 0 = whatever is there
}

// Plan is a checked draft. It survives as JSON while it waits for a second person.
type Plan struct {
	Name, Type, Purpose, JoinMode string
	DepartmentID                  int64
	Capacity                      int
	EntryKind, EntryURL           string
	EntryValidUntil               *time.Time `json:",omitempty"`
	EntryFileID                   *int64     `json:",omitempty"` // of a new image
	image                         []byte     // accepted, not stored yet
	Origin                        string     `json:",omitempty"` // user for one that a member of its department starts
	Charter
}

// DraftOf fills a draft from a group, so that a form which leaves fields out keeps them.
func DraftOf(g Group, loc *time.Location) Draft {
	d := Draft{Name: g.Name, Type: g.Type, DepartmentID: strconv.FormatInt(g.DepartmentID, 10), Capacity: strconv.Itoa(g.Capacity),
		Purpose: g.Purpose, JoinMode: g.JoinMode, EntryKind: g.EntryKind, Version: g.Version, CharterDraft: g.draft()}
	if g.EntryKind == EntryLink {
		d.EntryURL = g.EntryURL
	}
	if g.Way.ValidUntil != nil {
		d.EntryValidUntil = g.Way.ValidUntil.In(loc).Format(minuteLayout)
	}
	return d
}

const minuteLayout = "2006-01-02T15:04"

// frame is what a draft is checked against.
type frame struct {
	loc          *time.Location
	now          time.Time
	upstreamDays int
	was          Group // the group as it is, its Way read; the zero value for a new one
	pool         pool  // every image it ever had
}

// check reads a draft field by field. The department is looked up elsewhere.
func (d Draft) check(f frame) (Plan, fault.Invalid) {
	bad := fault.Invalid{}
	p := Plan{Name: OneLine(d.Name), Purpose: strings.TrimSpace(d.Purpose), Type: d.Type, JoinMode: d.JoinMode}
	checkText(bad, "name", p.Name, MaxName, "groups.error.name.")
	checkText(bad, "purpose", p.Purpose, MaxPurpose, "groups.error.purpose.")
	if !slices.Contains([]string{Internal, External, Training}, p.Type) {
		bad["type"] = fault.Msg("groups.error.type")
	}
	if p.JoinMode == "" {
		p.JoinMode = Approval
	}
	if !slices.Contains([]string{Open, Approval, Restricted, Off}, p.JoinMode) {
		bad["join_mode"] = fault.Msg("groups.error.joinmode")
	}
	n, err := strconv.Atoi(strings.TrimSpace(d.Capacity))
	if err != nil || n < 1 || n > MaxCapacity {
		bad["capacity"] = fault.Msg("groups.error.capacity", "Max", MaxCapacity)
	}
	p.Capacity, p.Charter = n, d.CharterDraft.check(bad)
	NatureOf(p.Type).shape(&p, bad)
	d.checkEntry(&p, f, bad)
	return p, bad
}

// checkText wants 1 to most characters; key is the prefix of the two messages.
func checkText(bad fault.Invalid, field, value string, most int, key string) {
	switch n := utf8.RuneCountInString(value); {
	case n == 0:
		bad[field] = fault.Msg(key + "empty")
	case n > most:
		bad[field] = fault.Msg(key+"long", "Max", most, "Have", n)
	}
}

// OneLine trims a text and folds white space and control characters into single spaces.
func OneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

func (d Draft) checkEntry(p *Plan, f frame, bad fault.Invalid) {
	switch p.EntryKind = d.EntryKind; d.EntryKind {
	case "":
		p.EntryKind = EntryNone
	case EntryNone:
	case EntryLink:
		link, ok := webAddress(d.EntryURL)
		if !ok {
			bad["entry_url"] = fault.Msg("groups.error.link", "Max", maxEntryURL)
		}
		p.EntryURL = link
	case EntryUpstream:
		d.checkUpstream(p, f, bad)
	default:
		bad["entry_kind"] = fault.Msg("groups.error.entrykind")
	}
}

// checkUpstream decodes a new image, which goes before those there are, or
// moves the end of the current one.
func (d Draft) checkUpstream(p *Plan, f frame, bad fault.Invalid) {
	given := strings.TrimSpace(d.EntryValidUntil)
	untouched := given == DraftOf(f.was, f.loc).EntryValidUntil // be it in the past, or the old image's beside a new one
	fresh := len(d.EntryImage) > 0
	switch {
	case fresh:
		content, wrong := readCode(d.EntryImage)
		if wrong == nil {
			wrong = f.pool.refuses(content)
		}
		if wrong != nil {
			bad["entry_image"] = *wrong
		}
		until := f.now.AddDate(0, 0, f.upstreamDays).Truncate(time.Second)
		p.EntryURL, p.image, p.EntryValidUntil = content, d.EntryImage, &until
	case f.was.EntryKind != EntryUpstream && len(f.pool) == 0:
		bad["entry_image"] = fault.Msg("groups.error.image.missing")
		return
	}
	if given == "" || untouched || !fresh && f.was.Way.ImageID == 0 {
		return
	}
	at, ok := moment(given, f.loc)
	if !ok || !at.After(f.now) || at.After(f.now.AddDate(10, 0, 0)) {
		bad["entry_valid_until"] = fault.Msg("groups.error.validuntil")
		return
	}
	p.EntryValidUntil = &at
}

// moment reads YYYY-MM-DDTHH:MM, or YYYY-MM-DD as the end of that day.
func moment(text string, loc *time.Location) (time.Time, bool) {
	if at, err := time.ParseInLocation(minuteLayout, text, loc); err == nil {
		return at.UTC(), true
	}
	day, err := time.ParseInLocation(time.DateOnly, text, loc)
	if err != nil {
		return time.Time{}, false
	}
	return day.AddDate(0, 0, 1).Add(-time.Second).UTC(), true
}

// webAddress accepts http and https links without credentials: they become a
// button for people who trust this page.
func webAddress(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxEntryURL || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "", false
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		return "", false
	}
	return text, true
}

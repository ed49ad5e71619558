package directory

import (
	"net/mail"
	"strings"
	"unicode"

	"doorplate/internal/fault"
)

// Limits in runes.
const (
	nameLimit   = 60
	jobLimit    = 40
	emailLimit  = 254
	reasonLimit = 500
)

// fields is what a form and an import row say about a person. An empty field
// says nothing.
type fields struct{ JobNumber, Name, Phone, Email string }

// normalise brings every field into the shape it is stored in and names what is
// wrong, by the field's name in forms.
func (f *fields) normalise() fault.Invalid {
	wrong := fault.Invalid{}
	f.JobNumber, f.Name, f.Email = line(f.JobNumber), line(f.Name), line(f.Email)
	switch {
	case f.Name == "":
		wrong["name"] = fault.Msg("contacts.field.name.missing")
	case tooLong(f.Name, nameLimit):
		wrong["name"] = fault.Msg("contacts.field.name.long", "Limit", nameLimit)
	}
	if tooLong(f.JobNumber, jobLimit) {
		wrong["job_number"] = fault.Msg("contacts.field.job.long", "Limit", jobLimit)
	}
	if f.Email != "" && !validEmail(f.Email) {
		wrong["email"] = fault.Msg("contacts.field.email.bad")
	}
	if strings.TrimSpace(f.Phone) == "" {
		wrong["phone"] = fault.Msg("contacts.field.phone.missing")
	} else if e164, ok := ParsePhone(f.Phone); ok {
		f.Phone = e164
	} else {
		wrong["phone"] = fault.Msg("contacts.field.phone.bad")
	}
	return wrong
}

// job is the stored form of a job number: null when there is none, because
// several people may have none.
func (f fields) job() *string {
	if f.JobNumber == "" {
		return nil
	}
	return &f.JobNumber
}

// line makes one line of what somebody typed: control characters and line ends
// become spaces, direction overrides (they let one name look like another) go.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
			return -1
		case unicode.IsControl(r), r == 0x2028, r == 0x2029:
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimSpace(s)
}

// prose is line for texts that may have several lines.
func prose(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = line(l)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func tooLong(s string, limit int) bool { return len(s) > limit && len([]rune(s)) > limit }

func validEmail(s string) bool {
	if len(s) > emailLimit || strings.ContainsAny(s, " <>\"(),;") {
		return false
	}
	if plainEmail(s) {
		return true
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// plainEmail knows what nearly every address looks like: words with single dots
// between them on both sides of one @. The parser would say the same, slowly.
func plainEmail(s string) bool {
	at, word := false, false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			word = true
		case !word, c != '.' && c != '@', c == '@' && at:
			return false
		default:
			at, word = at || c == '@', false
		}
	}
	return at && word
}

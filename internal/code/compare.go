package code

import (
	"strconv"
	"strings"
	"time"
)

// Term is one of a code's terms, as a text, a catalog key or a moment.
type Term struct {
	Text string
	Key  string
	Args []any
	At   time.Time
}

// Compared is one term of a plan, beside what it is now where that differs.
type Compared struct {
	Name string // label, validity, audience, password, networks, hours, from, caps, benefit, fallback
	Was  *Term
	Is   Term
}

// Compare lists the terms of a plan: all of a new code's, else what the plan
// changes and what makes it need a second person.
func Compare(was *Facts, p Plan, next GroupChoice) (all []Compared) {
	is := p.Code
	if p.Sealed != nil {
		is.PasswordHash = "set"
	}
	after := inWords(is, next.Name)
	if was == nil {
		for i, name := range described {
			if after[i] != nil {
				all = append(all, Compared{Name: name, Is: *after[i]})
			}
		}
		return all
	}
	old := was.Code
	if old.PasswordHash != "" {
		old.PasswordHash = "set"
	}
	before := inWords(old, next.Name)
	for i, name := range described {
		a, b := before[i], after[i]
		if name == "password" && p.Changed && p.Sealed != nil && a != nil {
			b = &Term{Key: "second.term.password.other"}
		}
		switch {
		case a == nil && b == nil:
		case a != nil && b != nil && same(*a, *b):
			if name == "validity" || name == "audience" {
				all = append(all, Compared{Name: name, Is: *b})
			}
		default:
			if b == nil {
				b = &Term{Key: "second.term.none"}
			}
			if a == nil {
				a = &Term{Key: "second.term.none"}
			}
			all = append(all, Compared{name, a, *b})
		}
	}
	return all
}

func same(a, b Term) bool { return a.Text == b.Text && a.Key == b.Key && a.At.Equal(b.At) }

var described = []string{"label", "validity", "audience", "password", "networks", "hours", "from", "daily", "total", "benefit", "fallback"}

// inWords says each of described, nil where there is nothing to say.
func inWords(c Code, next string) []*Term {
	text := func(s string) *Term {
		if s == "" {
			return nil
		}
		return &Term{Text: s}
	}
	key := func(is bool, key string) *Term {
		if !is {
			return nil
		}
		return &Term{Key: key}
	}
	number := func(n int) *Term {
		if n == 0 {
			return nil
		}
		return &Term{Text: strconv.Itoa(n)}
	}
	validity, audience := &Term{Key: "second.term.permanent"}, &Term{Key: "second.term.everybody"}
	if c.Validity != Permanent && c.ValidUntil != nil {
		validity = &Term{At: *c.ValidUntil}
	}
	if c.Narrow() {
		audience = &Term{Key: "second.term.some"}
		if c.AudienceRoles == RoleMember && c.Audience == "" && c.AudiencePeople == "" {
			audience = &Term{Key: "second.term.members"}
		}
	}
	var from *Term
	if c.ValidFrom != nil {
		from = &Term{At: *c.ValidFrom}
	}
	fallback := text(strings.TrimSpace(c.FallbackURL))
	if c.FallbackGroupID != nil {
		fallback = text(next)
	}
	return []*Term{text(c.Label), validity, audience, key(c.PasswordHash != "", "second.term.password.set"), text(c.Networks),
		key(c.Hours != "", "second.term.hours.set"), from, number(c.DailyCap), number(c.TotalCap), text(c.Benefit), fallback}
}

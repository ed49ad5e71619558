package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Where somebody was, seen from the networks of the code; "" when it has none.
const (
	Inside  = "inside"
	Outside = "outside"
)

// Signs that the score knows besides refusals and words. They are called as
// the queue calls its hints.
const (
	SignNetwork  = "network"
	SignTries    = "tries"
	SignNewcomer = "newcomer"
	SignDevice   = "device"
	SignVisit    = "visit"
	SignPhone    = "phone"
)

// Facts are all that a verdict depends on. The first ones are kept as they were
// when somebody asked; the rest follows from the request and the lists.
type Facts struct {
	MemberID    int64    `json:"member,omitempty"` // 0 = a guest
	Departments []string `json:"departments,omitempty"`
	Network     string   `json:"network,omitempty"`
	Signs       []string `json:"signs,omitempty"`
	Refusals    int      `json:"refusals,omitempty"` // earlier ones, anywhere

	Lists   []int64  `json:"-"` // that the person is on
	Texts   []Text   `json:"-"`
	Answers []Answer `json:"-"`
	Hits    []Hit    `json:"-"` // of the word lists in Texts
}

// Text is something that an applicant wrote. Field is name, note, company or
// the key of an answer.
type Text struct{ Field, Value string }

// Answer is one answer of the form, with its question.
type Answer struct{ Field, Label, Kind, Value string }

// KindEmail is the kind of the answer that is an e-mail address.
const KindEmail = "email"

func (c Condition) holds(f Facts) bool { return c.fits(f) != c.Not }

func (c Condition) fits(f Facts) bool {
	switch c.Kind {
	case Person:
		return slices.Contains(c.Values, map[bool]string{true: "member", false: "guest"}[f.MemberID != 0])
	case Department:
		return slices.ContainsFunc(f.Departments, func(path string) bool {
			return slices.ContainsFunc(c.IDs, func(id int64) bool { return strings.Contains(path, fmt.Sprintf("/%d/", id)) })
		})
	case Domain:
		return slices.ContainsFunc(f.Answers, func(a Answer) bool { return a.Kind == KindEmail && below(domainOf(a.Value), c.Values) })
	case OnList:
		return slices.ContainsFunc(f.Lists, func(id int64) bool { return slices.Contains(c.IDs, id) })
	case Words:
		return len(f.Hits) > 0
	case Says:
		return len(NewDictionary(c.Values).FindAll(f.Texts)) > 0
	case Reply:
		return slices.ContainsFunc(f.Answers, c.answered)
	case Network:
		return f.Network != "" && slices.Contains(c.Values, f.Network)
	case Risk:
		return Weigh(f).Total > c.N
	}
	return c.Not // a kind of another version: it never holds
}

// below reports whether a domain is one of these, or of a part of one.
func below(domain string, these []string) bool {
	return domain != "" && slices.ContainsFunc(these, func(d string) bool { return domain == d || strings.HasSuffix(domain, "."+d) })
}

func (c Condition) answered(a Answer) bool {
	if Plain(a.Label) != Plain(c.Label) || len(c.Values) == 0 {
		return false
	}
	return slices.ContainsFunc(c.Values, func(want string) bool { return compare(c.Op, a.Value, want) })
}

// compare compares numbers as numbers and everything else, also days, as text.
func compare(op, have, want string) bool {
	switch op {
	case Is:
		return Plain(have) == Plain(want)
	case Has:
		return Plain(want) != "" && strings.Contains(Plain(have), Plain(want))
	}
	order := strings.Compare(strings.TrimSpace(have), strings.TrimSpace(want))
	x, err := strconv.ParseFloat(strings.TrimSpace(have), 64)
	if y, err2 := strconv.ParseFloat(strings.TrimSpace(want), 64); err == nil && err2 == nil {
		order = map[bool]int{true: 1}[x > y]
		if x < y {
			order = -1
		}
	} else if (err == nil) != (err2 == nil) {
		return false // a number and something else: neither is more
	}
	return op == Least && order >= 0 || op == Most && order <= 0
}

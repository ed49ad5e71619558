package web_test

import (
	"strings"
	"time"

	"github.com/PuerkitoBio/goquery"

	"doorplate/internal/group"
)

type selection = goquery.Selection

var shanghai = time.FixedZone("CST", 8*60*60)

// count reads one number.
func (s *site) count(query string, args ...any) int64 {
	s.t.Helper()
	var n int64
	if err := s.db.Raw(query, args...).Scan(&n).Error; err != nil {
		s.t.Fatal(err)
	}
	return n
}

// group reads the group behind an address.
func (s *site) group(at string) group.Group {
	s.t.Helper()
	g, err := group.Load(s.db, strings.TrimPrefix(at, "/groups/"))
	if err != nil {
		s.t.Fatal(err)
	}
	if g.Way, err = group.Entry(s.db, g, s.clock.Now()); err != nil {
		s.t.Fatal(err)
	}
	return g
}

// with is pairs with one field set to another value.
func with(pairs []string, field, value string) []string {
	out := append([]string{}, pairs...)
	for i := 0; i+1 < len(out); i += 2 {
		if out[i] == field {
			out[i+1] = value
			return out
		}
	}
	return append(out, field, value)
}

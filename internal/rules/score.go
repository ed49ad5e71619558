package rules

import "slices"

// Point is one reason of a score, with what it adds. Its text is the catalog
// key "ruling.point."+Name.
type Point struct {
	Name   string `json:"name"`
	Count  int    `json:"count,omitempty"` // how often, where that is said
	Points int    `json:"points"`
}

// Score is a sum that can be taken apart: nobody need believe it.
type Score struct {
	Total  int
	Points []Point
}

// MaxScore is the sum of everything there is.
const MaxScore = 245

// weights are what each sign adds, the heaviest first. They are ours, not
// measured: what matters is that each is named beside its number.
var weights = []Point{{Name: SignNetwork, Points: 30}, {Name: SignVisit, Points: 30}, {Name: SignDevice, Points: 25}, {Name: SignTries, Points: 20}, {Name: SignPhone, Points: 15}, {Name: SignNewcomer, Points: 15}}

const (
	perRefusal  = 15
	mostRefusal = 60
	perWord     = 25
	mostWords   = 75
)

// Weigh adds up what speaks against a request.
func Weigh(f Facts) (s Score) {
	add := func(p Point) {
		if p.Points > 0 {
			s.Points, s.Total = append(s.Points, p), s.Total+p.Points
		}
	}
	for _, w := range weights {
		visit := w.Name == SignDevice && slices.Contains(f.Signs, SignVisit) // the same visit is the same device, once
		if slices.Contains(f.Signs, w.Name) && !visit {
			add(w)
		}
	}
	if f.Network == Outside && !slices.Contains(f.Signs, SignNetwork) {
		add(weights[0])
	}
	add(Point{Name: "refusals", Count: f.Refusals, Points: min(f.Refusals*perRefusal, mostRefusal)})
	words := distinct(f.Hits)
	add(Point{Name: "words", Count: words, Points: min(words*perWord, mostWords)})
	return s
}

// distinct counts different words.
func distinct(hits []Hit) int {
	seen := map[string]bool{}
	for _, h := range hits {
		seen[h.Word] = true
	}
	return len(seen)
}

// Weights are what there is to add up, each once: for saying it beforehand.
func Weights() []Point {
	return append(slices.Clone(weights), Point{Name: "refusals", Count: 1, Points: perRefusal}, Point{Name: "words", Count: 1, Points: perWord})
}

package rules

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxWords is how many words one list has at most, MaxWord how long one is in characters.
const (
	MaxWords = 5000
	MaxWord  = 40
)

// Hit is one word found in a text. Start and End count characters of the text
// as it was written.
type Hit struct {
	Field      string
	Word       string // as the list has it
	Start, End int
}

// Dictionary finds any of many words in one pass over a text (Aho and Corasick,
// 1975), however they are spaced, widened or cased. The zero value finds nothing.
type Dictionary struct {
	nodes []node
	words []word
}

// node is one prefix of a word. Its edges are sorted.
type node struct {
	edges []edge
	fail  int32 // the longest end of it that is a prefix too
	word  int32 // that ends here, +1
	next  int32 // the nearest node on the way of fail where a word ends
}

type edge struct {
	r  rune
	to int32
}

type word struct {
	text  string
	runes int
	latin bool // it stands alone: "ass" is not in "class"
}

// skipped are characters that do not part the ones around them: whoever spaces
// a word out, dots it or hides nothing in it writes the same word.
func skipped(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.IsPunct(r) || unicode.IsSymbol(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Mn, r) ||
		r == '\u3164' || r == '\uffa0' || r == '\u115f' || r == '\u1160' || r == '\u2800'
}

// char is one character of a text as it is compared, with where it stands.
type char struct {
	r  rune
	at int
}

// fold is a text as words are looked for in it.
func fold(text string) []char {
	out := make([]char, 0, len(text))
	at := 0
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9'):
			out = append(out, char{r, at})
		case r >= 0x4e00 && r <= 0x9fff: // the usual Chinese characters are what they are
			out = append(out, char{r, at})
		case r < utf8.RuneSelf && r >= 'A' && r <= 'Z':
			out = append(out, char{r + 'a' - 'A', at})
		case r < utf8.RuneSelf:
		default:
			for _, n := range norm.NFKD.String(string(r)) {
				if !skipped(n) {
					out = append(out, char{unicode.ToLower(n), at})
				}
			}
		}
		at++
	}
	return out
}

// Plain is a text as it is compared: one width, one case, nothing between the characters.
func Plain(text string) string {
	var b strings.Builder
	for _, c := range fold(text) {
		b.WriteRune(c.r)
	}
	return b.String()
}

// letter reports whether r is of a script that sets its words apart.
func letter(r rune) bool {
	return unicode.In(r, unicode.Latin, unicode.Cyrillic, unicode.Greek) || unicode.IsDigit(r)
}

// NewDictionary prepares a list. What is the same word twice is one; what has no
// character to compare is none.
func NewDictionary(list []string) Dictionary {
	w := Dictionary{nodes: make([]node, 1)}
	seen := map[string]bool{}
	for _, text := range list {
		chars := fold(text)
		key := Plain(text)
		if len(chars) == 0 || seen[key] {
			continue
		}
		seen[key] = true
		at := int32(0)
		latin := true
		for _, c := range chars {
			at = w.grow(at, c.r)
			latin = latin && letter(c.r)
		}
		w.words = append(w.words, word{strings.TrimSpace(text), len(chars), latin})
		w.nodes[at].word = int32(len(w.words))
	}
	w.link()
	return w
}

// Len is how many words there are.
func (w Dictionary) Len() int { return len(w.words) }

func (w *Dictionary) grow(at int32, r rune) int32 {
	i, found := slices.BinarySearchFunc(w.nodes[at].edges, r, func(e edge, r rune) int { return cmp.Compare(e.r, r) })
	if found {
		return w.nodes[at].edges[i].to
	}
	to := int32(len(w.nodes))
	w.nodes[at].edges = slices.Insert(w.nodes[at].edges, i, edge{r, to})
	w.nodes = append(w.nodes, node{})
	return to
}

// link sets the ways back, the short prefixes first.
func (w *Dictionary) link() {
	queue := []int32{0}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, e := range w.nodes[at].edges {
			if at != 0 {
				w.nodes[e.to].fail = w.step(w.nodes[at].fail, e.r)
			}
			back := w.nodes[e.to].fail
			w.nodes[e.to].next = back
			if w.nodes[back].word == 0 {
				w.nodes[e.to].next = w.nodes[back].next
			}
			queue = append(queue, e.to)
		}
	}
}

func (w *Dictionary) step(at int32, r rune) int32 {
	for {
		edges := w.nodes[at].edges
		i, found := slices.BinarySearchFunc(edges, r, func(e edge, r rune) int { return cmp.Compare(e.r, r) })
		switch {
		case found:
			return edges[i].to
		case at == 0:
			return 0
		}
		at = w.nodes[at].fail
	}
}

// Find lists the words in a text, by where they start.
func (w Dictionary) Find(field, text string) (hits []Hit) {
	if len(w.words) == 0 || text == "" {
		return nil
	}
	chars := fold(text)
	at := int32(0)
	var runes []rune
	for i, c := range chars {
		at = w.step(at, c.r)
		for n := at; n != 0; n = w.nodes[n].next {
			if w.nodes[n].word == 0 {
				continue
			}
			found := w.words[w.nodes[n].word-1]
			h := Hit{field, found.text, chars[i-found.runes+1].at, c.at + 1}
			if found.latin {
				if runes == nil {
					runes = []rune(text)
				}
				if !alone(runes, h) {
					continue
				}
			}
			hits = append(hits, h)
		}
	}
	slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End)) })
	return hits
}

// alone reports whether no letter touches the hit.
func alone(text []rune, h Hit) bool {
	for i := h.Start - 1; i >= 0; i-- {
		if !unicode.Is(unicode.Cf, text[i]) && !unicode.Is(unicode.Mn, text[i]) {
			if letter(text[i]) {
				return false
			}
			break
		}
	}
	for i := h.End; i < len(text); i++ {
		if !unicode.Is(unicode.Cf, text[i]) && !unicode.Is(unicode.Mn, text[i]) {
			return !letter(text[i])
		}
	}
	return true
}

// FindAll is Find for several texts.
func (w Dictionary) FindAll(texts []Text) (hits []Hit) {
	for _, t := range texts {
		hits = append(hits, w.Find(t.Field, t.Value)...)
	}
	return hits
}

// Piece is a part of a text, marked or not.
type Piece struct {
	Text string
	Hit  bool
}

// Pieces cuts a text at the hits in it, for showing them.
func Pieces(text string, field string, hits []Hit) (all []Piece) {
	marked := make([]bool, utf8.RuneCountInString(text))
	for _, h := range hits {
		for i := max(h.Start, 0); h.Field == field && i < min(h.End, len(marked)); i++ {
			marked[i] = true
		}
	}
	start, runes := 0, []rune(text)
	for i := 1; i <= len(runes); i++ {
		if i == len(runes) || marked[i] != marked[start] {
			all = append(all, Piece{string(runes[start:i]), marked[start]})
			start = i
		}
	}
	return all
}

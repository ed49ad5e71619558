package directory

import (
	"slices"
	"strings"
	"unicode"

	"github.com/mozillazg/go-pinyin"
	"golang.org/x/text/width"
)

const (
	// readingsLimit is how many ways of reading a name are kept: 曾 is zeng and ceng.
	readingsLimit = 4
	// spelledLimit is how many characters of a name are spelled.
	spelledLimit = 12
	// private marks the grams of phone and job number, which only those in scope may search.
	private = "§"
	// privatePart is the shortest part of a phone number that is searched, and the longest gram: two digits are
	// in everybody's number, three in few.
	privatePart = 3
	// termsLimit bounds how many words of a search are looked at.
	termsLimit = 5
)

// bare is a text as it is searched: lower case, half width, without spaces and
// punctuation.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) || r > unicode.MaxASCII && unicode.IsSymbol(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, width.Fold.String(strings.ToValidUTF8(s, "")))
}

// indexOf is what a member is stored with to be found: the texts that anybody
// may search, and the grams of those and of phone and job number. Every write of
// a name, phone or job number writes both columns. Never empty.
func indexOf(name, phone, job string) (sought, grams string) {
	plain := bare(name)
	texts := []string{plain}
	set := map[string]bool{}
	for _, r := range plain {
		set[string(r)] = true
	}
	for _, letters := range readings(plain) {
		texts = append(texts, strings.Join(letters, ""), initials(letters))
		for _, r := range initials(letters) {
			set[string(r)] = true
		}
	}
	for _, text := range texts {
		addGrams(set, "", text, 2)
	}
	job = bare(job)
	addGrams(set, private, job, 1)
	addGrams(set, private, job, 2)
	addGrams(set, private, job, privatePart)
	addGrams(set, private, digitsOf(phone), privatePart)
	all := make([]string, 0, len(set)+1)
	for gram := range set {
		all = append(all, gram)
	}
	slices.Sort(all)
	slices.Sort(texts[1:])
	return strings.Join(slices.Compact(texts), " "), strings.Join(append(all, private+"#"), " ")
}

// Index fills what m is found by from what it says.
func (m *Member) Index() { m.Sought, m.Grams = indexOf(m.Name, m.Phone, jobOf(*m)) }

func addGrams(set map[string]bool, mark, text string, size int) {
	runes := []rune(text)
	for i := 0; i+size <= len(runes); i++ {
		set[mark+string(runes[i:i+size])] = true
	}
}

// gramsOf are those that every text with this part has. size is the stored one.
func gramsOf(mark, part string, size int) []string {
	runes := []rune(part)
	if len(runes) < size {
		return []string{mark + part}
	}
	var all []string
	for i := 0; i+size <= len(runes); i++ {
		all = append(all, mark+string(runes[i:i+size]))
	}
	return all
}

var readAll = func() pinyin.Args {
	a := pinyin.NewArgs()
	a.Heteronym = true
	return a
}()

// readings spells the characters of a name: as it is most likely read, then with
// one character read otherwise. Nothing for a name without Chinese characters.
func readings(plain string) [][]string {
	var usual []string
	var others [][]string
	chinese := false
	for i, r := range []rune(plain) {
		if i == spelledLimit {
			break
		}
		sounds := pinyin.SinglePinyin(r, readAll)
		if chinese = chinese || len(sounds) > 0; len(sounds) == 0 {
			sounds = []string{string(r)}
		}
		usual, others = append(usual, sounds[0]), append(others, sounds[1:])
	}
	if !chinese {
		return nil
	}
	ways := [][]string{usual}
	for i, sounds := range others {
		for _, sound := range sounds {
			way := slices.Clone(usual)
			way[i] = sound
			if len(ways) < readingsLimit && !slices.ContainsFunc(ways, func(w []string) bool { return slices.Equal(w, way) }) {
				ways = append(ways, way)
			}
		}
	}
	return ways
}

func initials(sounds []string) string {
	var b strings.Builder
	for _, s := range sounds {
		for _, r := range s {
			b.WriteRune(r)
			break
		}
	}
	return b.String()
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

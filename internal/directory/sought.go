package directory

// GramsOf are the grams by which anything with a name, a phone and a job number
// is found, as one text. Never empty.
func GramsOf(name, phone, job string) string {
	_, grams := indexOf(name, phone, job)
	return grams
}

// Lookup is one word of a search as the grams that a text with it must have.
// The grams find, the texts make sure: several may stand apart.
type Lookup struct {
	Word    string   // as typed
	Part    string   // as it is compared: lower case, half width, bare
	Names   []string // of a name or its pinyin
	Numbers []string // of a phone or a job number; empty when the word is too short for one
}

// Lookups are the words of a search that say something.
func Lookups(text string) (all []Lookup) {
	for _, word := range termsOf(text) {
		part := bare(word)
		long := len([]rune(part))
		all = append(all, Lookup{Word: word, Part: part, Names: gramsOf("", part, min(2, long)), Numbers: gramsOf(private, part, min(privatePart, long))})
	}
	return all
}

package directory

import (
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
)

// termsOf are the words of a search that say something.
func termsOf(text string) (terms []string) {
	text = clip(text)
	if e164, ok := ParsePhone(text); ok && (digitsOf(text) != text || strings.HasPrefix(text, "00")) {
		return []string{digitsOf(e164)} // however it is spaced
	}
	for _, word := range strings.Fields(text) {
		if bare(word) != "" && len(terms) < termsLimit {
			terms = append(terms, word)
		}
	}
	return terms
}

// found is what a word finds: the ways to those people, each of which one index
// serves whole, and the same said of a member already at hand.
type found struct {
	ways []sqlText
	says sqlText
}

// finds looks for part of a name or its pinyin; in scope also of a phone or a job
// number, which outside it nobody may probe. The grams find, the texts make sure:
// several grams may stand apart.
func finds(db *gorm.DB, by access.Actor, word string) found {
	part, typed := bare(word), strings.ToLower(word)
	long := len([]rune(part))
	name := like("m.sought", part)
	ways := []sqlText{allOf([]sqlText{has(db, gramsOf("", part, min(2, long))), name})}
	plain := []sqlText{like("lower(m.name)", typed)}
	says := []sqlText{name}
	if scope := scopeOf(by); scope.text != "1 = 0" {
		numbers := []sqlText{like("lower(coalesce(m.job_number, ''))", typed), like("lower(coalesce(m.job_number, ''))", part)}
		if long >= privatePart && digitsOf(part) == part {
			numbers = append(numbers, like("m.phone", part))
		}
		known := allOf([]sqlText{anyOf(numbers), scope})
		ways = append(ways, allOf([]sqlText{has(db, gramsOf(private, part, min(privatePart, long))), known}))
		plain, says = append(plain, known), append(says, known)
	}
	ways = append(ways, allOf([]sqlText{{"m.grams = ''", nil}, anyOf(plain)})) // not indexed yet
	says = append(says, allOf([]sqlText{{"m.grams = ''", nil}, plain[0]}))
	return found{ways, anyOf(says)}
}

// search are the ways to the people whom all terms find: to those of the longest,
// who are likely the fewest, as far as the others find them too.
func search(db *gorm.DB, by access.Actor, terms []string) (ways []sqlText) {
	longest := 0
	for i, term := range terms {
		if len([]rune(bare(term))) > len([]rune(bare(terms[longest]))) {
			longest = i
		}
	}
	var others []sqlText
	for i, term := range terms {
		if i != longest {
			others = append(others, finds(db, by, term).says)
		}
	}
	for _, way := range finds(db, by, terms[longest]).ways {
		ways = append(ways, allOf(append([]sqlText{way}, others...)))
	}
	return ways
}

// has is "member m has all these grams". The grams are letters, numbers and
// symbols beyond ASCII: nothing that either notation reads as its own.
func has(db *gorm.DB, grams []string) sqlText {
	if database.Postgres(db) {
		return sqlText{"m.grams <> '' AND string_to_array(m.grams, ' ') @> CAST(? AS text[])", []any{`{"` + strings.Join(grams, `","`) + `"}`}}
	}
	return sqlText{"m.id IN (SELECT rowid FROM member_grams WHERE member_grams MATCH ?)", []any{`"` + strings.Join(grams, `" AND "`) + `"`}}
}

func like(column, part string) sqlText {
	return sqlText{column + ` LIKE ? ESCAPE '\'`, []any{"%" + database.EscapeLike(part) + "%"}}
}

func anyOf(terms []sqlText) sqlText {
	var any sqlText
	texts := make([]string, len(terms))
	for i, t := range terms {
		texts[i] = t.text
		any.args = append(any.args, t.args...)
	}
	any.text = "(" + strings.Join(texts, " OR ") + ")"
	return any
}

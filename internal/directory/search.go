package directory

import (
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
)

// phonePart is the shortest part of a phone number that is searched.
const phonePart = 3

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

// matches finds people by part of their name or its pinyin; in scope also by
// phone and job number, which outside it nobody may probe. The grams find, the
// texts make sure: several grams may stand apart.
func matches(db *gorm.DB, by access.Actor, word string) sqlText {
	part, typed := bare(word), strings.ToLower(word)
	size := min(2, len([]rune(part)))
	arms := []sqlText{
		allOf([]sqlText{has(db, gramsOf("", part, size)), like("m.sought", part)}),
		allOf([]sqlText{{"m.grams = ''", nil}, like("lower(m.name)", typed)}), // not indexed yet
	}
	if scope := scopeOf(by); scope.text != "1 = 0" {
		job := anyOf([]sqlText{like("lower(coalesce(m.job_number, ''))", typed), like("lower(coalesce(m.job_number, ''))", part)})
		arms = append(arms, allOf([]sqlText{has(db, gramsOf(private, part, size)), scope, job}),
			allOf([]sqlText{{"m.grams = ''", nil}, scope, anyOf([]sqlText{job, like("m.phone", part)})}))
		if digits := digitsOf(part); digits == part && len(part) >= phonePart {
			arms = append(arms, allOf([]sqlText{has(db, gramsOf(private, part, phonePart)), scope, like("m.phone", part)}))
		}
	}
	return anyOf(arms)
}

// has is "member m has all these grams". The grams are letters, numbers and
// symbols beyond ASCII: nothing that either notation reads as its own.
func has(db *gorm.DB, grams []string) sqlText {
	if database.Postgres(db) {
		return sqlText{"string_to_array(m.grams, ' ') @> CAST(? AS text[])", []any{`{"` + strings.Join(grams, `","`) + `"}`}}
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

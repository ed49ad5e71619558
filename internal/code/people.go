package code

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// Named is a person an audience names. JobNumber tells namesakes apart.
type Named struct {
	ID        int64
	Name      string
	JobNumber string
	Phone     string
}

// checkPeople keeps those of the people named before whose boxes are ticked and
// adds the typed ones. An unknown or ambiguous one is named in the message.
func checkPeople(tx *gorm.DB, before string, form Form, wrong fault.Invalid) (string, error) {
	var ids []int64
	for _, id := range numbers(before) {
		if slices.Contains(form.Kept, strconv.FormatInt(id, 10)) {
			ids = append(ids, id)
		}
	}
	typed := splitNames(form.People)
	if len(ids)+len(typed) > maxAudience {
		wrong["audience_people"] = fault.Msg("terms.error.people.many", "Max", maxAudience)
		return before, nil
	}
	found, err := lookUp(tx, typed)
	if err != nil {
		return "", err
	}
	var unknown, ambiguous []string
	for _, text := range typed {
		switch of := match(text, found); len(of) {
		case 0:
			unknown = append(unknown, short(text))
		case 1:
			ids = append(ids, of[0])
		default:
			ambiguous = append(ambiguous, short(text))
		}
	}
	if len(unknown) > 0 {
		wrong["audience_people"] = fault.Msg("terms.error.people.unknown", "Names", strings.Join(unknown, ", "))
	} else if len(ambiguous) > 0 {
		wrong["audience_people"] = fault.Msg("terms.error.people.ambiguous", "Names", strings.Join(ambiguous, ", "))
	}
	slices.Sort(ids)
	return join(slices.Compact(ids)), nil
}

func join(ids []int64) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(texts, " ")
}

// splitNames splits at line breaks, commas and semicolons of any script.
func splitNames(text string) []string {
	var names []string
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("\r\n,;，；、", r) }) {
		if part = oneLine(part); part != "" && !slices.Contains(names, part) {
			names = append(names, part)
		}
	}
	return names
}

// lookUp finds the active members whom any of the texts may mean.
func lookUp(tx *gorm.DB, texts []string) (found []Named, err error) {
	if len(texts) == 0 {
		return nil, nil
	}
	phones, lower := []string{""}, []string{}
	for _, text := range texts {
		if phone, ok := directory.ParsePhone(text); ok {
			phones = append(phones, phone)
		}
		lower = append(lower, strings.ToLower(text))
	}
	err = tx.Raw(`SELECT id, name, coalesce(job_number, '') AS job_number, phone FROM members
		WHERE status = 'active' AND (lower(job_number) IN ? OR phone IN ? OR name IN ?) ORDER BY id LIMIT 1000`, lower, phones, texts).Scan(&found).Error
	if err != nil {
		return nil, fmt.Errorf("look people up: %w", err)
	}
	return found, nil
}

// match takes a job number before a phone, and either before a name.
func match(text string, found []Named) []int64 {
	phone, isPhone := directory.ParsePhone(text)
	for _, fits := range []func(Named) bool{
		func(n Named) bool { return strings.EqualFold(n.JobNumber, text) },
		func(n Named) bool { return isPhone && n.Phone == phone },
		func(n Named) bool { return n.Name == text },
	} {
		var ids []int64
		for _, n := range found {
			if fits(n) {
				ids = append(ids, n.ID)
			}
		}
		if len(ids) > 0 {
			return ids
		}
	}
	return nil
}

// short keeps a message readable whatever was typed.
func short(text string) string {
	if utf8.RuneCountInString(text) > 30 {
		return string([]rune(text)[:30]) + "…"
	}
	return text
}

// people reads the names behind an audience's ids.
func people(tx *gorm.DB, ids string) (all []Named, err error) {
	if ids == "" {
		return nil, nil
	}
	err = tx.Raw("SELECT id, name, coalesce(job_number, '') AS job_number FROM members WHERE id IN ? ORDER BY name, id", numbers(ids)).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("read the people of an audience: %w", err)
	}
	return all, nil
}

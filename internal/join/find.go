package join

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/database"
	"doorplate/internal/directory"
)

// found is "request r is found by these words": by part of a name or its
// pinyin, part of a job number, the end of a phone. Every word has to find it.
func found(tx *gorm.DB, text string) (string, []any) {
	words := directory.Lookups(text)
	if len(words) == 0 {
		return plainly(strings.TrimSpace(text))
	}
	var terms []string
	var args []any
	for _, w := range words {
		name, nameArgs := byGrams(tx, w.Names)
		if strings.Trim(w.Part, "abcdefghijklmnopqrstuvwxyz") != "" { // pinyin stands in the grams alone
			name, nameArgs = name+` AND lower(r.name) LIKE ? ESCAPE '\'`, append(nameArgs, "%"+database.EscapeLike(strings.ToLower(w.Word))+"%")
		}
		number, numberArgs := byGrams(tx, w.Numbers)
		known, knownArgs := numbered(w)
		plain, plainArgs := plainly(w.Word)
		terms = append(terms, "("+name+" OR "+number+" AND "+known+" OR r.sought = '' AND "+plain+")")
		args = append(append(append(append(args, nameArgs...), numberArgs...), knownArgs...), plainArgs...)
	}
	return strings.Join(terms, " AND "), args
}

// byGrams is "r has all these grams". They are letters, numbers and symbols
// beyond ASCII: nothing that either notation reads as its own.
func byGrams(tx *gorm.DB, grams []string) (string, []any) {
	if database.Postgres(tx) {
		return "string_to_array(r.sought, ' ') @> CAST(? AS text[])", []any{`{"` + strings.Join(grams, `","`) + `"}`}
	}
	return "r.id IN (SELECT rowid FROM request_grams WHERE request_grams MATCH ?)", []any{`"` + strings.Join(grams, `" AND "`) + `"`}
}

// numbered makes sure of what the grams of numbers found.
func numbered(w directory.Lookup) (string, []any) {
	job := `EXISTS (SELECT 1 FROM members jm WHERE jm.id = r.member_id AND lower(jm.job_number) LIKE ? ESCAPE '\')`
	args := []any{"%" + database.EscapeLike(strings.ToLower(w.Word)) + "%"}
	if len(w.Part) < 3 || strings.Trim(w.Part, "0123456789") != "" {
		return job, args
	}
	return "(" + job + " OR r.phone LIKE ?)", append(args, "%"+w.Part)
}

// plainly finds what was not indexed yet.
func plainly(word string) (string, []any) {
	pattern := database.EscapeLike(strings.ToLower(word))
	tail := len(word) >= 3 && strings.Trim(word, "0123456789") == ""
	return `(lower(r.name) LIKE ? ESCAPE '\' OR EXISTS (SELECT 1 FROM members pm WHERE pm.id = r.member_id AND lower(pm.job_number) LIKE ? ESCAPE '\') OR (? AND r.phone LIKE ? ESCAPE '\'))`,
		[]any{"%" + pattern + "%", pattern + "%", tail, "%" + pattern}
}

// reindexBatch is how many requests one transaction of Reindex takes.
const reindexBatch = 500

// Reindex gives requests that were written before there was an index, or past
// it, what they are found by. It does nothing where nothing is missing.
func (s *Service) Reindex(ctx context.Context) error {
	for {
		n, err := s.reindex(ctx)
		if err != nil || n < reindexBatch {
			return err
		}
	}
}

func (s *Service) reindex(ctx context.Context) (n int, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var some []struct {
			ID          int64
			Name, Phone string
			MemberID    *int64
		}
		err := tx.Table("join_requests").Clauses(clause.Locking{Strength: "NO KEY UPDATE", Options: "SKIP LOCKED"}).Select("id", "name", "phone", "member_id").
			Where("sought = ''").Order("id").Limit(reindexBatch).Find(&some).Error
		if n = len(some); err != nil || n == 0 {
			return err
		}
		var members []int64
		for _, r := range some {
			if r.MemberID != nil {
				members = append(members, *r.MemberID)
			}
		}
		var numbers []struct {
			ID  int64
			Job string
		}
		if err := tx.Raw("SELECT id, job_number AS job FROM members WHERE id IN ? AND job_number IS NOT NULL", append(members, 0)).Scan(&numbers).Error; err != nil {
			return err
		}
		jobs := make(map[int64]string, len(numbers))
		for _, m := range numbers {
			jobs[m.ID] = m.Job
		}
		ids, soughts := make([]int64, n), make([]string, n)
		for i, r := range some {
			job := ""
			if r.MemberID != nil {
				job = jobs[*r.MemberID]
			}
			ids[i], soughts[i] = r.ID, directory.GramsOf(r.Name, r.Phone, job)
		}
		v, args := database.Values(tx, database.Numbers("id", ids), database.Texts("sought", soughts))
		return tx.Exec("UPDATE join_requests SET sought = v.sought FROM "+v+" WHERE join_requests.id = v.id", args...).Error
	})
	if err != nil {
		return n, fmt.Errorf("index requests: %w", err)
	}
	return n, nil
}

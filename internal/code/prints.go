package code

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
)

// MarkPrinted notes inside the caller's transaction that copies of a code were
// handed out on paper, and what stood on it: from then on a change of those words
// makes them stale. Serials that the code has not, such as 0, are left out.
func (s *Service) MarkPrinted(tx *gorm.DB, codeID int64, serials []int) error {
	if len(serials) == 0 {
		return nil
	}
	words := "json_object('organisation', o.name, 'group', g.name, 'department', l.words, 'until', c.valid_until)"
	if database.Postgres(tx) {
		words = strings.Replace(words, "json_object", "json_build_object", 1)
	}
	err := tx.Exec(lineageSQL+`UPDATE code_copies SET printed_at = ?, printed_as = (SELECT CAST(`+words+` AS text)
			FROM codes c JOIN groups g ON g.id = c.group_id JOIN lineage l ON l.id = g.department_id JOIN organisation o ON o.id = 1 WHERE c.id = code_copies.code_id)
		WHERE code_id = ? AND serial IN ?`, s.now().UTC(), codeID, serials).Error
	if err != nil {
		return fmt.Errorf("mark copies printed: %w", err)
	}
	return nil
}

// Prints lists what hangs somewhere and should not, in by's scope, what was
// scanned last first. after is the cursor of the page before. req: B25, C52
func (s *Service) Prints(ctx context.Context, by access.Actor, after string) (CopyList, error) {
	where, args := "why <> ''", []any{}
	if at, id, ok := parseMoment(after); ok {
		where += " AND (coalesce(last_scan_at, created_at) < ? OR coalesce(last_scan_at, created_at) = ? AND id < ?)"
		args = append(args, at, at, id)
	}
	lines, err := s.stale(ctx, by, where+" ORDER BY coalesce(last_scan_at, created_at) DESC, id DESC LIMIT ?", append(args, PageSize+1))
	l := CopyList{Lines: lines}
	if err == nil && len(lines) > PageSize {
		l.Lines = lines[:PageSize]
		last := lines[PageSize-1]
		at := last.CreatedAt
		if last.LastScanAt != nil {
			at = *last.LastScanAt
		}
		l.Next = fmt.Sprintf("%d-%d", at.UnixMicro(), last.ID)
	}
	return l, err
}

// StaleCount counts Prints, no further than limit.
func (s *Service) StaleCount(ctx context.Context, by access.Actor, limit int) (int, error) {
	scope, args := visible(by)
	tx := s.db.WithContext(ctx)
	var n int
	err := tx.Raw(lineageSQL+"SELECT count(*) FROM (SELECT why FROM (SELECT "+whySQL(tx)+copyFrom+" WHERE k.removed_at IS NULL AND "+scope+") y WHERE why <> '' LIMIT ?) z",
		append(append([]any{s.now().UTC()}, args...), limit)...).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count stale prints: %w", err)
	}
	return n, nil
}

func (s *Service) stale(ctx context.Context, by access.Actor, rest string, restArgs []any) ([]CopyLine, error) {
	scope, args := visible(by)
	return s.copyLines(s.db.WithContext(ctx), "k.removed_at IS NULL AND "+scope, args, rest, restArgs)
}

// parseMoment reads a cursor of microseconds and a row's number.
func parseMoment(text string) (at time.Time, id int64, ok bool) {
	left, right, found := strings.Cut(text, "-")
	micro, errAt := strconv.ParseInt(left, 10, 64)
	id, errID := strconv.ParseInt(right, 10, 64)
	if !found || errAt != nil || errID != nil || micro <= 0 || micro >= 1<<53 {
		return at, 0, false
	}
	return time.UnixMicro(micro).UTC(), id, true
}

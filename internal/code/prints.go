package code

import (
	"context"
	"database/sql"
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
	words := "json_object('organisation', o.name, 'group', g.name, 'department', " + lineageWords(tx) + ", 'until', c.valid_until)"
	if database.Postgres(tx) {
		words = strings.Replace(words, "json_object", "json_build_object", 1)
	}
	err := tx.Exec(`UPDATE code_copies SET printed_at = ?, doubtful = (revoked_at IS NOT NULL), printed_as = (SELECT CAST(`+words+` AS text)
			FROM codes c JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id JOIN organisation o ON o.id = 1 WHERE c.id = code_copies.code_id)
		WHERE code_id = ? AND serial IN ?`, s.now().UTC(), codeID, serials).Error
	if err != nil {
		return fmt.Errorf("mark copies printed: %w", err)
	}
	return nil
}

// Prints lists what hangs somewhere and should not, in by's scope, what was
// scanned last first. after is the cursor of the page before. req: B25, C52
func (s *Service) Prints(ctx context.Context, by access.Actor, after string) (l CopyList, err error) {
	tx := s.db.WithContext(ctx)
	scope, args := visible(by)
	query := "SELECT id, moment FROM (SELECT k.id, coalesce(k.last_scan_at, k.created_at) AS moment, " + whySQL(tx) + staleFrom + scope + ") y WHERE why <> ''"
	args = append([]any{s.now().UTC(), s.now().UTC()}, args...)
	if at, id, ok := parseMoment(after); ok {
		query += " AND (moment < ? OR moment = ? AND id < ?)"
		args = append(args, at, at, id)
	}
	var found []struct{ ID int64 }
	if err := tx.Raw(query+" ORDER BY moment DESC, id DESC LIMIT ?", append(args, PageSize+1)...).Scan(&found).Error; err != nil {
		return l, fmt.Errorf("look for stale prints: %w", err)
	}
	ids := make([]int64, len(found))
	for i, f := range found {
		ids[i] = f.ID
	}
	if len(ids) == 0 {
		return l, nil
	}
	l.Lines, err = s.copyLines(tx, "k.id IN ?", []any{ids}, "1 = 1 ORDER BY coalesce(last_scan_at, created_at) DESC, id DESC", nil)
	if err == nil && len(l.Lines) > PageSize {
		l.Lines = l.Lines[:PageSize]
		last := l.Lines[PageSize-1]
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
	err := tx.Raw("SELECT count(*) FROM (SELECT why FROM (SELECT "+whySQL(tx)+staleFrom+scope+") y WHERE why <> '' LIMIT ?) z",
		append(append([]any{s.now().UTC(), s.now().UTC()}, args...), limit)...).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count stale prints: %w", err)
	}
	return n, nil
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

// staleFrom are the hanging copies k that are worth a look, and what whySQL
// needs of them: something that stands on them has changed since somebody
// looked, or their code's time is over, which nothing announces. Its argument is the moment.
const staleFrom = ` FROM (SELECT ` + doubtColumns + ` FROM code_copies f WHERE f.doubtful AND f.removed_at IS NULL
	UNION SELECT ` + doubtColumns + ` FROM codes e JOIN code_copies f ON f.code_id = e.id AND f.removed_at IS NULL WHERE e.revoked_at IS NULL AND e.valid_until IS NOT NULL AND e.valid_until <= ?) k
	JOIN codes c ON c.id = k.code_id JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id JOIN organisation o ON o.id = 1 WHERE `

const doubtColumns = "f.id, f.code_id, f.removed_at, f.revoked_at, f.printed_as, f.last_scan_at, f.created_at"

// settleBatch is how many prints SettlePrints looks at in one transaction.
const settleBatch = 2000

// SettlePrints looks at the prints in doubt and takes the mark from those that
// say what they should, so that the list of stale ones stays quick. What changes
// at the same moment keeps its mark: the transaction then fails and the next
// call comes back to it.
func (s *Service) SettlePrints(ctx context.Context) error {
	var opts []*sql.TxOptions
	if database.Postgres(s.db) {
		opts = append(opts, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	}
	for after := int64(0); ; {
		var ids []int64
		err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			err := tx.Raw("SELECT id FROM code_copies WHERE doubtful AND removed_at IS NULL AND printed_as <> '' AND id > ? ORDER BY id LIMIT ?", after, settleBatch).Scan(&ids).Error
			if err != nil || len(ids) == 0 {
				return err
			}
			return tx.Exec("UPDATE code_copies SET doubtful = false WHERE id IN (SELECT id FROM (SELECT k.id, "+whySQL(tx)+copyFrom+" WHERE k.id IN ?) y WHERE why = '')",
				s.now().UTC(), ids).Error
		}, opts...)
		if err != nil {
			return fmt.Errorf("look at prints in doubt: %w", err)
		}
		if len(ids) < settleBatch {
			return nil
		}
		after = ids[len(ids)-1]
	}
}

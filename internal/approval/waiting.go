package approval

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/access"
)

// Waiting counts the pending approvals that wait for by's word, up to limit:
// nobody's own, and none for who decides nothing.
func (s *Service) Waiting(ctx context.Context, by access.Actor, limit int) (int, error) {
	if !access.Can(by, access.ApprovalsDecide, access.Object{}) {
		return 0, nil
	}
	db := s.db.WithContext(ctx)
	some := visible(db.Table("approvals a").Select("1"), by).
		Where("a.status = 'pending' AND a.expires_at > ? AND a.requested_by <> ?", s.now().UTC(), by.MemberID).Limit(limit)
	var n int64
	if err := db.Table("(?) AS waiting", some).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count approvals: %w", err)
	}
	return int(n), nil
}

// newsLimit bounds what News counts.
const newsLimit = 100

// News counts what by asked for and somebody has decided, or nobody in time,
// since by last looked: for a line on the first page.
func (s *Service) News(ctx context.Context, by access.Actor) (int, error) {
	db := s.db.WithContext(ctx)
	var n int64
	if err := db.Table("(?) AS news", s.unseen(db, by).Select("1").Limit(newsLimit)).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count decided approvals: %w", err)
	}
	return int(n), nil
}

func (s *Service) unseen(db *gorm.DB, by access.Actor) *gorm.DB {
	return db.Table("approvals").Where("requested_by = ? AND seen_at IS NULL AND (status <> 'pending' OR expires_at <= ?)", by.MemberID, s.now().UTC())
}

// Seen notes that by looked at the outcome of some requests of theirs.
func (s *Service) Seen(ctx context.Context, by access.Actor, ids ...int64) error {
	if len(ids) == 0 {
		return nil
	}
	if err := s.unseen(s.db.WithContext(ctx), by).Where("id IN ?", ids).Update("seen_at", s.now().UTC()).Error; err != nil {
		return fmt.Errorf("note what was seen: %w", err)
	}
	return nil
}

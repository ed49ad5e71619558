package approval

import (
	"context"
	"fmt"

	"doorplate/internal/access"
)

// Waiting counts the pending approvals that by may see, up to limit.
func (s *Service) Waiting(ctx context.Context, by access.Actor, limit int) (int, error) {
	db := s.db.WithContext(ctx)
	some := visible(db.Table("approvals a").Select("1"), by).
		Where("a.status = 'pending' AND a.expires_at > ?", s.now().UTC()).Limit(limit)
	var n int64
	if err := db.Table("(?) AS waiting", some).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count approvals: %w", err)
	}
	return int(n), nil
}

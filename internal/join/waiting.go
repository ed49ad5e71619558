package join

import (
	"context"

	"doorplate/internal/access"
)

// Waiting counts the pending requests that by may decide, up to limit.
func (s *Service) Waiting(ctx context.Context, by access.Actor, limit int) (int, error) {
	return 0, nil
}

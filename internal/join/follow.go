package join

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/database"
)

// errFollowed: while a visit waited for its group, the code went on to another
// one that took this one over. Nothing is written to a group that has ended.
var errFollowed = errors.New("join: the code leads to another group now")

// followed runs work in a transaction, and anew for a visit whose code went on.
func (s *Service) followed(ctx context.Context, work func(*gorm.DB) error) (err error) {
	for range 5 {
		if err = s.db.WithContext(ctx).Transaction(work); !errors.Is(err, errFollowed) {
			return err
		}
	}
	return Again
}

// stillAsking makes sure that the groups that are held are the ones of the
// requests: some may have gone on to another group while we waited.
func stillAsking(tx *gorm.DB, ids, groups []int64) error {
	var elsewhere []int64
	these, all := database.AnyOf(tx, "id", database.Numbers("id", ids))
	err := tx.Table("join_requests").Where(these+" AND status = 'pending' AND group_id NOT IN ?", all, append([]int64{0}, groups...)).Limit(1).Pluck("id", &elsewhere).Error
	if err != nil {
		return fmt.Errorf("look whether requests moved: %w", err)
	}
	if len(elsewhere) > 0 {
		return errFollowed
	}
	return nil
}

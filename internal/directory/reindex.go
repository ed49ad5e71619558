package directory

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/database"
)

// reindexBatch is how many members one transaction of Reindex takes.
const reindexBatch = 500

// Reindex gives members that were written before there was an index what they
// are found by. Run it at the start and now and then; it does nothing where
// nothing is missing.
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
		var some []Member
		err := tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Select("id", "name", "phone", "job_number").
			Where("grams = ''").Order("id").Limit(reindexBatch).Find(&some).Error
		if n = len(some); err != nil || n == 0 {
			return err
		}
		ids, soughts, gramses := make([]int64, n), make([]string, n), make([]string, n)
		for i, m := range some {
			m.Index()
			ids[i], soughts[i], gramses[i] = m.ID, m.Sought, m.Grams
		}
		v, args := database.Values(tx, database.Numbers("id", ids), database.Texts("sought", soughts), database.Texts("grams", gramses))
		return tx.Exec("UPDATE members SET sought = v.sought, grams = v.grams FROM "+v+" WHERE members.id = v.id", args...).Error
	})
	if err != nil {
		return n, fmt.Errorf("index members: %w", err)
	}
	return n, nil
}

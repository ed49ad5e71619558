package directory

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/database"
)

const (
	// reindexBatch is how many members one transaction of Reindex takes.
	reindexBatch = 500
	// indexEvery is how often RunIndex looks for people left over: passed by
	// because somebody was changing them, or written by another instance.
	indexEvery = time.Minute
)

func (s *Service) wakeIndexer() {
	select {
	case s.indexes <- struct{}{}:
	default:
	}
}

// RunIndex makes people searchable who were written without it, by a large
// import or before there was an index, until ctx ends. One goroutine runs it.
func (s *Service) RunIndex(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(indexEvery)
	defer tick.Stop()
	for {
		if err := s.Reindex(ctx); err != nil && ctx.Err() == nil {
			log.Error("index members", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.indexes:
		}
	}
}

// Indexing reports whether people are still to be made searchable.
func (s *Service) Indexing(ctx context.Context) (some bool, err error) {
	if err := s.db.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM members WHERE grams = '')").Scan(&some).Error; err != nil {
		return false, fmt.Errorf("look for members not indexed: %w", err)
	}
	return some, nil
}

// Reindex gives members that were written without it what they are found by. It
// waits for nobody: who is being changed is left for the next time.
func (s *Service) Reindex(ctx context.Context) error {
	for last := int64(0); ; {
		next, err := s.reindex(ctx, last)
		if err != nil || next == last {
			return err
		}
		last = next
	}
}

// reindex does some of those behind an id and returns the last one's.
func (s *Service) reindex(ctx context.Context, after int64) (last int64, err error) {
	last = after
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var some []Member
		err := tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE", Options: "SKIP LOCKED"}).Select("id", "name", "phone", "job_number").
			Where("grams = '' AND id > ?", after).Order("id").Limit(reindexBatch).Find(&some).Error
		n := len(some)
		if err != nil || n == 0 {
			return err
		}
		ids, soughts, gramses := make([]int64, n), make([]string, n), make([]string, n)
		for i, m := range some {
			m.Index()
			ids[i], soughts[i], gramses[i] = m.ID, m.Sought, m.Grams
		}
		last = ids[n-1]
		v, args := database.Values(tx, database.Numbers("id", ids), database.Texts("sought", soughts), database.Texts("grams", gramses))
		return tx.Exec("UPDATE members SET sought = v.sought, grams = v.grams FROM "+v+" WHERE members.id = v.id", args...).Error
	})
	if err != nil {
		return after, fmt.Errorf("index members: %w", err)
	}
	return last, nil
}

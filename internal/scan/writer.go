package scan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"doorplate/internal/database"
)

const (
	maxBatch     = 512
	batchTimeout = 5 * time.Second
	drainTime    = 6 * time.Second
	lookAgain    = 20 * time.Microsecond // while a batch gathers
)

// Start begins to write. Record does it too; a program calls it to be explicit.
// The writer works until Close, whatever becomes of ctx.
func (s *Service) Start(ctx context.Context) {
	s.once.Do(func() { go s.write(context.WithoutCancel(ctx)) })
}

// Close takes no more scans, writes those that wait, and returns when they are
// written or a few seconds have passed.
func (s *Service) Close() {
	s.once.Do(func() { close(s.drained) }) // never started: nothing to drain
	s.shut.Do(func() { close(s.closing) })
	select {
	case <-s.drained:
	case <-time.After(drainTime):
	}
}

// write is the one writer: it takes what waits, writes it in one transaction,
// answers, and looks again. The time a commit takes is what fills the next
// batch; a fixed timer would only make everybody wait.
func (s *Service) write(ctx context.Context) {
	defer close(s.drained)
	var last pace
	for {
		select {
		case first := <-s.queue:
			last = s.flush(ctx, s.gather(first, last))
		case <-s.closing:
			for len(s.queue) > 0 {
				s.flush(ctx, s.gather(<-s.queue, pace{}))
			}
			return
		}
	}
}

// pace is what the batch before was: how many scans, and how long they took.
type pace struct {
	scans int
	took  time.Duration
}

// gather takes what waits. Those whom the batch before answered may be on their
// way again, while others came during it: without a moment for them the two
// halves would take turns for ever, each waiting for the other's commit. The
// moment ends when as many are there as both together, and is short against a commit.
func (s *Service) gather(first *call, last pace) []*call {
	batch := s.take([]*call{first})
	if last.scans < 2 {
		return batch
	}
	all := min(maxBatch, len(batch)+last.scans)
	for end := time.Now().Add(last.took / 8); len(batch) < all && time.Now().Before(end); {
		time.Sleep(lookAgain)
		batch = s.take(batch)
	}
	return batch
}

// take adds what waits to a batch.
func (s *Service) take(batch []*call) []*call {
	for len(batch) < maxBatch {
		select {
		case next := <-s.queue:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// flush writes a batch; when it fails, each scan by itself, so that one bad row
// harms nobody else. Visitors who were already told 503 are left out.
func (s *Service) flush(ctx context.Context, batch []*call) pace {
	batch = waiting(batch)
	if len(batch) == 0 {
		return pace{}
	}
	began := time.Now()
	decisions, err := s.commit(ctx, batch)
	last := pace{scans: len(batch), took: time.Since(began)}
	if err == nil {
		s.batches.Add(1)
		s.written.Add(int64(len(batch)))
		for i, c := range batch {
			c.done <- answer{decision: decisions[i]}
		}
		return last
	}
	for _, c := range batch {
		if !c.left.Load() {
			c.done <- s.retry(ctx, c, err)
		}
	}
	return last
}

func waiting(batch []*call) []*call {
	still := batch[:0]
	for _, c := range batch {
		if !c.left.Load() {
			still = append(still, c)
		}
	}
	return still
}

// retry writes one scan of a batch that failed. Its reference may already be
// there: then the commit had succeeded and only the answer was lost.
func (s *Service) retry(ctx context.Context, c *call, cause error) answer {
	decisions, err := s.commit(ctx, []*call{c})
	switch {
	case err == nil:
		return answer{decision: decisions[0]}
	case database.Collided(err):
		// Whether that row is this scan cannot be told for sure, so the visitor
		// scans again; what was recorded stays recorded.
		return answer{err: fmt.Errorf("scan %s: %w", c.row.Ref, err)}
	}
	return answer{err: errors.Join(err, cause)}
}

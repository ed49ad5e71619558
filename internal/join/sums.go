package join

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/directory"
)

// OverturnDays is how soon somebody has to be removed after an approval for it to count as overturned.
const OverturnDays = 7

// settledAfter is when nothing about a decision's figures can change any more:
// it can be taken back for a day at most.
const settledAfter = (OverturnDays + 1) * 24 * time.Hour

// rounded keeps two figures of a number of seconds: what is added up loses at
// most a twentieth of it.
const rounded = `CASE WHEN x.waited < 100 THEN x.waited WHEN x.waited < 1000 THEN (x.waited + 5) / 10 * 10 WHEN x.waited < 10000 THEN (x.waited + 50) / 100 * 100
	WHEN x.waited < 100000 THEN (x.waited + 500) / 1000 * 1000 WHEN x.waited < 1000000 THEN (x.waited + 5000) / 10000 * 10000 ELSE (x.waited + 50000) / 100000 * 100000 END`

// tally counts decisions x of groups g by everything that is asked of them. Its
// arguments are the month as text and the days within which a removal counts, per decision.
func tally(tx *gorm.DB) string {
	within := "ms.ended_at < x.decided_at + interval '7 days'"
	if tx.Name() != "postgres" {
		within = "julianday(ms.ended_at) - julianday(x.decided_at) < 7"
	}
	return `SELECT CAST(? AS text) AS month, g.department_id, coalesce(x.decided_by, 0) AS decided_by, x.rule, x.outcome, ` + rounded + ` AS waited,
		count(*) AS n, sum(CASE WHEN x.undone_at IS NULL THEN 0 ELSE 1 END) AS undone,
		sum(CASE WHEN x.undone_at IS NULL AND x.outcome = 'approved' AND EXISTS (SELECT 1 FROM memberships ms WHERE ms.request_id = x.request_id AND ms.ended_reason = 'removed' AND ` + within + `
			AND NOT EXISTS (SELECT 1 FROM memberships o WHERE o.request_id = x.request_id AND o.id > ms.id)) THEN 1 ELSE 0 END) AS removed
		FROM request_decisions x JOIN groups g ON g.id = x.group_id`
}

const tallied = ` GROUP BY g.department_id, coalesce(x.decided_by, 0), x.rule, x.outcome, ` + rounded

// SumDecisions adds up the decisions about which nothing can change any more, a
// day in a transaction. Several instances may do so at once: each day is added once.
func (s *Service) SumDecisions(ctx context.Context) error {
	for {
		more, err := s.sumDay(ctx)
		if err != nil || !more {
			return err
		}
	}
}

func (s *Service) sumDay(ctx context.Context) (more bool, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		org, err := directory.LoadOrganisation(tx)
		if err != nil {
			return err
		}
		from, err := summed(tx, true)
		if err != nil {
			return err
		}
		if from.IsZero() {
			if from, err = firstMade(tx); err != nil || from.IsZero() {
				return err
			}
		}
		day := from.In(org.Location())
		to := time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, org.Location())
		if to.After(s.now().Add(-settledAfter)) {
			return nil
		}
		more = true
		err = tx.Exec("INSERT INTO decision_sums (month, department_id, decided_by, rule, outcome, waited, n, undone, removed) "+tally(tx)+
			" WHERE x.decided_at >= ? AND x.decided_at < ?"+tallied+` ON CONFLICT (month, department_id, decided_by, rule, outcome, waited)
			DO UPDATE SET n = decision_sums.n + excluded.n, undone = decision_sums.undone + excluded.undone, removed = decision_sums.removed + excluded.removed`,
			day.Format("2006-01"), from.UTC(), to.UTC()).Error
		if err != nil {
			return fmt.Errorf("add up decisions: %w", err)
		}
		return tx.Exec("INSERT INTO decision_summed (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at", to.UTC()).Error
	})
	return more, err
}

// summed is up to when decisions are added up; zero when none is. Held, nobody
// else adds up: the organisation's row stands for it.
func summed(tx *gorm.DB, hold bool) (at time.Time, err error) {
	if hold {
		var held []int64
		if err := tx.Table("organisation").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Where("id = 1").Pluck("id", &held).Error; err != nil {
			return at, fmt.Errorf("hold the sums: %w", err)
		}
	}
	var rows []struct{ At time.Time }
	if err := tx.Raw("SELECT at FROM decision_summed WHERE id = 1").Scan(&rows).Error; err != nil || len(rows) == 0 {
		return at, err
	}
	return rows[0].At, nil
}

func firstMade(tx *gorm.DB) (at time.Time, err error) {
	var rows []struct{ DecidedAt time.Time }
	if err := tx.Raw("SELECT decided_at FROM request_decisions ORDER BY decided_at LIMIT 1").Scan(&rows).Error; err != nil || len(rows) == 0 {
		return at, err
	}
	return rows[0].DecidedAt, nil
}

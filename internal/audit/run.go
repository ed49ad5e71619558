package audit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
)

// States of a Run.
const (
	Running     = "running"
	Intact      = "whole"       // every entry is as it was written
	Found       = "broken"      // the state of the chain says where
	Interrupted = "interrupted" // it never came to its end
)

const (
	// runLease is how long a run belongs to the process that last told of it.
	runLease = 15 * time.Second
	// runBeat is how often a run tells how far it is.
	runBeat = time.Second
	// runTries is how often a run is begun before it is given up.
	runTries = 3
	// runLook is how often a process looks for runs that another one left behind.
	runLook = 5 * time.Second
)

// Run is one verification of the whole chain that somebody asked for. One that
// was cut off begins anew: what it had seen so far was in memory only, and a
// verification that trusts a note about itself would prove nothing.
type Run struct {
	ID         int64
	State      string
	AskedBy    int64
	AskedName  string
	AskedAt    time.Time
	Total      int64 // entries sealed when it was asked for
	Done       int64 // entries looked at
	Tries      int   // how often it was begun
	LeaseUntil *time.Time
	LeaseOwner string
	EndedAt    *time.Time
	MAC        string // of what came of it
}

// TableName is for gorm.
func (Run) TableName() string { return "audit_runs" }

// Percent is how far the run is. Entries may be sealed while it goes on.
func (r Run) Percent() int {
	return int(min(r.Done, r.Total) * 100 / max(r.Total, 1))
}

// errLostRun says that another process has taken the run over.
var errLostRun = errors.New("the verification was taken over")

func (t *Trail) runMAC(r Run) string {
	text, err := json.Marshal([]any{r.ID, r.State, r.AskedName, r.Done, r.EndedAt.UTC().Truncate(time.Microsecond)})
	if err != nil {
		panic(err) // numbers, texts and a time only
	}
	return t.keys.Hash("audit run", string(text))
}

// lastRun reads the run that is going on, or else the newest, nil when there is
// none. A result that we did not write counts as none.
func (t *Trail) lastRun(db *gorm.DB) (*Run, error) {
	var runs []Run
	if err := db.Raw("SELECT * FROM audit_runs ORDER BY id DESC LIMIT 1").Scan(&runs).Error; err != nil {
		return nil, fmt.Errorf("read the newest verification: %w", err)
	}
	if len(runs) == 0 || runs[0].State != Running && (runs[0].EndedAt == nil || runs[0].MAC != t.runMAC(runs[0])) {
		return nil, nil
	}
	return &runs[0], nil
}

// AskVerify has the whole chain verified in the background. While that is under
// way already, asking again changes nothing.
func (l *Log) AskVerify(ctx context.Context, by access.Actor) error {
	if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
		return err
	}
	err := l.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		head, err := lastSeal(tx)
		if err != nil {
			return fmt.Errorf("read the head of the chain: %w", err)
		}
		asked := tx.Exec(`INSERT INTO audit_runs (asked_by, asked_name, asked_at, total) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			by.MemberID, clean(by.Name), l.trail.now().UTC(), head.Seq)
		if asked.Error != nil || asked.RowsAffected == 0 {
			return asked.Error
		}
		return l.trail.Record(tx, by, Event{Action: "audit.verify.ask", Object: chainObject, Details: map[string]any{"sealed": head.Seq}})
	})
	if err != nil {
		return err
	}
	select {
	case l.trail.asked <- struct{}{}:
	default:
	}
	return nil
}

// RunVerifier does the verifications that are asked for until ctx ends.
func (t *Trail) RunVerifier(ctx context.Context, db *gorm.DB, log *slog.Logger) {
	tick := time.NewTicker(runLook)
	defer tick.Stop()
	for {
		if _, err := t.VerifyAsked(ctx, db, log); err != nil && ctx.Err() == nil {
			log.Error("verifying the audit trail as asked", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-t.asked:
		}
	}
}

// VerifyAsked takes the run that nobody works on and carries it out. It reports
// whether there was one.
func (t *Trail) VerifyAsked(ctx context.Context, db *gorm.DB, log *slog.Logger) (bool, error) {
	r, err := t.takeRun(db.WithContext(ctx))
	if err != nil || r == nil {
		return false, err
	}
	err = t.carryOut(ctx, db, r, log)
	if err == nil || errors.Is(err, errLostRun) {
		return true, nil
	}
	after := db.WithContext(context.WithoutCancel(ctx))
	if ctx.Err() != nil { // the next process begins it anew, and that was no fault of the run
		return true, after.Exec("UPDATE audit_runs SET lease_until = NULL, tries = tries - 1 WHERE id = ? AND state = ? AND lease_owner = ?", r.ID, Running, r.LeaseOwner).Error
	}
	if r.Tries < runTries {
		return true, errors.Join(err, after.Exec("UPDATE audit_runs SET lease_until = NULL WHERE id = ? AND state = ? AND lease_owner = ?", r.ID, Running, r.LeaseOwner).Error)
	}
	return true, errors.Join(err, t.giveUp(after, r))
}

// takeRun leases the run that is asked for, unless a living process has it. One
// that took its processes down with it too often is given up.
func (t *Trail) takeRun(db *gorm.DB) (*Run, error) {
	now := t.now().UTC()
	owner := rand.Text()
	var runs []Run
	err := db.Raw(`UPDATE audit_runs SET lease_until = ?, lease_owner = ?, tries = tries + 1, done = 0
		WHERE state = ? AND (lease_until IS NULL OR lease_until < ?) RETURNING *`, now.Add(runLease), owner, Running, now).Scan(&runs).Error
	if err != nil {
		return nil, fmt.Errorf("look for a verification: %w", err)
	}
	if len(runs) == 0 {
		return nil, nil
	}
	if runs[0].Tries > runTries {
		return nil, t.giveUp(db, &runs[0])
	}
	return &runs[0], nil
}

// carryOut verifies the chain while nobody else here does.
func (t *Trail) carryOut(ctx context.Context, db *gorm.DB, r *Run, log *slog.Logger) error {
	t.looks.Lock()
	defer t.looks.Unlock()
	was, err := t.readWatched(db.WithContext(ctx))
	if err != nil {
		return err
	}
	told := t.now()
	report, err := t.verify(ctx, db, func(done int64) error {
		if t.now().Sub(told) < runBeat {
			return nil
		}
		told = t.now()
		return t.tellRun(db.WithContext(ctx), r, done)
	}, Head{was.TipSeq, was.TipHash})
	if err != nil {
		return err
	}
	if b := report.Broken; b != nil {
		log.Error("the audit trail is broken; run doorplate audit verify", "entry", b.Seq, "id", b.Entry, "cause", b.Cause())
	}
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return t.conclude(tx, r, report, was) })
}

// tellRun keeps how far a run is, and that somebody works on it.
func (t *Trail) tellRun(db *gorm.DB, r *Run, done int64) error {
	told := db.Exec("UPDATE audit_runs SET done = ?, lease_until = ? WHERE id = ? AND state = ? AND lease_owner = ?",
		done, t.now().UTC().Add(runLease), r.ID, Running, r.LeaseOwner)
	return stillOurs(told)
}

func stillOurs(done *gorm.DB) error {
	if done.Error == nil && done.RowsAffected == 0 {
		return errLostRun
	}
	return done.Error
}

// conclude keeps what came of a run. was is the state it began with: what was
// found broken in the meantime stays so.
func (t *Trail) conclude(tx *gorm.DB, r *Run, report Report, was watched) error {
	end := *r
	end.State, end.Done, end.EndedAt = Intact, report.Head.Seq, t.stamp()
	details := map[string]any{"sealed": report.Head.Seq, "asked_by": r.AskedName}
	e := Event{Action: "audit.verify", Object: chainObject, Details: details}
	state, err := t.holdWatched(tx)
	if err != nil {
		return err
	}
	switch b := report.Broken; {
	case b != nil:
		end.State = Found
		state.broke(b, end.EndedAt)
		e.Outcome, details["entry"], details["cause"] = Failed, b.Seq, string(b.Kind)
	case state.BrokenAt != nil && (was.BrokenAt == nil || !was.BrokenAt.Equal(*state.BrokenAt)):
		end.State = Found
		e.Outcome, details["entry"], details["cause"] = Failed, state.BrokenSeq, string(state.BrokenCause)
	default:
		state = watched{PassBegan: end.EndedAt}
		state.TipSeq, state.TipHash, state.TipAt = report.Head.Seq, report.Head.Hash, end.EndedAt
		state.WholeSeq, state.WholeAt = report.Head.Seq, end.EndedAt
	}
	if err := t.endRun(tx, end); err != nil {
		return err
	}
	if err := t.saveWatched(tx, state); err != nil {
		return err
	}
	return t.Record(tx, access.Background("verify"), e)
}

func (t *Trail) endRun(tx *gorm.DB, end Run) error {
	return stillOurs(tx.Exec("UPDATE audit_runs SET state = ?, done = ?, ended_at = ?, lease_until = NULL, mac = ? WHERE id = ? AND state = ? AND lease_owner = ?",
		end.State, end.Done, end.EndedAt, t.runMAC(end), end.ID, Running, end.LeaseOwner))
}

// giveUp ends a run that does not come to its end.
func (t *Trail) giveUp(db *gorm.DB, r *Run) error {
	end := *r
	end.State, end.EndedAt = Interrupted, t.stamp()
	return db.Transaction(func(tx *gorm.DB) error {
		if err := t.endRun(tx, end); err != nil {
			return err
		}
		return t.Record(tx, access.Background("verify"), Event{Action: "audit.verify", Object: chainObject, Outcome: Failed,
			Details: map[string]any{"asked_by": r.AskedName, "cause": "interrupted"}})
	})
}

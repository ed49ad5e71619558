package join

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/events"
	"doorplate/internal/fault"
)

// Waiting is what happened to a request before it was decided.
type Waiting struct {
	Addition    string // a word that the applicant added, once
	AddedAt     *time.Time
	WaitedSince *time.Time // for a seat, before this became a request
}

// addLimit is how many words one person may add within addWindow, over all groups.
const (
	addLimit  = 5
	addWindow = time.Hour
)

// AddWord lets who waits for a decision say one thing more; whoever decides sees
// it. Once per request: false says that there was nothing (any more) to add to.
func (s *Service) AddWord(ctx context.Context, who Visitor, word string) (added bool, err error) {
	word = strings.TrimSpace(word)
	switch n := utf8.RuneCountInString(word); {
	case n == 0:
		return false, fault.Invalid{"word": fault.Msg("live5.word.missing")}
	case n > MaxNote:
		return false, fault.Invalid{"word": fault.Msg("join.error.note.long", "Max", MaxNote)}
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		v, err := s.visit(tx, who.Secret, who.SignedIn)
		if err != nil || v.person == nil {
			return err
		}
		r, err := latest(tx, v.group.ID, *v.person)
		if err != nil || r == nil || r.Status != Pending || r.Addition != "" {
			return err
		}
		if added, err = s.addWord(tx, v, r.ID, word); err != nil || !added {
			return err
		}
		return s.trail.Record(tx, v.actor(who), audit.Event{Action: "request.add", Object: r.object(), DepartmentPath: v.group.DepartmentPath,
			Details: map[string]any{"group": v.group.GID}})
	})
	return added, err
}

// addWord is the one statement that adds: once, while it waits, and not too often.
func (s *Service) addWord(tx *gorm.DB, v visit, id int64, word string) (bool, error) {
	column, person := "member_id", v.person.MemberID
	if person == nil {
		column, person = "guest_id", v.person.GuestID
	}
	now := s.now().UTC()
	done := tx.Exec(`UPDATE join_requests SET addition = ?, added_at = ? WHERE id = ? AND status = 'pending' AND addition = ''
		AND (SELECT count(*) FROM join_requests o WHERE o.`+column+` = ? AND o.added_at > ?) < ?`,
		word, now, id, *person, now.Add(-addWindow), addLimit)
	if done.Error != nil {
		return false, fmt.Errorf("add a word: %w", done.Error)
	}
	if done.RowsAffected == 1 {
		return true, events.Publish(tx, events.Event{Kind: events.Added, GroupID: &v.group.ID, RequestID: &id, MemberID: v.person.MemberID,
			GuestID: v.person.GuestID, CodeID: &v.session.CodeID, At: now})
	}
	var open int64
	if err := tx.Model(&Request{}).Where("id = ? AND status = ? AND addition = ''", id, Pending).Count(&open).Error; err != nil {
		return false, fmt.Errorf("look at the request: %w", err)
	}
	if open > 0 {
		return false, fault.TooMany{Message: fault.Msg("live5.word.often"), After: addWindow}
	}
	return false, nil
}

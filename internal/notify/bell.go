package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Notice is one entry of a member's list.
type Notice struct {
	ID int64
	Line
	Unread bool
}

// BellPage is a page of somebody's list, newest first.
type BellPage struct {
	Notices []Notice
	Unread  int   // at most CountLimit+1
	Next    int64 // the message to go on after; 0 = the end
}

// pageSize is how many entries a page has.
const pageSize = 30

// Unread counts what the reader has not read, at most limit: one look at an
// index of unread ones.
func (s *Service) Unread(ctx context.Context, by access.Actor, limit int) (n int, err error) {
	err = s.db.WithContext(ctx).Raw("SELECT count(*) FROM (SELECT 1 FROM messages WHERE member_id = ? AND channel = 'bell' AND read_at IS NULL LIMIT ?) u", by.MemberID, limit).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count what is unread: %w", err)
	}
	return n, nil
}

// List reads the reader's own list. after is the message that the page before ended with.
func (s *Service) List(ctx context.Context, by access.Actor, after int64) (p BellPage, err error) {
	tx := s.db.WithContext(ctx)
	if p.Unread, err = s.Unread(ctx, by, 100); err != nil {
		return p, err
	}
	q := tx.Where("member_id = ? AND channel = 'bell'", by.MemberID)
	if after > 0 {
		var last Message
		err := tx.Where("id = ? AND member_id = ? AND channel = 'bell'", after, by.MemberID).Take(&last).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return p, nil
		} else if err != nil {
			return p, fmt.Errorf("find the page: %w", err)
		}
		q = q.Where("(updated_at < ? OR updated_at = ? AND id < ?)", last.UpdatedAt, last.UpdatedAt, last.ID)
	}
	var rows []Message
	if err := q.Order("updated_at DESC, id DESC").Limit(pageSize + 1).Find(&rows).Error; err != nil {
		return p, fmt.Errorf("read the list: %w", err)
	}
	if len(rows) > pageSize {
		rows = rows[:pageSize]
		p.Next = rows[pageSize-1].ID
	}
	for _, m := range rows {
		p.Notices = append(p.Notices, Notice{ID: m.ID, Unread: m.ReadAt == nil, Line: Line{Kind: m.Kind, Href: m.Href, Args: m.Args, Times: m.Times, At: m.UpdatedAt}})
	}
	return p, nil
}

// Read marks one of the reader's entries as read, or with id 0 all. What is read
// counts up no further. It returns where the entry leads to.
func (s *Service) Read(ctx context.Context, by access.Actor, id int64) (href string, err error) {
	now := s.now().UTC()
	q := s.db.WithContext(ctx).Model(&Message{}).Where("member_id = ? AND channel = 'bell'", by.MemberID)
	set := map[string]any{"read_at": now, "open_key": nil}
	if id == 0 {
		return "", q.Where("read_at IS NULL").UpdateColumns(set).Error
	}
	var found []Message
	if err := q.Session(&gorm.Session{}).Select("id", "href").Where("id = ?", id).Limit(1).Find(&found).Error; err != nil {
		return "", fmt.Errorf("read an entry: %w", err)
	} else if len(found) == 0 {
		return "", fault.NotFound
	}
	return found[0].Href, q.Session(&gorm.Session{}).Where("id = ? AND read_at IS NULL", id).UpdateColumns(set).Error
}

// keepDays is how long messages are kept once they are over.
const keepDays = 90

// sweepBatch bounds one statement of Sweep.
const sweepBatch = 1000

// Sweep deletes messages that were over long ago.
func (s *Service) Sweep(ctx context.Context) error {
	old := s.now().UTC().AddDate(0, 0, -keepDays)
	for {
		done := s.db.WithContext(ctx).Exec("DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE updated_at < ? AND state NOT IN ('queued', 'failed') LIMIT ?)", old, sweepBatch)
		if done.Error != nil {
			return fmt.Errorf("delete old messages: %w", done.Error)
		}
		if done.RowsAffected < sweepBatch {
			break
		}
	}
	err := s.db.WithContext(ctx).Exec("DELETE FROM message_days WHERE day < ?", old.Format(time.DateOnly)).Error
	if err != nil {
		return fmt.Errorf("delete old counts: %w", err)
	}
	return nil
}

package join

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

const (
	// MaxViews is how many views one person keeps.
	MaxViews = 20
	// maxQuery bounds the filters of a view, in bytes.
	maxQuery = 1000
)

// SavedView is a set of filters that somebody keeps under a name.
type SavedView struct {
	ID        int64
	MemberID  int64
	Name      string
	Query     string // of the queue's address
	IsDefault bool   // what the bare address shows
	CreatedAt time.Time
}

// TableName is for gorm.
func (SavedView) TableName() string { return "request_views" }

// Views lists by's own views by name.
func (s *Service) Views(ctx context.Context, by access.Actor) (all []SavedView, err error) {
	if err := s.db.WithContext(ctx).Where("member_id = ?", by.MemberID).Order("name, id").Limit(MaxViews).Find(&all).Error; err != nil {
		return nil, fmt.Errorf("list views: %w", err)
	}
	return all, nil
}

// SaveView keeps filters under a name; one of the same name is replaced.
func (s *Service) SaveView(ctx context.Context, by access.Actor, v SavedView) error {
	if err := access.Check(by, access.RequestsDecide, access.Object{}); err != nil {
		return err
	}
	v.Name = group.OneLine(v.Name)
	switch n := utf8.RuneCountInString(v.Name); {
	case n == 0:
		return fault.Invalid{"name": fault.Msg("queue.view.error.name")}
	case n > MaxName:
		return fault.Invalid{"name": fault.Msg("queue.view.error.long", "Max", MaxName)}
	case len(v.Query) > maxQuery:
		return fault.Invalid{"name": fault.Msg("queue.view.error.query")}
	}
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		// The person's row keeps two presses from passing the limit together.
		var held []int64
		if err := tx.Table("members").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Where("id = ?", by.MemberID).Pluck("id", &held).Error; err != nil {
			return fmt.Errorf("hold the member: %w", err)
		}
		var kept []SavedView
		if err := tx.Where("member_id = ?", by.MemberID).Find(&kept).Error; err != nil {
			return fmt.Errorf("count views: %w", err)
		}
		same := int64(0)
		for _, k := range kept {
			if strings.EqualFold(k.Name, v.Name) {
				same = k.ID
			}
		}
		if same == 0 && len(kept) >= MaxViews {
			return fault.Invalid{"name": fault.Msg("queue.view.error.many", "Max", MaxViews)}
		}
		if err := tx.Where("id = ?", same).Delete(&SavedView{}).Error; err != nil {
			return fmt.Errorf("replace a view: %w", err)
		}
		if v.IsDefault {
			if err := noDefault(tx, by.MemberID); err != nil {
				return err
			}
		}
		v.ID, v.MemberID, v.CreatedAt = 0, by.MemberID, s.now().UTC()
		if err := tx.Create(&v).Error; err != nil {
			return fmt.Errorf("save a view: %w", err)
		}
		return s.trail.Record(tx, by, v.event("request.view.save"))
	})
}

func noDefault(tx *gorm.DB, memberID int64) error {
	if err := tx.Exec("UPDATE request_views SET is_default = ? WHERE member_id = ? AND is_default", false, memberID).Error; err != nil {
		return fmt.Errorf("change the default view: %w", err)
	}
	return nil
}

// ChangeView deletes a view of by's own, or makes it the default one or no
// longer: action is delete, default or plain. Any other is fault.NotFound.
func (s *Service) ChangeView(ctx context.Context, by access.Actor, id int64, action string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var v SavedView
		err := tx.Where("id = ? AND member_id = ?", id, by.MemberID).Take(&v).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return fault.NotFound
		} else if err != nil {
			return fmt.Errorf("read a view: %w", err)
		}
		if err := access.Check(by, access.RequestsDecide, access.Object{}); err != nil {
			return err
		}
		switch action {
		case "delete":
			err = tx.Where("id = ?", id).Delete(&SavedView{}).Error
		case "default", "plain":
			if err = noDefault(tx, by.MemberID); err == nil {
				err = tx.Model(&SavedView{}).Where("id = ?", id).Update("is_default", action == "default").Error
			}
		default:
			return fault.Invalid{"action": fault.Msg("queue.view.error.action")}
		}
		if err != nil {
			return fmt.Errorf("change a view: %w", err)
		}
		return s.trail.Record(tx, by, v.event("request.view."+map[string]string{"delete": "delete", "default": "save", "plain": "save"}[action]))
	})
}

func (v SavedView) event(action string) audit.Event {
	return audit.Event{Action: action, Object: audit.Object{Kind: "view", ID: strconv.FormatInt(v.ID, 10), Name: v.Name}}
}

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
)

// Decisions that a reason may be for.
const (
	Approving = "approve"
	Rejecting = "reject"
)

// MaxReasons is how many reasons may be offered for one decision.
const MaxReasons = 40

// maxListed bounds the text of a reason of the list, in characters.
const maxListed = 200

// Reason is one that deciders choose from. What was decided with it keeps the
// words of then, so that it may change or be retired at any time.
type Reason struct {
	ID        int64
	Decision  string // approve or reject
	TextZh    string
	TextEn    string
	Position  int
	CreatedBy *int64
	CreatedAt time.Time
	RetiredBy *int64
	RetiredAt *time.Time
}

// TableName is for gorm.
func (Reason) TableName() string { return "decision_reasons" }

// Text is the reason in one of the two languages.
func (r Reason) Text(english bool) string {
	if english {
		return r.TextEn
	}
	return r.TextZh
}

// ReasonDraft is what the form about a reason sends.
type ReasonDraft struct{ Decision, TextZh, TextEn string }

// Reasons are those to choose from, in their order.
func (s *Service) Reasons(ctx context.Context) (all []Reason, err error) {
	err = s.db.WithContext(ctx).Where("retired_at IS NULL").Order("decision, position, id").Find(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list reasons: %w", err)
	}
	return all, nil
}

// ReasonLine is a reason as the page that edits the list shows it.
type ReasonLine struct {
	Reason
	Used      bool // something was decided with it
	RetiredOf string
}

// AllReasons are the offered and the newest retired ones, for who edits the list.
func (s *Service) AllReasons(ctx context.Context, by access.Actor) (all []ReasonLine, err error) {
	if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
		return nil, err
	}
	err = s.db.WithContext(ctx).Raw(`SELECT d.*, coalesce(m.name, '') AS retired_of, EXISTS (SELECT 1 FROM request_decisions x WHERE x.reason_id = d.id) AS used
		FROM decision_reasons d LEFT JOIN members m ON m.id = d.retired_by
		ORDER BY CASE WHEN d.retired_at IS NULL THEN 0 ELSE 1 END, d.decision, d.position, d.id DESC LIMIT ?`, 5*MaxReasons).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list reasons: %w", err)
	}
	return all, nil
}

func (d *ReasonDraft) check() error {
	bad := fault.Invalid{}
	if d.Decision != Approving && d.Decision != Rejecting {
		bad["decision"] = fault.Msg("requests.error.decision")
	}
	for field, text := range map[string]*string{"text_zh": &d.TextZh, "text_en": &d.TextEn} {
		*text = oneLine(*text)
		switch n := utf8.RuneCountInString(*text); {
		case n == 0:
			bad[field] = fault.Msg("deciding.error.text.missing")
		case n > maxListed:
			bad[field] = fault.Msg("deciding.error.text.long", "Max", maxListed, "Have", n)
		}
	}
	return bad.Or()
}

// AddReason puts a reason at the end of its list.
func (s *Service) AddReason(ctx context.Context, by access.Actor, d ReasonDraft) error {
	return s.onReasons(ctx, by, func(tx *gorm.DB) (*Reason, string, error) {
		if err := d.check(); err != nil {
			return nil, "", err
		}
		var last struct{ N, Most int }
		err := tx.Raw("SELECT count(*) AS n, coalesce(max(position), 0) AS most FROM decision_reasons WHERE decision = ? AND retired_at IS NULL", d.Decision).Scan(&last).Error
		if err != nil {
			return nil, "", fmt.Errorf("count reasons: %w", err)
		}
		if last.N >= MaxReasons {
			return nil, "", fault.Invalid{"text_zh": fault.Msg("deciding.error.many", "Max", MaxReasons)}
		}
		r := Reason{Decision: d.Decision, TextZh: d.TextZh, TextEn: d.TextEn, Position: last.Most + 1, CreatedBy: &by.MemberID, CreatedAt: s.now().UTC()}
		if err := tx.Create(&r).Error; err != nil {
			return nil, "", fmt.Errorf("add a reason: %w", err)
		}
		return &r, "reason.add", nil
	})
}

// SaveReason changes the words of a reason that is offered.
func (s *Service) SaveReason(ctx context.Context, by access.Actor, id int64, d ReasonDraft) error {
	return s.onReasons(ctx, by, func(tx *gorm.DB) (*Reason, string, error) {
		r, err := offered(tx, id)
		if err != nil {
			return nil, "", err
		}
		d.Decision = r.Decision
		if err := d.check(); err != nil {
			return nil, "", err
		}
		r.TextZh, r.TextEn = d.TextZh, d.TextEn
		return r, "reason.change", tx.Model(&Reason{}).Where("id = ?", id).Updates(map[string]any{"text_zh": d.TextZh, "text_en": d.TextEn}).Error
	})
}

// RetireReason offers a reason no more.
func (s *Service) RetireReason(ctx context.Context, by access.Actor, id int64) error {
	return s.onReasons(ctx, by, func(tx *gorm.DB) (*Reason, string, error) {
		r, err := offered(tx, id)
		if err != nil {
			return nil, "", err
		}
		return r, "reason.retire", tx.Model(&Reason{}).Where("id = ?", id).Updates(map[string]any{"retired_at": s.now().UTC(), "retired_by": by.MemberID}).Error
	})
}

// MoveReason changes places with the reason before or after; at the end of the list it stays.
func (s *Service) MoveReason(ctx context.Context, by access.Actor, id int64, up bool) error {
	return s.onReasons(ctx, by, func(tx *gorm.DB) (*Reason, string, error) {
		r, err := offered(tx, id)
		if err != nil {
			return nil, "", err
		}
		past, order := "(position, id) > (?, ?)", "position, id"
		if up {
			past, order = "(position, id) < (?, ?)", "position DESC, id DESC"
		}
		var next []Reason
		err = tx.Where("decision = ? AND retired_at IS NULL AND "+past, r.Decision, r.Position, r.ID).Order(order).Limit(1).Find(&next).Error
		if err != nil || len(next) == 0 {
			return nil, "", err
		}
		for _, swap := range [][2]int64{{r.ID, int64(next[0].Position)}, {next[0].ID, int64(r.Position)}} {
			if err := tx.Model(&Reason{}).Where("id = ?", swap[0]).Update("position", swap[1]).Error; err != nil {
				return nil, "", fmt.Errorf("move a reason: %w", err)
			}
		}
		return r, "reason.move", nil
	})
}

// offered reads a reason that is not retired; a retired one is changed no more.
func offered(tx *gorm.DB, id int64) (*Reason, error) {
	var r Reason
	err := tx.Where("id = ?", id).Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fault.NotFound
	} else if err != nil {
		return nil, fmt.Errorf("read a reason: %w", err)
	}
	if r.RetiredAt != nil {
		return nil, fault.Conflict{Message: fault.Msg("deciding.error.retired")}
	}
	return &r, nil
}

// onReasons changes the list one after the other: who holds the organisation's
// row holds the list.
func (s *Service) onReasons(ctx context.Context, by access.Actor, do func(*gorm.DB) (*Reason, string, error)) error {
	if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
		return err
	}
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var held []int64
		if err := tx.Table("organisation").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Where("id = 1").Pluck("id", &held).Error; err != nil {
			return fmt.Errorf("hold the list of reasons: %w", err)
		}
		r, action, err := do(tx)
		if err != nil || r == nil {
			return err
		}
		return s.trail.Record(tx, by, audit.Event{Action: action, Object: audit.Object{Kind: "reason", ID: strconv.FormatInt(r.ID, 10), Name: r.TextZh},
			Details: map[string]any{"decision": r.Decision, "text_zh": r.TextZh, "text_en": r.TextEn}})
	})
}

// Told is what the applicant reads of why, in one of the two languages.
func (r Request) Told(english bool) string {
	if r.ReasonID == nil {
		return r.Reason
	}
	return strings.TrimSpace(Reason{TextZh: r.ReasonZh, TextEn: r.ReasonEn}.Text(english) + "\n" + r.ReasonFree)
}

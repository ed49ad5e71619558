package notify

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/i18n"
)

// Settings are how one member wants to be told. The bell has everything.
type Settings struct {
	MemberID  int64 `gorm:"primaryKey"`
	Mail      bool
	SMS       bool `gorm:"column:sms"`
	Digest    string
	QuietFrom string
	QuietTo   string
	Language  string // "" = the organisation's
	UpdatedAt time.Time
}

// TableName is for gorm.
func (Settings) TableName() string { return "notice_settings" }

// Digests are how often mail may come.
var Digests = []string{"now", "hourly", "daily"}

// SettingsPage is what the page about it shows.
type SettingsPage struct {
	Settings
	Address   string // the reader's mail address
	MailOn    bool   // there is a mail server
	SMSOn     bool   // text messages to members are on
	DailyMost int
}

// Settings reads the reader's own.
func (s *Service) Settings(ctx context.Context, by access.Actor) (SettingsPage, error) {
	tx := s.db.WithContext(ctx)
	p := SettingsPage{Settings: Settings{MemberID: by.MemberID, Mail: true, Digest: "now"}}
	var rows []Settings
	if err := tx.Where("member_id = ?", by.MemberID).Find(&rows).Error; err != nil {
		return p, fmt.Errorf("read how somebody is told: %w", err)
	}
	if len(rows) > 0 {
		p.Settings = rows[0]
	}
	me, err := loadPerson(tx, by.MemberID)
	if err != nil {
		return p, err
	}
	server, err := s.server(tx)
	if err != nil {
		return p, err
	}
	policies, err := directory.LoadPolicies(tx)
	p.Address, p.MailOn, p.SMSOn, p.DailyMost = me.Email, server != nil, policies.NoticeMemberSMS && s.opt.SMS != nil, policies.NoticePersonDaily
	return p, err
}

var clockTime = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d$`)

// SaveSettings changes the reader's own. Quiet hours are in the organisation's
// time zone; both ends or none.
func (s *Service) SaveSettings(ctx context.Context, by access.Actor, d Settings) error {
	wrong := fault.Invalid{}
	if !slices.Contains(Digests, d.Digest) {
		wrong["digest"] = fault.Msg("notices.settings.error.choice")
	}
	if d.Language != "" && !slices.Contains(i18n.Languages, d.Language) {
		wrong["language"] = fault.Msg("notices.settings.error.choice")
	}
	if (d.QuietFrom != "" || d.QuietTo != "") && (!clockTime.MatchString(d.QuietFrom) || !clockTime.MatchString(d.QuietTo) || d.QuietFrom == d.QuietTo) {
		wrong["quiet_from"] = fault.Msg("notices.settings.error.quiet")
	}
	if err := wrong.Or(); err != nil {
		return err
	}
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		d.MemberID, d.UpdatedAt = by.MemberID, s.now().UTC()
		if err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "member_id"}}, UpdateAll: true}).Create(&d).Error; err != nil {
			return fmt.Errorf("write how somebody is told: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "notices.settings", Object: audit.Object{Kind: "member", ID: fmt.Sprint(by.MemberID), Name: by.Name},
			Details: map[string]any{"mail": d.Mail, "sms": d.SMS, "digest": d.Digest}})
	})
}

package notify

import (
	"context"
	"fmt"
	"net/mail"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// mailSettings is the console's mail server; the password is sealed.
type mailSettings struct {
	ID        int `gorm:"primaryKey"`
	Host      string
	Port      int
	Security  string
	Username  string
	Password  []byte
	Sender    string
	UpdatedAt time.Time
}

func (mailSettings) TableName() string { return "mail_settings" }

const mailPurpose = "mail password"

// server is where mail goes: the environment's, else the console's, else nil.
func (s *Service) server(tx *gorm.DB) (*MailServer, error) {
	if s.opt.Mail != nil {
		return s.opt.Mail, nil
	}
	row, err := loadMail(tx)
	if err != nil || row == nil {
		return nil, err
	}
	m := &MailServer{Host: row.Host, Port: row.Port, Security: row.Security, Username: row.Username, Sender: row.Sender}
	if len(row.Password) > 0 {
		plain, err := s.keys.Open(mailPurpose, row.Password)
		if err != nil {
			return nil, fmt.Errorf("the mail server's password: %w", err)
		}
		m.Password = string(plain)
	}
	return m, nil
}

func loadMail(tx *gorm.DB) (*mailSettings, error) {
	var rows []mailSettings
	if err := tx.Limit(1).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read the mail server: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

// MailDraft is what the form says. The password is never shown: empty keeps it.
type MailDraft struct {
	Host, Port, Security, Username, Password, Sender string
}

// MailPage is what the page about the mail server shows.
type MailPage struct {
	Draft       MailDraft
	SetUp       bool
	HasPassword bool
	Environment bool // the environment says it, so the console cannot
	OwnAddress  string
}

// MailServer reads the mail server as its page shows it, without the password.
func (s *Service) MailServer(ctx context.Context, by access.Actor) (MailPage, error) {
	p := MailPage{Draft: MailDraft{Port: "587", Security: StartTLS}}
	if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
		return p, err
	}
	tx := s.db.WithContext(ctx)
	me, err := loadPerson(tx, by.MemberID)
	if err != nil {
		return p, err
	}
	p.OwnAddress = me.Email
	if m := s.opt.Mail; m != nil {
		p.SetUp, p.Environment, p.HasPassword = true, true, m.Password != ""
		p.Draft = MailDraft{Host: m.Host, Port: strconv.Itoa(m.Port), Security: m.Security, Username: m.Username, Sender: m.Sender}
		return p, nil
	}
	row, err := loadMail(tx)
	if err != nil || row == nil {
		return p, err
	}
	p.SetUp, p.HasPassword = true, len(row.Password) > 0
	p.Draft = MailDraft{Host: row.Host, Port: strconv.Itoa(row.Port), Security: row.Security, Username: row.Username, Sender: row.Sender}
	return p, nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$`)

// check cleans a draft and returns its port.
func (d *MailDraft) check() (int, error) {
	wrong := fault.Invalid{}
	for _, f := range []*string{&d.Host, &d.Port, &d.Username, &d.Sender} {
		*f = oneLine(*f)
	}
	if !hostName.MatchString(d.Host) {
		wrong["host"] = fault.Msg("notices.mail.error.host")
	}
	port, err := strconv.Atoi(d.Port)
	if err != nil || port < 1 || port > 65535 {
		wrong["port"] = fault.Msg("notices.mail.error.port")
	}
	if d.Security != StartTLS && d.Security != TLS && d.Security != Plain {
		wrong["security"] = fault.Msg("notices.mail.error.security")
	}
	if len(d.Username) > 254 {
		wrong["username"] = fault.Msg("notices.mail.error.long", "Max", 254)
	}
	if len(d.Password) > 500 || strings.ContainsAny(d.Password, "\r\n") {
		wrong["password"] = fault.Msg("notices.mail.error.long", "Max", 500)
	}
	if a, err := mail.ParseAddress(d.Sender); err != nil || len(d.Sender) > 254 || !strings.Contains(a.Address, "@") {
		wrong["sender"] = fault.Msg("notices.mail.error.sender")
	}
	return port, wrong.Or()
}

// SaveMail changes the mail server; an empty host removes it.
func (s *Service) SaveMail(ctx context.Context, by access.Actor, d MailDraft) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
			return err
		}
		if s.opt.Mail != nil {
			return fault.Conflict{Message: fault.Msg("notices.mail.error.environment")}
		}
		was, err := loadMail(tx)
		if err != nil {
			return err
		}
		if strings.TrimSpace(d.Host) == "" && was != nil {
			if err := tx.Where("id = 1").Delete(&mailSettings{}).Error; err != nil {
				return fmt.Errorf("remove the mail server: %w", err)
			}
			return s.trail.Record(tx, by, audit.Event{Action: "mail.remove", Object: audit.Object{Kind: "organisation", ID: "1"}})
		}
		port, err := d.check()
		if err != nil {
			return err
		}
		row := mailSettings{ID: 1, Host: d.Host, Port: port, Security: d.Security, Username: d.Username, Sender: d.Sender, UpdatedAt: s.now().UTC()}
		switch {
		case d.Password != "":
			row.Password = s.keys.Seal(mailPurpose, []byte(d.Password))
		case was != nil && was.Host == d.Host && was.Username == d.Username && d.Username != "":
			row.Password = was.Password // never to another server than it was typed for
		}
		if err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, UpdateAll: true}).Create(&row).Error; err != nil {
			return fmt.Errorf("write the mail server: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "mail.save", Object: audit.Object{Kind: "organisation", ID: "1"},
			Details: map[string]any{"host": d.Host, "port": port, "security": d.Security, "password_changed": d.Password != ""}})
	})
}

// noteTest writes down that somebody tried the mail server, at most one in ten seconds.
func (s *Service) noteTest(ctx context.Context, by access.Actor) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		now := s.now().UTC()
		done := tx.Exec(`INSERT INTO throttles (key, window_start, hits) VALUES ('mail test', ?, 1)
			ON CONFLICT (key) DO UPDATE SET window_start = excluded.window_start WHERE throttles.window_start <= ?`, now, now.Add(-10*time.Second))
		if done.Error != nil {
			return fmt.Errorf("count the tests: %w", done.Error)
		} else if done.RowsAffected == 0 {
			return fault.TooMany{Message: fault.Msg("notices.mail.error.soon"), After: 10 * time.Second}
		}
		return s.trail.Record(tx, by, audit.Event{Action: "mail.test", Object: audit.Object{Kind: "organisation", ID: "1"}})
	})
}

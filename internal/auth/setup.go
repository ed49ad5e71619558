package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/secret"
)

// CheckKey compares the secret key with the one this database was first used
// with, and remembers it the first time. Its error is one sentence for the
// person who starts the server.
func (s *Service) CheckKey(ctx context.Context) error {
	mine := s.keys.Fingerprint()
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := s.ensureOrganisation(tx); err != nil {
			return err
		}
		err := tx.Model(&directory.Organisation{}).Where("id = 1 AND key_fingerprint = ''").Update("key_fingerprint", mine).Error
		if err != nil {
			return fmt.Errorf("keep the key's fingerprint: %w", err)
		}
		o, err := directory.LoadOrganisation(tx)
		if err != nil {
			return err
		}
		if o.KeyFingerprint != mine {
			return fmt.Errorf("DOORPLATE_SECRET_KEY is not the key this database was first used with: "+
				"start with that key, or restore secret.key in the data dir from the backup (fingerprint of this key %s, of the database's %s)",
				mine[:8], clip(o.KeyFingerprint, 8))
		}
		return nil
	})
}

func (s *Service) ensureOrganisation(tx *gorm.DB) error {
	err := tx.Exec(`INSERT INTO organisation (id, key_fingerprint, created_at) VALUES (1, ?, ?) ON CONFLICT (id) DO NOTHING`,
		s.keys.Fingerprint(), s.now().UTC()).Error
	if err != nil {
		return fmt.Errorf("make the organisation's row: %w", err)
	}
	return nil
}

// SetupToken returns a fresh token for the first-run page, or "" when the
// organisation is set up. Only the newest token counts.
func (s *Service) SetupToken(ctx context.Context) (token string, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := s.ensureOrganisation(tx); err != nil {
			return err
		}
		fresh := secret.Token(24)
		done := tx.Model(&directory.Organisation{}).Where("id = 1 AND set_up_at IS NULL").
			Update("setup_token_hash", s.keys.Hash("setup", fresh))
		if done.Error != nil {
			return fmt.Errorf("keep the set-up token: %w", done.Error)
		}
		if done.RowsAffected == 1 {
			token = fresh
		}
		return nil
	})
	return token, err
}

// CheckSetup answers fault.NotFound unless token opens the first-run page now.
func (s *Service) CheckSetup(ctx context.Context, token string) error {
	o, err := directory.LoadOrganisation(s.db.WithContext(ctx))
	if err != nil {
		return err
	}
	if o.SetUpAt != nil || o.SetupTokenHash == "" || o.SetupTokenHash != s.keys.Hash("setup", token) {
		return fault.NotFound
	}
	return nil
}

// FirstRun is what the first-run page asks for.
type FirstRun struct {
	Organisation, Timezone, Language string
	Name, Phone, Password            string
}

// SetUp names the organisation, makes its root department and its first super
// admin, and signs that person in. fault.NotFound for a wrong or spent token;
// fault.Invalid per field.
func (s *Service) SetUp(ctx context.Context, token string, in FirstRun, from From) (session string, err error) {
	if err := s.CheckSetup(ctx, token); err != nil {
		return "", err
	}
	if err := in.clean(); err != nil {
		return "", err
	}
	hash, err := HashPassword(ctx, in.Password)
	if err != nil {
		return "", err
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := s.claimSetup(tx, token, in); err != nil {
			return err
		}
		memberID, err := s.firstAdmin(tx, in, hash)
		if err != nil {
			return err
		}
		by, err := directory.LoadActor(tx, memberID, s.now())
		if err != nil {
			return err
		}
		by.Address, by.Device = from.Address, from.Device
		err = s.trail.Record(tx, by, audit.Event{Action: "auth.setup", Object: audit.Object{Kind: "organisation", ID: "1", Name: in.Organisation}, DepartmentPath: home(by)})
		if err != nil {
			return err
		}
		session, err = s.admit(tx, memberID, "setup", from)
		return err
	})
	return session, err
}

func (in *FirstRun) clean() error {
	wrong := fault.Invalid{}
	in.Organisation = checkName("organisation", in.Organisation, wrong)
	in.Name = checkName("name", in.Name, wrong)
	if _, err := time.LoadLocation(in.Timezone); err != nil || in.Timezone == "" || in.Timezone == "Local" {
		wrong["timezone"] = fault.Msg("auth.setup.timezone.wrong")
	}
	if in.Language != "en" {
		in.Language = "zh-CN"
	}
	phone, ok := directory.ParsePhone(in.Phone)
	if !ok {
		wrong["phone"] = fault.Msg("auth.phone.wrong")
	} else {
		in.Phone = phone
	}
	checkPassword(in.Password, wrong)
	return wrong.Or()
}

// nameMax is how many characters a name has at most.
const nameMax = 60

func checkName(field, text string, wrong fault.Invalid) string {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		wrong[field] = fault.Msg("auth.name.missing")
	case utf8.RuneCountInString(text) > nameMax:
		wrong[field] = fault.Msg("auth.name.long", "Max", nameMax)
	case strings.ContainsFunc(text, unicode.IsControl):
		wrong[field] = fault.Msg("auth.name.control")
	}
	return text
}

// claimSetup closes the first-run page; of two who submit it one wins.
func (s *Service) claimSetup(tx *gorm.DB, token string, in FirstRun) error {
	done := tx.Model(&directory.Organisation{}).
		Where("id = 1 AND set_up_at IS NULL AND setup_token_hash = ?", s.keys.Hash("setup", token)).
		Updates(map[string]any{"name": in.Organisation, "timezone": in.Timezone, "language": in.Language, "set_up_at": s.now().UTC(), "setup_token_hash": ""})
	if done.Error != nil {
		return fmt.Errorf("set up the organisation: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return fault.NotFound
	}
	return nil
}

// firstAdmin makes the root department and its first member.
func (s *Service) firstAdmin(tx *gorm.DB, in FirstRun, passwordHash string) (int64, error) {
	now := s.now().UTC()
	root := directory.Department{Name: in.Organisation, CreatedAt: now}
	if err := tx.Create(&root).Error; err != nil {
		return 0, fmt.Errorf("make the root department: %w", err)
	}
	if err := tx.Model(&root).Update("path", fmt.Sprintf("/%d/", root.ID)).Error; err != nil {
		return 0, fmt.Errorf("make the root department: %w", err)
	}
	m := directory.Member{Name: in.Name, Phone: in.Phone, Status: directory.Active, SuperAdmin: true, PasswordHash: passwordHash, CreatedAt: now, UpdatedAt: now}
	m.Index()
	if err := tx.Create(&m).Error; err != nil {
		return 0, fmt.Errorf("make the first admin: %w", err)
	}
	err := tx.Exec(`INSERT INTO member_departments (member_id, department_id) VALUES (?, ?)`, m.ID, root.ID).Error
	if err != nil {
		return 0, fmt.Errorf("place the first admin: %w", err)
	}
	return m.ID, nil
}

// demoAdmin is the demo organisation's super admin.
const demoAdmin = "+8613800000001"

// SetUpDemo fills the empty database with the demo organisation instead and
// signs in as its super admin. fault.NotFound for a wrong or spent token.
func (s *Service) SetUpDemo(ctx context.Context, token string, fill func(context.Context) error, from From) (session string, err error) {
	if err := s.CheckSetup(ctx, token); err != nil {
		return "", err
	}
	if err := fill(ctx); err != nil {
		if gone := s.CheckSetup(ctx, token); errors.Is(gone, fault.NotFound) {
			return "", fault.NotFound // somebody else set up meanwhile
		}
		return "", fmt.Errorf("fill the demo: %w", err)
	}
	m, cause, err := s.holder(ctx, demoAdmin)
	if err != nil {
		return "", err
	}
	if cause != "" {
		return "", fmt.Errorf("the demo's super admin: %s", cause)
	}
	return s.open(ctx, m.ID, "demo", from)
}

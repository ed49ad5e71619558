package join

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"unicode/utf8"

	"gorm.io/gorm"
)

const draftSeal = "join draft"

// maxDraft bounds one field of a draft in characters: what is too long for its
// field comes back to be shortened.
const maxDraft = 4000

// Draft is what a visitor typed and has not sent yet, by the names of the form's
// fields. Passwords, digits of phones and codes sent to them are never in it.
type Draft map[string]string

// draftFields are kept beside the keys of a questionnaire.
var draftFields = map[string]bool{"name": true, "note": true, "company": true, FieldAnswer: true, FieldInvite: true, FieldEmail: true}

// QuestionKey reports whether a form's field is one of a questionnaire.
func QuestionKey(name string) bool {
	if len(name) < 2 || len(name) > 6 || name[0] != 'q' {
		return false
	}
	for _, r := range name[1:] {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

// KeepDraft lays typed fields over the visit's draft: a phone call, a dead
// battery or a form that comes back loses nothing. An empty field is taken away.
// A missing or overdue cookie is fault.Gone. req: C54
func (s *Service) KeepDraft(ctx context.Context, cookie string, typed Draft) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		session, err := s.sessionOf(tx, cookie)
		if err != nil {
			return err
		}
		was := s.openDraft(session)
		is := maps.Clone(was)
		for name, value := range typed {
			if !draftFields[name] && !QuestionKey(name) || len(is) >= 32 && is[name] == "" {
				continue
			}
			if is[name] = clip(value); is[name] == "" {
				delete(is, name)
			}
		}
		if maps.Equal(was, is) {
			return nil
		}
		return s.writeDraft(tx, session.ID, is)
	})
}

func (s *Service) sessionOf(tx *gorm.DB, cookie string) (Session, error) {
	var session Session
	err := tx.Where("secret_hash = ? AND expires_at > ?", s.hash(cookie), s.now().UTC()).Take(&session).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || cookie == "" {
		return session, Again
	} else if err != nil {
		return session, fmt.Errorf("read join session: %w", err)
	}
	return session, nil
}

// openDraft is the session's draft; one that cannot be read is none.
func (s *Service) openDraft(session Session) Draft {
	d := Draft{}
	if len(session.Draft) == 0 {
		return d
	}
	plain, err := s.keys.Open(draftSeal, session.Draft)
	if err != nil || json.Unmarshal(plain, &d) != nil {
		return Draft{}
	}
	return d
}

func (s *Service) writeDraft(tx *gorm.DB, sessionID int64, d Draft) error {
	var sealed []byte
	if len(d) > 0 {
		plain, err := json.Marshal(d)
		if err != nil {
			return fmt.Errorf("write the draft: %w", err)
		}
		sealed = s.keys.Seal(draftSeal, plain)
	}
	if err := tx.Model(&Session{}).Where("id = ?", sessionID).Update("draft", sealed).Error; err != nil {
		return fmt.Errorf("keep the draft: %w", err)
	}
	return nil
}

// CarryDraft gives a fresh visit to the same code what the browser's older visit
// had typed: who scans once more after a call goes on where they were.
func (s *Service) CarryDraft(ctx context.Context, older, fresh string) error {
	if older == "" || older == fresh {
		return nil
	}
	err := s.db.WithContext(ctx).Exec(`UPDATE join_sessions SET draft = (SELECT o.draft FROM join_sessions o WHERE o.secret_hash = ?)
		WHERE secret_hash = ? AND draft IS NULL AND EXISTS (SELECT 1 FROM join_sessions o WHERE o.secret_hash = ? AND o.code_id = join_sessions.code_id AND o.draft IS NOT NULL
			AND o.expires_at > ?)`, s.hash(older), s.hash(fresh), s.hash(older), s.now().UTC()).Error
	if err != nil {
		return fmt.Errorf("carry the draft over: %w", err)
	}
	return nil
}

// clip bounds a value and drops what a database cannot keep.
func clip(text string) string {
	if !utf8.ValidString(text) {
		return ""
	}
	if runes := []rune(text); len(runes) > maxDraft {
		return string(runes[:maxDraft])
	}
	return text
}

// forget drops the draft of a form that has been sent.
func (s *Service) forget(tx *gorm.DB, v visit) error {
	if len(v.session.Draft) == 0 {
		return nil
	}
	return s.writeDraft(tx, v.session.ID, nil)
}

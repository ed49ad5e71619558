package notify

import (
	"context"
	"errors"
	"fmt"

	"doorplate/internal/directory"
)

// sendText hands a text message to the same sender as sign-in codes go through.
func (s *Service) sendText(ctx context.Context, m *Message) error {
	if s.opt.SMS == nil {
		return final{errors.New("no text messages are sent")}
	}
	db := s.db.WithContext(ctx)
	org, err := directory.LoadOrganisation(db)
	if err != nil {
		return err
	}
	lang, phone := org.Language, ""
	if m.MemberID != nil {
		p, err := loadPerson(db, *m.MemberID)
		if err != nil {
			return err
		} else if p.unknown {
			return errDeparted
		}
		lang, phone = language(p.Language, org.Language), p.Phone
	} else if err := db.Raw("SELECT phone FROM guests WHERE id = ?", *m.GuestID).Scan(&phone).Error; err != nil {
		return fmt.Errorf("read the guest: %w", err)
	}
	if phone == "" {
		return errDeparted
	}
	title, _ := Line{Kind: m.Kind, Args: m.Args, Times: m.Times}.Say(lang)
	return s.opt.SMS.Send(ctx, SMS{ID: m.UID, To: phone, Text: org.Name + ": " + title, Lang: lang, For: "notice"})
}

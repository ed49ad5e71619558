package code

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/qr"
)

// photoSide is the longer side of a kept photo: enough to recognise a place.
const photoSide = 960

// CopyEdit is the form of one copy. Photo is the upload; DropPhoto takes the old one away.
type CopyEdit struct {
	CopyForm
	Photo     []byte
	DropPhoto bool
}

// EditCopy changes where a copy hangs, who looks after it and its channel, also
// when its code is over: somebody has to find it.
func (s *Service) EditCopy(ctx context.Context, by access.Actor, publicID string, serial int, edit CopyEdit) error {
	photo, broken := redraw(edit.Photo)
	return s.onCopy(ctx, by, publicID, serial, func(tx *gorm.DB, f Facts, l CopyLine) error {
		wrong := fault.Invalid{}
		if broken != nil {
			wrong["photo"] = *broken
		}
		k, err := describe(tx, f.ID, edit.CopyForm, l.Copy, wrong)
		if oneLine(edit.Custodian) == l.CustodianTyped() { // untouched: still the same person
			delete(wrong, "custodian")
			k.Custodian, k.CustodianID = l.Custodian, l.CustodianID
		}
		if err := errors.Join(err, wrong.Or()); err != nil {
			return err
		}
		if err := s.keepPhoto(tx, &k, photo, edit.DropPhoto); err != nil {
			return err
		}
		err = tx.Model(&Copy{}).Where("id = ?", k.ID).Updates(map[string]any{"place": k.Place, "custodian": k.Custodian,
			"custodian_id": k.CustodianID, "channel_id": k.ChannelID, "photo_file_id": k.PhotoFileID}).Error
		if err != nil {
			return fmt.Errorf("edit copy: %w", err)
		}
		if l.PhotoFileID != nil && (k.PhotoFileID == nil || *k.PhotoFileID != *l.PhotoFileID) {
			if err := tx.Exec("DELETE FROM files WHERE id = ?", *l.PhotoFileID).Error; err != nil {
				return fmt.Errorf("delete the old photo: %w", err)
			}
		}
		return s.trail.Record(tx, by, event("code.copy.edit", f, map[string]any{"serial": serial, "place": k.Place, "photo": k.PhotoFileID != nil}))
	})
}

// redraw makes of an upload what is kept of it, or says what is wrong with it.
func redraw(upload []byte) ([]byte, *fault.Message) {
	if len(upload) == 0 {
		return nil, nil
	}
	photo, err := qr.Photo(upload, photoSide)
	key := "copies.error.photo.broken"
	switch {
	case err == nil:
		return photo, nil
	case errors.Is(err, qr.ErrTooLarge):
		key = "copies.error.photo.large"
	case errors.Is(err, qr.ErrKind):
		key = "copies.error.photo.kind"
	}
	m := fault.Msg(key)
	return nil, &m
}

func (s *Service) keepPhoto(tx *gorm.DB, k *Copy, photo []byte, drop bool) error {
	if drop {
		k.PhotoFileID = nil
	}
	if len(photo) == 0 {
		return nil
	}
	sum := sha256.Sum256(photo)
	var id int64
	err := tx.Raw("INSERT INTO files (sha256, content_type, content, created_at) VALUES (?, 'image/jpeg', ?, ?) RETURNING id",
		hex.EncodeToString(sum[:]), photo, s.now().UTC()).Scan(&id).Error
	if err != nil {
		return fmt.Errorf("keep the photo: %w", err)
	}
	k.PhotoFileID = &id
	return nil
}

// CopyPhoto is the photo of a copy, for those who may see the code.
func (s *Service) CopyPhoto(ctx context.Context, by access.Actor, publicID string, serial int) (group.Picture, error) {
	tx := s.db.WithContext(ctx)
	f, err := Reach(tx, by, access.CodeDownload, publicID)
	if err != nil {
		return group.Picture{}, err
	}
	l, err := s.copyLine(tx, f.ID, serial)
	if err != nil {
		return group.Picture{}, err
	}
	return group.LoadPicture(tx, l.PhotoFileID)
}

// RevokeCopy ends one copy for good; the code and all other copies go on. Of
// several people one wins, the others learn who (fault.Conflict). req: C34
func (s *Service) RevokeCopy(ctx context.Context, by access.Actor, publicID string, serial int, reason string) error {
	return s.onCopy(ctx, by, publicID, serial, func(tx *gorm.DB, f Facts, l CopyLine) error {
		reason, err := checkReason(reason, true)
		if err != nil {
			return err
		}
		if l.RevokedAt != nil {
			return whoWas(tx, "copies.conflict.revoked", l.RevokedBy, *l.RevokedAt)
		}
		if err := refuseOver(tx, f); err != nil {
			return err
		}
		err = tx.Exec("UPDATE code_copies SET revoked_at = ?, revoked_by = ?, revoke_reason = ? WHERE id = ? AND revoked_at IS NULL",
			s.now().UTC(), by.MemberID, reason, l.ID).Error
		if err != nil {
			return fmt.Errorf("revoke copy: %w", err)
		}
		return s.trail.Record(tx, by, event("code.copy.revoke", f, map[string]any{"serial": serial, "place": l.Place, "reason": reason}))
	})
}

// RemoveCopy notes that a copy was taken down, or, with back, that it hangs
// again. It says nothing about whether it works. What changed while it was down
// did not mark it, so it is in doubt from then on.
func (s *Service) RemoveCopy(ctx context.Context, by access.Actor, publicID string, serial int, back bool) error {
	return s.onCopy(ctx, by, publicID, serial, func(tx *gorm.DB, f Facts, l CopyLine) error {
		action, at, who := "code.copy.remove", any(s.now().UTC()), any(by.MemberID)
		switch {
		case !back && l.RemovedAt != nil:
			return whoWas(tx, "copies.conflict.removed", l.RemovedBy, *l.RemovedAt)
		case back && l.RemovedAt == nil:
			return fault.Conflict{Message: fault.Msg("copies.conflict.hangs")}
		case back:
			action, at, who = "code.copy.hang", nil, nil
		}
		if err := tx.Exec("UPDATE code_copies SET removed_at = ?, removed_by = ?, doubtful = true WHERE id = ?", at, who, l.ID).Error; err != nil {
			return fmt.Errorf("take down copy: %w", err)
		}
		return s.trail.Record(tx, by, event(action, f, map[string]any{"serial": serial, "place": l.Place}))
	})
}

// onCopy opens the transaction, takes the code's row, checks the right under it
// and reads the copy.
func (s *Service) onCopy(ctx context.Context, by access.Actor, publicID string, serial int, do func(*gorm.DB, Facts, CopyLine) error) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		f, err := s.touch(tx, by, publicID)
		if err != nil {
			return err
		}
		l, err := s.copyLine(tx, f.ID, serial)
		if err != nil {
			return err
		}
		return do(tx, f, l)
	})
}

// whoWas says who was first, and when.
func whoWas(tx *gorm.DB, key string, by *int64, at time.Time) error {
	c := fault.Conflict{Message: fault.Msg(key), At: at}
	if by != nil {
		var err error
		if c.By, err = nameOf(tx, *by); err != nil {
			return err
		}
	}
	return c
}

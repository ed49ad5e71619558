package group

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/qr"
)

// EntryView is how somebody who was let in gets into the real chat.
type EntryView struct {
	Kind       string
	URL        string     // the link, or what the upstream image decodes to
	ValidUntil *time.Time // of an upstream image
	FileID     *int64     // of an upstream image; see LoadPicture
}

// Expired reports whether the upstream image is past its date: it must not be
// shown any more, and somebody has to bring a new one.
func (e EntryView) Expired(now time.Time) bool {
	return e.Kind == EntryUpstream && (e.FileID == nil || e.ValidUntil == nil || !now.Before(*e.ValidUntil))
}

// Entry is g's way in. Whether the asker may see it is the caller's to decide.
func Entry(g Group) EntryView {
	switch g.EntryKind {
	case EntryLink:
		return EntryView{Kind: EntryLink, URL: g.EntryURL}
	case EntryUpstream:
		return EntryView{Kind: EntryUpstream, URL: g.EntryURL, ValidUntil: g.EntryValidUntil, FileID: g.EntryFileID}
	}
	return EntryView{Kind: EntryNone}
}

// Picture is an uploaded image.
type Picture struct {
	ContentType string
	Content     []byte
}

// LoadPicture reads a stored image; fault.NotFound when there is none.
func LoadPicture(tx *gorm.DB, fileID *int64) (Picture, error) {
	if fileID == nil {
		return Picture{}, fault.NotFound
	}
	var p Picture
	err := tx.Table("files").Select("content_type", "content").Where("id = ?", *fileID).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return p, fault.NotFound
	} else if err != nil {
		return p, fmt.Errorf("load picture: %w", err)
	}
	return p, nil
}

// EntryPicture is the upstream image of a group, for those who may change its
// settings. Everybody but the uploader leaves an audit entry.
func (s *Service) EntryPicture(ctx context.Context, by access.Actor, gid string) (p Picture, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, o, err := find(tx, by, gid)
		if err != nil {
			return err
		}
		if err := access.Check(by, access.GroupSettings, o); err != nil {
			return err
		}
		if p, err = LoadPicture(tx, g.EntryFileID); err != nil {
			return err
		}
		if g.EntryBy != nil && *g.EntryBy == by.MemberID {
			return nil
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.entry.view", Object: g.audited(), DepartmentPath: g.DepartmentPath})
	})
	return p, err
}

// readCode decodes an uploaded upstream image and says in words what is wrong with it.
func readCode(image []byte) (string, *fault.Message) {
	content, err := qr.Decode(image)
	var key string
	switch {
	case err == nil:
		return content, nil
	case errors.Is(err, qr.ErrTooLarge):
		key = "groups.error.image.large"
	case errors.Is(err, qr.ErrNoCode):
		key = "groups.error.image.nocode"
	case errors.Is(err, qr.ErrKind):
		key = "groups.error.image.kind"
	default:
		key = "groups.error.image.broken"
	}
	m := fault.Msg(key)
	return "", &m
}

type file struct {
	ID          int64
	SHA256      string `gorm:"column:sha256"`
	ContentType string
	Content     []byte
	CreatedAt   time.Time
}

func (file) TableName() string { return "files" }

// storePicture keeps an image that readCode accepted.
func storePicture(tx *gorm.DB, image []byte, at time.Time) (*int64, error) {
	sum := sha256.Sum256(image)
	f := file{SHA256: hex.EncodeToString(sum[:]), ContentType: http.DetectContentType(image), Content: image, CreatedAt: at}
	if err := tx.Create(&f).Error; err != nil {
		return nil, fmt.Errorf("store picture: %w", err)
	}
	return &f.ID, nil
}

package group

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/qr"
)

// EntryView is how somebody who was let in gets into the real chat.
type EntryView struct {
	Kind       string
	URL        string     // the link, or what the upstream image decodes to
	ValidUntil *time.Time // of the current upstream image, or of the last one there was
	FileID     *int64     // of an upstream image; see LoadPicture
	ImageID    int64      // of an upstream image
	AddedBy    *int64     // who uploaded it
	Spares     int        // images that work behind the current one
	Lasts      *time.Time // the end of the last image that works; nil when none does
	Soon       bool       // Lasts is near enough for a reminder
	Missing    bool       // the group is one of a series whose others have an entry; this one has none yet
	Number     int        // on the list of those who wait for a new image; 0 = not waiting
}

// Expired reports whether no upstream image works: none must be shown, and
// somebody has to bring a new one.
func (e EntryView) Expired(now time.Time) bool {
	return e.Kind == EntryUpstream && (e.FileID == nil || e.Lasts == nil || e.ValidUntil == nil || !now.Before(*e.ValidUntil))
}

// Trouble says what is wrong with the way in: "", "soon" or "expired".
func (e EntryView) Trouble(now time.Time) string {
	switch {
	case e.Kind != EntryUpstream:
		return ""
	case e.Expired(now):
		return "expired"
	case e.Soon:
		return "soon"
	}
	return ""
}

// Entry is g's way in at a moment: the one place that says which image of its
// pool is the current one. Whether the asker may see it is the caller's to decide.
func Entry(tx *gorm.DB, g Group, now time.Time) (EntryView, error) {
	all := []Group{g}
	err := fillEntries(tx, all, now)
	return all[0].Way, err
}

// fillEntries is Entry for many groups with two statements.
func fillEntries(tx *gorm.DB, groups []Group, now time.Time) error {
	var upstream, series []int64
	for i, g := range groups {
		groups[i].Way = EntryView{Kind: g.EntryKind}
		switch {
		case g.EntryKind == EntryLink:
			groups[i].Way.URL = g.EntryURL
		case g.EntryKind == EntryUpstream:
			upstream = append(upstream, g.ID)
		case g.SeriesID != nil:
			series = append(series, *g.SeriesID)
		}
	}
	if err := fillMissing(tx, groups, series); err != nil || len(upstream) == 0 {
		return err
	}
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return err
	}
	pools, err := poolsOf(tx, upstream)
	if err != nil {
		return err
	}
	warn := now.Add(time.Duration(policies.UpstreamWarnHours) * time.Hour)
	for i, g := range groups {
		if g.EntryKind == EntryUpstream {
			groups[i].Way = pools[g.ID].view(now, warn)
		}
	}
	return nil
}

// fillMissing marks the groups of a series that nobody has given an entry yet.
func fillMissing(tx *gorm.DB, groups []Group, series []int64) error {
	if len(series) == 0 {
		return nil
	}
	var hung []int64
	err := tx.Table("groups").Distinct("series_id").Where("series_id IN ? AND entry_kind <> 'none'", series).Pluck("series_id", &hung).Error
	if err != nil {
		return fmt.Errorf("look for entries in the series: %w", err)
	}
	for i, g := range groups {
		groups[i].Way.Missing = g.EntryKind == EntryNone && g.SeriesID != nil && slices.Contains(hung, *g.SeriesID)
	}
	return nil
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

// EntryPicture is an image of a group's pool, for those who may replace it;
// imageID 0 is the current one. Everybody but the uploader leaves an audit entry.
func (s *Service) EntryPicture(ctx context.Context, by access.Actor, gid string, imageID int64) (p Picture, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, o, err := find(tx, by, gid)
		if err != nil {
			return err
		}
		if err := access.Check(by, access.GroupEntry, o); err != nil {
			return err
		}
		img, err := s.pictured(tx, g, imageID)
		if err != nil {
			return err
		}
		if p, err = LoadPicture(tx, img.FileID); err != nil {
			return err
		}
		if img.AddedBy != nil && *img.AddedBy == by.MemberID {
			return nil
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.entry.view", Object: g.audited(), DepartmentPath: g.DepartmentPath})
	})
	return p, err
}

func (s *Service) pictured(tx *gorm.DB, g Group, imageID int64) (EntryView, error) {
	if imageID == 0 {
		return Entry(tx, g, s.now())
	}
	img, err := imageByID(tx, g.ID, imageID)
	return EntryView{FileID: &img.FileID, AddedBy: img.AddedBy}, err
}

// readCode decodes an uploaded upstream image and says in words what is wrong with it.
func readCode(image []byte) (string, *fault.Message) {
	content, cause := decoded(image)
	if cause == "" {
		return content, nil
	}
	m := fault.Msg("groups.error.image." + cause)
	return "", &m
}

// decoded is what an upstream image says, or why nothing can be read.
func decoded(image []byte) (content, cause string) {
	content, err := qr.Decode(image)
	switch {
	case err == nil && len(content) > maxEntryURL:
		return "", "nocode"
	case err == nil:
		return content, ""
	case errors.Is(err, qr.ErrTooLarge):
		return "", "large"
	case errors.Is(err, qr.ErrNoCode):
		return "", "nocode"
	case errors.Is(err, qr.ErrKind):
		return "", "kind"
	}
	return "", "broken"
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

package group

import (
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Image is one upstream image of a group: a picture of a code that dies by
// itself. The pool is in order of position.
type Image struct {
	ID         int64
	GroupID    int64
	FileID     int64
	URL        string
	Position   int
	ValidUntil time.Time
	MaxUses    int // it is shown to so many people; 0 = to any number
	Uses       int
	AddedBy    *int64
	AddedAt    time.Time
	DeadAt     *time.Time
	DeadBy     *int64
	DeadReason string

	AddedName string `gorm:"->;-:migration"` // read with Images
	DeadName  string `gorm:"->;-:migration"`
}

// TableName is for gorm.
func (Image) TableName() string { return "entry_images" }

// worksSQL is Image.Works for an image i; its argument is the moment.
const worksSQL = "i.dead_at IS NULL AND (i.max_uses = 0 OR i.uses < i.max_uses) AND i.valid_until > ?"

// Works reports whether the image may be shown to somebody new.
func (i Image) Works(now time.Time) bool {
	return i.holds(now) && (i.MaxUses == 0 || i.Uses < i.MaxUses)
}

// holds reports whether the image still leads somewhere, be it used up: those who were shown it keep it.
func (i Image) holds(now time.Time) bool { return i.DeadAt == nil && i.ValidUntil.After(now) }

// State is what an image is worth: live, used, expired, dead.
func (i Image) State(now time.Time) string {
	switch {
	case i.DeadAt != nil:
		return "dead"
	case !i.ValidUntil.After(now):
		return "expired"
	case !i.Works(now):
		return "used"
	}
	return "live"
}

// pool is the images of one group in order.
type pool []Image

// poolOf reads every image a group ever had.
func poolOf(tx *gorm.DB, groupID int64) (pool, error) {
	var all pool
	if err := tx.Where("group_id = ?", groupID).Order("position, id").Find(&all).Error; err != nil {
		return nil, fmt.Errorf("read chat images: %w", err)
	}
	return all, nil
}

// poolsOf reads the images of several groups that nobody declared dead.
func poolsOf(tx *gorm.DB, groupIDs []int64) (map[int64]pool, error) {
	var all []Image
	if err := tx.Where("group_id IN ? AND dead_at IS NULL", groupIDs).Order("group_id, position, id").Find(&all).Error; err != nil {
		return nil, fmt.Errorf("read chat images: %w", err)
	}
	out := make(map[int64]pool, len(groupIDs))
	for _, i := range all {
		out[i.GroupID] = append(out[i.GroupID], i)
	}
	return out, nil
}

// current is the first image that works.
func (p pool) current(now time.Time) (Image, bool) {
	for _, i := range p {
		if i.Works(now) {
			return i, true
		}
	}
	return Image{}, false
}

// view says which image is the current one and how long the pool lasts. Without
// a current one it names the end of the last that there was.
func (p pool) view(now, warn time.Time) EntryView {
	v := EntryView{Kind: EntryUpstream}
	for _, i := range p {
		switch {
		case i.Works(now) && v.Lasts == nil:
			v.show(i)
			v.Lasts = &i.ValidUntil
		case i.Works(now):
			v.Spares++
			if i.ValidUntil.After(*v.Lasts) {
				v.Lasts = &i.ValidUntil
			}
		case v.Lasts == nil && (v.ValidUntil == nil || i.ValidUntil.After(*v.ValidUntil)):
			v.show(i)
		}
	}
	v.Soon = v.Lasts != nil && !v.Lasts.After(warn)
	return v
}

func (v *EntryView) show(i Image) {
	v.URL, v.ValidUntil, v.FileID, v.ImageID, v.AddedBy = i.URL, &i.ValidUntil, &i.FileID, i.ID, i.AddedBy
}

// refuses says why an image with this content cannot be added: the group has or had it.
func (p pool) refuses(content string) *fault.Message {
	for _, i := range p {
		if i.URL != content {
			continue
		}
		m := fault.Msg("groups.error.image.same")
		if i.DeadAt != nil {
			m = fault.Msg("live.pool.error.wasdead")
		}
		return &m
	}
	return nil
}

func imageByID(tx *gorm.DB, groupID, id int64) (Image, error) {
	var i Image
	err := tx.Where("id = ? AND group_id = ?", id, groupID).Take(&i).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return i, fault.NotFound
	} else if err != nil {
		return i, fmt.Errorf("read a chat image: %w", err)
	}
	return i, nil
}

// edges are the lowest and the highest position; 0 and 0 of an empty pool.
func (p pool) edges() (first, last int) {
	if len(p) == 0 {
		return 0, 0
	}
	return p[0].Position, p[len(p)-1].Position
}

// hang puts a plan's new image in front of the pool, or gives the current one
// the plan's end.
func (s *Service) hang(tx *gorm.DB, by access.Actor, g Group, p Plan) error {
	if p.EntryKind != EntryUpstream || p.EntryValidUntil == nil {
		return nil
	}
	images, err := poolOf(tx, g.ID)
	if err != nil {
		return err
	}
	if p.EntryFileID == nil {
		return prolong(tx, images, s.now(), *p.EntryValidUntil)
	}
	if wrong := images.refuses(p.EntryURL); wrong != nil {
		return fault.Invalid{"entry_image": *wrong}
	}
	first, _ := images.edges()
	return s.addImage(tx, by, Image{GroupID: g.ID, FileID: *p.EntryFileID, URL: p.EntryURL, Position: first - 1, ValidUntil: p.EntryValidUntil.UTC()})
}

// prolong moves the end of the image that view shows.
func prolong(tx *gorm.DB, images pool, now, until time.Time) error {
	var alive pool
	for _, i := range images {
		if i.DeadAt == nil {
			alive = append(alive, i)
		}
	}
	shown := alive.view(now, now)
	if shown.ImageID == 0 {
		return nil
	}
	if err := tx.Model(&Image{}).Where("id = ?", shown.ImageID).Update("valid_until", until.UTC()).Error; err != nil {
		return fmt.Errorf("move the end of a chat image: %w", err)
	}
	return nil
}

func (s *Service) addImage(tx *gorm.DB, by access.Actor, i Image) error {
	i.AddedAt = s.now().UTC()
	if by.MemberID != 0 {
		i.AddedBy = &by.MemberID
	}
	if err := tx.Create(&i).Error; err != nil {
		return fmt.Errorf("add a chat image: %w", err)
	}
	return nil
}

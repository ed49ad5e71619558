package group

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// Bounds of a pool.
const (
	MaxImages  = 30 // that are not dead
	MaxUploads = 8  // at once
	maxUses    = 100_000
	deadShown  = 10 // dead and expired images that the page still lists
)

// Pool is a group's images as its settings page shows them.
type Pool struct {
	Images  []Image // that work or will, in order
	Over    []Image // dead, used up and past, the latest first
	Waiting int     // people who were let in and wait for a new image
}

// pool reads what the settings page shows.
func (s *Service) pool(tx *gorm.DB, groupID int64) (Pool, error) {
	var all []Image
	err := tx.Table("entry_images i").Select("i.*, coalesce(a.name, '') AS added_name, coalesce(d.name, '') AS dead_name").
		Joins("LEFT JOIN members a ON a.id = i.added_by").Joins("LEFT JOIN members d ON d.id = i.dead_by").
		Where("i.group_id = ?", groupID).Order("i.position, i.id").Find(&all).Error
	if err != nil {
		return Pool{}, fmt.Errorf("list chat images: %w", err)
	}
	var p Pool
	now := s.now()
	for _, i := range all {
		if i.holds(now) {
			p.Images = append(p.Images, i)
		} else {
			p.Over = append(p.Over, i)
		}
	}
	slices.SortStableFunc(p.Over, func(x, y Image) int { return int(y.ID - x.ID) })
	p.Over = p.Over[:min(len(p.Over), deadShown)]
	waiting, err := waitingFor(tx, []int64{groupID})
	p.Waiting = waiting[groupID]
	return p, err
}

// Upload is one picture of a form.
type Upload struct {
	Name    string // of the file
	Content []byte
}

// ImagesDraft is what the form for new images says.
type ImagesDraft struct {
	Files      []Upload
	ValidUntil string // of each; empty = as long as the policy says
	MaxUses    string // of each; empty or 0 = none
}

// AddImages puts spare images behind those there are. All of them, or none with
// a message that names the file.
func (s *Service) AddImages(ctx context.Context, by access.Actor, gid string, d ImagesDraft) error {
	return s.bring(ctx, by, access.GroupSettings, gid, d, func(tx *gorm.DB, g Group, images pool, fresh []Image) error {
		_, last := images.edges()
		for n, i := range fresh {
			i.Position = last + 1 + n
			if err := s.addImage(tx, by, i); err != nil {
				return err
			}
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.entry.add", Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"images": len(fresh)}})
	})
}

// ReplaceImage makes a new image the current one. The one before is dead, or
// with keep a spare.
func (s *Service) ReplaceImage(ctx context.Context, by access.Actor, gid string, file Upload, keep bool) error {
	d := ImagesDraft{Files: []Upload{file}}
	return s.bring(ctx, by, access.GroupEntry, gid, d, func(tx *gorm.DB, g Group, images pool, fresh []Image) error {
		if old, works := images.current(s.now()); works && !keep {
			if err := s.kill(tx, by, old, ""); err != nil {
				return err
			}
		}
		first, _ := images.edges()
		fresh[0].Position = first - 1
		if err := s.addImage(tx, by, fresh[0]); err != nil {
			return err
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.entry.replace", Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"kept": keep}})
	})
}

// bring reads new images (outside the transaction: that takes seconds), stores
// them and hands them over under the group's lock.
func (s *Service) bring(ctx context.Context, by access.Actor, right access.Right, gid string, d ImagesDraft, do func(*gorm.DB, Group, pool, []Image) error) error {
	db := s.db.WithContext(ctx)
	g, o, err := find(db, by, gid)
	if err != nil {
		return err
	}
	if err := access.Check(by, right, o); err != nil {
		return err
	}
	f, err := s.frame(db, g)
	if err != nil {
		return err
	}
	fresh, err := d.read(f)
	if err != nil {
		return err
	}
	return db.Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, right, gid)
		if err != nil {
			return err
		}
		if g.EntryKind != EntryUpstream {
			return fault.Conflict{Message: fault.Msg("live.pool.error.kind")}
		}
		images, err := poolOf(tx, g.ID)
		if err != nil {
			return err
		}
		if err := images.takes(fresh, s.now()); err != nil {
			return err
		}
		for n := range fresh {
			id, err := storePicture(tx, d.Files[n].Content, s.now().UTC())
			if err != nil {
				return err
			}
			fresh[n].GroupID, fresh[n].FileID = g.ID, *id
		}
		return do(tx, g, images, fresh)
	})
}

// takes refuses what the pool has or had, and what is too much for it.
func (p pool) takes(fresh []Image, now time.Time) error {
	alive := 0
	for _, i := range p {
		if i.holds(now) {
			alive++
		}
	}
	if alive+len(fresh) > MaxImages {
		return fault.Invalid{"images": fault.Msg("live.pool.error.many", "Max", MaxImages)}
	}
	for _, i := range fresh {
		if wrong := p.refuses(i.URL); wrong != nil {
			return fault.Invalid{"images": *wrong}
		}
	}
	return nil
}

// read decodes each file and says of the first that cannot be read why.
func (d ImagesDraft) read(f frame) ([]Image, error) {
	bad := fault.Invalid{}
	switch n := len(d.Files); {
	case n == 0:
		bad["images"] = fault.Msg("groups.error.image.missing")
	case n > MaxUploads:
		bad["images"] = fault.Msg("live.pool.error.uploads", "Max", MaxUploads)
	}
	until, limit := d.terms(f, bad)
	if err := bad.Or(); err != nil {
		return nil, err
	}
	var fresh pool
	for _, file := range d.Files {
		content, cause := decoded(file.Content)
		if cause == "" && slices.ContainsFunc(fresh, func(i Image) bool { return i.URL == content }) {
			cause = "twice"
		}
		if cause != "" {
			return nil, fault.Invalid{"images": fault.Msg("live.pool.error.file."+cause, "Name", fileName(file.Name))}
		}
		fresh = append(fresh, Image{URL: content, ValidUntil: until, MaxUses: limit})
	}
	return fresh, nil
}

func (d ImagesDraft) terms(f frame, bad fault.Invalid) (until time.Time, limit int) {
	until = f.now.AddDate(0, 0, f.upstreamDays).Truncate(time.Second)
	if given := strings.TrimSpace(d.ValidUntil); given != "" {
		at, ok := moment(given, f.loc)
		if !ok || !at.After(f.now) || at.After(f.now.AddDate(10, 0, 0)) {
			bad["valid_until"] = fault.Msg("groups.error.validuntil")
		}
		until = at
	}
	return until, usesOf(d.MaxUses, bad)
}

func usesOf(text string, bad fault.Invalid) int {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxUses {
		bad["max_uses"] = fault.Msg("live.pool.error.uses", "Max", maxUses)
		return 0
	}
	return n
}

// fileName is a file's name as a message may quote it.
func fileName(name string) string {
	runes := []rune(OneLine(strings.ToValidUTF8(name, "")))
	if len(runes) > MaxName {
		runes = append(runes[:MaxName], '…')
	}
	return string(runes)
}

// image runs do on one image under the group's lock.
func (s *Service) image(ctx context.Context, by access.Actor, gid string, imageID int64, do func(*gorm.DB, Group, Image) error) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.GroupSettings, gid)
		if err != nil {
			return err
		}
		i, err := imageByID(tx, g.ID, imageID)
		if err != nil {
			return err
		}
		return do(tx, g, i)
	})
}

// MarkDead takes an image out of use because the chat does not accept it any
// more: the next one is the current one at once.
func (s *Service) MarkDead(ctx context.Context, by access.Actor, gid string, imageID int64, reason string) error {
	reason = strings.TrimSpace(reason)
	return s.image(ctx, by, gid, imageID, func(tx *gorm.DB, g Group, i Image) error {
		if n := utf8.RuneCountInString(reason); n > MaxReason {
			return fault.Invalid{"reason": fault.Msg("groups.error.reason.long", "Max", MaxReason, "Have", n)}
		}
		if i.DeadAt != nil {
			return s.deadAlready(tx, i)
		}
		if err := s.kill(tx, by, i, reason); err != nil {
			return err
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.entry.dead", Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"reason": reason}})
	})
}

func (s *Service) deadAlready(tx *gorm.DB, i Image) error {
	c := fault.Conflict{Message: fault.Msg("live.pool.error.dead"), At: *i.DeadAt}
	if i.DeadBy == nil {
		return c
	}
	name, err := nameOf(tx, *i.DeadBy)
	if err != nil {
		return err
	}
	c.By = name
	return c
}

func (s *Service) kill(tx *gorm.DB, by access.Actor, i Image, reason string) error {
	err := tx.Model(&Image{}).Where("id = ?", i.ID).Updates(map[string]any{"dead_at": s.now().UTC(), "dead_by": by.MemberID, "dead_reason": reason}).Error
	if err != nil {
		return fmt.Errorf("end a chat image: %w", err)
	}
	return nil
}

// RemoveImage takes a spare that nobody was shown out of the pool, for good.
func (s *Service) RemoveImage(ctx context.Context, by access.Actor, gid string, imageID int64) error {
	return s.image(ctx, by, gid, imageID, func(tx *gorm.DB, g Group, i Image) error {
		if i.Uses > 0 || i.DeadAt != nil {
			return fault.Conflict{Message: fault.Msg("live.pool.error.shown")}
		}
		if err := tx.Where("id = ?", i.ID).Delete(&Image{}).Error; err != nil {
			return fmt.Errorf("remove a chat image: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.entry.remove", Object: g.audited(), DepartmentPath: g.DepartmentPath})
	})
}

// MoveImage changes places with the image before it (up) or behind it. At an
// end of the list nothing happens.
func (s *Service) MoveImage(ctx context.Context, by access.Actor, gid string, imageID int64, up bool) error {
	return s.image(ctx, by, gid, imageID, func(tx *gorm.DB, g Group, i Image) error {
		images, err := poolOf(tx, g.ID)
		if err != nil {
			return err
		}
		images = slices.DeleteFunc(images, func(i Image) bool { return !i.holds(s.now()) })
		at := slices.IndexFunc(images, func(x Image) bool { return x.ID == i.ID })
		to := at + 1
		if up {
			to = at - 1
		}
		if at < 0 || to < 0 || to >= len(images) {
			return nil
		}
		images[at], images[to] = images[to], images[at]
		first, _ := images.edges()
		first = min(first, images[at].Position, images[to].Position)
		for n, x := range images {
			if err := tx.Model(&Image{}).Where("id = ?", x.ID).Update("position", first+n).Error; err != nil {
				return fmt.Errorf("move a chat image: %w", err)
			}
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.entry.move", Object: g.audited(), DepartmentPath: g.DepartmentPath})
	})
}

// LimitImage says after how many people the next image takes over (req: B16).
func (s *Service) LimitImage(ctx context.Context, by access.Actor, gid string, imageID int64, uses string) error {
	return s.image(ctx, by, gid, imageID, func(tx *gorm.DB, g Group, i Image) error {
		bad := fault.Invalid{}
		n := usesOf(uses, bad)
		if err := bad.Or(); err != nil || n == i.MaxUses {
			return err
		}
		if err := tx.Model(&Image{}).Where("id = ?", i.ID).Update("max_uses", n).Error; err != nil {
			return fmt.Errorf("limit a chat image: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.entry.limit", Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"max_uses": n, "max_uses_was": i.MaxUses}})
	})
}

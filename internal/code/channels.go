package code

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Channel is one way people come to a code: a site, a campaign, a kind of place.
// Scans carry its name. req: C45
type Channel struct {
	ID          int64
	CodeID      int64
	Name        string
	UTMSource   string `gorm:"column:utm_source"`
	UTMMedium   string `gorm:"column:utm_medium"`
	UTMCampaign string `gorm:"column:utm_campaign"`
	CreatedBy   *int64
	CreatedAt   time.Time
}

// TableName is for gorm.
func (Channel) TableName() string { return "code_channels" }

// ChannelLine is a channel with what came of it.
type ChannelLine struct {
	Channel `gorm:"embedded"`
	Copies  int
	Live    int64
	Joined  int64
	Link    string `gorm:"-"` // to publish online; empty without any utm
}

// Used reports whether something would be lost with the channel.
func (c ChannelLine) Used() bool { return c.Copies > 0 || c.Live > 0 || c.Joined > 0 }

const (
	maxUTM      = 100
	maxChannels = 200
)

// ChannelForm is the form of a new channel as it was typed.
type ChannelForm struct{ Name, Source, Medium, Campaign string }

func (s *Service) channels(tx *gorm.DB, codeID int64) ([]ChannelLine, error) {
	var lines []ChannelLine
	err := tx.Raw(`SELECT h.*, (SELECT count(*) FROM code_copies k WHERE k.channel_id = h.id) AS copies,
		coalesce(f.live, 0) AS live, coalesce(f.joined, 0) AS joined
		FROM code_channels h LEFT JOIN (SELECT channel, CAST(sum(live) AS bigint) AS live, CAST(sum(joined) AS bigint) AS joined
			FROM scan_funnel WHERE code_id = ? GROUP BY channel) f ON f.channel = h.name
		WHERE h.code_id = ? ORDER BY h.id LIMIT ?`, codeID, codeID, maxChannels).Scan(&lines).Error
	if err != nil {
		return nil, fmt.Errorf("read channels: %w", err)
	}
	var public string
	if len(lines) > 0 {
		if err := tx.Raw("SELECT public_id FROM codes WHERE id = ?", codeID).Scan(&public).Error; err != nil {
			return nil, fmt.Errorf("read the channels' code: %w", err)
		}
	}
	for i, c := range lines {
		if c.UTMSource+c.UTMMedium+c.UTMCampaign != "" {
			lines[i].Link = channelLink(s.URL(public, 0), c.Channel)
		}
	}
	return lines, nil
}

// AddChannel gives a code a channel. Its name is unique on the code whatever its
// case; fault.Invalid says what is wrong with a field.
func (s *Service) AddChannel(ctx context.Context, by access.Actor, publicID string, form ChannelForm) error {
	return s.change(ctx, by, access.CodeRevoke, publicID, func(tx *gorm.DB, f Facts) error {
		c, err := form.parse()
		if err != nil {
			return err
		}
		if err := roomFor(tx, f.ID, c); err != nil {
			return err
		}
		c.CodeID, c.CreatedBy, c.CreatedAt = f.ID, &by.MemberID, s.now().UTC()
		if err := tx.Create(&c).Error; errors.Is(err, gorm.ErrDuplicatedKey) {
			return nameTaken
		} else if err != nil {
			return fmt.Errorf("write channel: %w", err)
		}
		return s.trail.Record(tx, by, event("code.channel.add", f, map[string]any{"channel": c.Name}))
	})
}

var nameTaken = fault.Invalid{"channel_name": fault.Msg("copies.error.channel.taken")}

// roomFor refuses a second channel of the name, or with the same marks: a scan
// would not know which of the two it came through.
func roomFor(tx *gorm.DB, codeID int64, c Channel) error {
	var all []Channel
	if err := tx.Where("code_id = ?", codeID).Limit(maxChannels).Find(&all).Error; err != nil {
		return fmt.Errorf("read channels: %w", err)
	}
	if len(all) >= maxChannels {
		return fault.Invalid{"channel_name": fault.Msg("copies.error.channel.many", "Max", maxChannels)}
	}
	for _, other := range all {
		if strings.EqualFold(other.Name, c.Name) {
			return nameTaken
		}
		if c.UTMSource+c.UTMMedium+c.UTMCampaign != "" && other.UTMSource == c.UTMSource && other.UTMMedium == c.UTMMedium && other.UTMCampaign == c.UTMCampaign {
			return fault.Invalid{"utm_source": fault.Msg("copies.error.channel.same", "Name", other.Name)}
		}
	}
	return nil
}

func (form ChannelForm) parse() (Channel, error) {
	wrong := fault.Invalid{}
	c := Channel{Name: oneLine(form.Name), UTMSource: checkUTM("utm_source", form.Source, wrong),
		UTMMedium: checkUTM("utm_medium", form.Medium, wrong), UTMCampaign: checkUTM("utm_campaign", form.Campaign, wrong)}
	switch {
	case c.Name == "":
		wrong["channel_name"] = fault.Msg("copies.error.channel.empty")
	case utf8.RuneCountInString(c.Name) > maxLabel:
		wrong["channel_name"] = fault.Msg("copies.error.channel.long", "Max", maxLabel)
	}
	return c, wrong.Or()
}

// checkUTM keeps any printable text: what is refused could not come back in a link.
func checkUTM(field, text string, wrong fault.Invalid) string {
	text = strings.TrimSpace(text)
	unprintable := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if utf8.RuneCountInString(text) > maxUTM || strings.ContainsFunc(text, unprintable) {
		wrong[field] = fault.Msg("copies.error.utm", "Max", maxUTM)
	}
	return text
}

func escapeQuery(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// DeleteChannel takes away a channel that nothing came through and no copy belongs
// to; any other stays (fault.Conflict), for the history speaks of it.
func (s *Service) DeleteChannel(ctx context.Context, by access.Actor, publicID string, id int64) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		f, err := s.touch(tx, by, publicID)
		if err != nil {
			return err
		}
		lines, err := s.channels(tx, f.ID)
		if err != nil {
			return err
		}
		for _, c := range lines {
			if c.ID != id {
				continue
			}
			if c.Used() {
				return fault.Conflict{Message: fault.Msg("copies.conflict.channel", "Name", c.Name)}
			}
			if err := tx.Exec("DELETE FROM code_channels WHERE id = ?", id).Error; err != nil {
				return fmt.Errorf("delete channel: %w", err)
			}
			return s.trail.Record(tx, by, event("code.channel.delete", f, map[string]any{"channel": c.Name}))
		}
		return fault.NotFound
	})
}

// ChannelView is the page of one channel: the link to publish, and what came of it.
type ChannelView struct {
	View
	Line ChannelLine
}

// Channel reads one channel for somebody who may see the code.
func (s *Service) Channel(ctx context.Context, by access.Actor, publicID string, id int64) (ChannelView, error) {
	view, err := s.View(ctx, by, publicID)
	if err != nil {
		return ChannelView{}, err
	}
	lines, err := s.channels(s.db.WithContext(ctx), view.ID)
	if err != nil {
		return ChannelView{}, err
	}
	for _, c := range lines {
		if c.ID == id {
			return ChannelView{View: view, Line: c}, nil
		}
	}
	return ChannelView{}, fault.NotFound
}

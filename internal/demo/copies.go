package demo

import (
	"fmt"
	"math/rand/v2"
	"time"

	"doorplate/internal/code"
)

// print is one copy of a demo code.
type print struct {
	place, custodian string
	gone             bool   // taken down
	lost             string // why it was revoked
}

var firstPrints = []print{
	{place: "一楼大厅", custodian: "前台"}, {place: "三楼电梯厅", custodian: "前台"}, {place: "五楼电梯厅", custodian: "保洁组"},
	{place: "食堂入口", custodian: "食堂窗口"}, {place: "园区西门", custodian: "门卫室"}, {place: "地下车库", custodian: "门卫室", gone: true, lost: "海报被人揭走"},
}

var secondPrints = []print{{place: "培训教室 A", custodian: "教务"}, {place: "培训教室 B", custodian: "教务"}, {place: "会议室 301", custodian: "行政"}}

var oldPrints = []print{{place: "北门公告栏", custodian: "门卫室"}, {place: "展厅", custodian: "行政", gone: true}, {place: "图书角", custodian: "行政", gone: true}}

// addCopies prints three codes: the busiest with channels, one more, and one
// that was replaced since, of which a poster still hangs. It has dice of its own,
// so that the rest of the demo stays as it was.
func (b *builder) addCopies() error {
	dice := b.rng
	b.rng = rand.New(rand.NewPCG(20261122, 12))
	defer func() { b.rng = dice }()
	var second, old *code.Code
	for _, c := range b.codes[1:] {
		switch {
		case b.kinds[c.ID] == "replaced":
			old = c
		case b.kinds[c.ID] == "live" && c.Validity == code.Permanent && second == nil:
			second = c
		}
	}
	second.IssuedAt = b.ago(100, 10, 0) // a refresh is due
	if err := b.tx.Model(second).Update("issued_at", second.IssuedAt).Error; err != nil {
		return fmt.Errorf("age of %s: %w", second.Label, err)
	}
	first := b.codes[0]
	for _, set := range []struct {
		code   *code.Code
		prints []print
	}{{first, firstPrints}, {second, secondPrints}, {old, oldPrints}} {
		if err := b.addPrints(set.code, set.prints); err != nil {
			return err
		}
	}
	if err := b.addChannels(first); err != nil {
		return err
	}
	return b.attribute()
}

func (b *builder) addPrints(c *code.Code, prints []print) error {
	super := b.members[0].ID
	for i, p := range prints {
		made := c.IssuedAt.Add(time.Duration(i+1) * time.Hour)
		k := code.Copy{CodeID: c.ID, Serial: i + 1, Place: p.place, Custodian: p.custodian, TypedCode: b.typed(), PrintedAt: &made, CreatedBy: &super, CreatedAt: made}
		at := b.ago(2+i, 16, 10)
		if p.gone {
			k.RemovedAt, k.RemovedBy = &at, &super
		}
		if p.lost != "" {
			k.RevokedAt, k.RevokedBy, k.RevokeReason = &at, &super, p.lost
		}
		if err := b.tx.Create(&k).Error; err != nil {
			return fmt.Errorf("copy of %s: %w", c.Label, err)
		}
	}
	return b.sayPrinted(c)
}

// sayPrinted notes what stands on the paper, as handing it out would.
func (b *builder) sayPrinted(c *code.Code) error {
	var serials []int
	if err := b.tx.Raw("SELECT serial FROM code_copies WHERE code_id = ? ORDER BY serial", c.ID).Scan(&serials).Error; err != nil {
		return fmt.Errorf("copies of %s: %w", c.Label, err)
	}
	codes := code.New(b.tx, b.keys, b.trail, func() time.Time { return c.IssuedAt.Add(24 * time.Hour) }, "")
	return codes.MarkPrinted(b.tx, c.ID, serials)
}

// addChannels gives the code two channels, told apart by their marks.
func (b *builder) addChannels(c *code.Code) error {
	for _, h := range []code.Channel{{Name: "校招展台", UTMSource: "fair"}, {Name: "邮件签名", UTMSource: "email"}} {
		h.CodeID, h.CreatedBy, h.CreatedAt = c.ID, &b.members[0].ID, c.IssuedAt
		if err := b.tx.Create(&h).Error; err != nil {
			return fmt.Errorf("channel %s: %w", h.Name, err)
		}
		if err := b.tx.Exec("UPDATE scans SET channel = ? WHERE code_id = ? AND utm_source = ?", h.Name, c.ID, h.UTMSource).Error; err != nil {
			return fmt.Errorf("scans of %s: %w", h.Name, err)
		}
	}
	return nil
}

// attribute spreads the scans without a channel over the copies, and counts them there.
func (b *builder) attribute() error {
	for _, sql := range []string{
		`UPDATE scans SET copy_serial = 1 + id % (SELECT count(*) FROM code_copies k WHERE k.code_id = scans.code_id AND k.removed_at IS NULL)
			WHERE channel = '' AND outcome <> 'bot' AND code_id IN (SELECT code_id FROM code_copies)`,
		`UPDATE code_copies SET scans = (SELECT count(*) FROM scans s WHERE s.code_id = code_copies.code_id AND s.copy_serial = serial AND s.outcome = 'live'),
			last_scan_at = (SELECT s.at FROM scans s WHERE s.code_id = code_copies.code_id AND s.copy_serial = serial ORDER BY s.at DESC LIMIT 1)`,
	} {
		if err := b.tx.Exec(sql).Error; err != nil {
			return fmt.Errorf("spread the scans over the copies: %w", err)
		}
	}
	return nil
}

package group

import (
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// shown is which image a person was shown; image_id null is a place on the
// list of those who wait for one.
type shown struct {
	MembershipID int64 `gorm:"primaryKey;autoIncrement:false"`
	GroupID      int64
	ImageID      *int64
	At           time.Time
}

func (shown) TableName() string { return "entry_shown" }

// Show is Entry for somebody who is in the group. An upstream image counts as
// used once a person; the one they were shown stays theirs while it works, else
// they get the next. While none works they hold a number on the list.
func Show(tx *gorm.DB, g Group, p Person, now time.Time) (EntryView, error) {
	v, err := Entry(tx, g, now)
	if err != nil || v.Kind != EntryUpstream {
		return v, err
	}
	var m Membership
	err = p.where(tx.Where("group_id = ? AND status = 'active'", g.ID)).Select("id").Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return EntryView{Kind: EntryUpstream}, nil // removed this very moment
	} else if err != nil {
		return v, fmt.Errorf("look for the membership: %w", err)
	}
	row, theirs, err := lookShown(tx, m.ID, now)
	switch {
	case err != nil:
		return v, err
	case theirs != nil:
		v.show(*theirs)
		v.Lasts = &theirs.ValidUntil
		return v, nil
	case row != nil && row.ImageID == nil && v.Lasts == nil: // still waiting: nothing to write
		v.Number, err = numberOf(tx, *row)
		return v, err
	}
	err = tx.Transaction(func(tx *gorm.DB) error {
		v, err = assign(tx, shown{MembershipID: m.ID, GroupID: g.ID, At: now.UTC().Truncate(time.Microsecond)}, now)
		return err
	})
	return v, err
}

// lookShown reads a person's row, and the image in it as long as it works for them.
func lookShown(tx *gorm.DB, membershipID int64, now time.Time) (*shown, *Image, error) {
	var rows []shown
	if err := tx.Where("membership_id = ?", membershipID).Limit(1).Find(&rows).Error; err != nil {
		return nil, nil, fmt.Errorf("read which image was shown: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil, nil
	}
	if rows[0].ImageID == nil {
		return &rows[0], nil, nil
	}
	i, err := imageByID(tx, rows[0].GroupID, *rows[0].ImageID)
	if err != nil || !i.holds(now) {
		return &rows[0], nil, err
	}
	return &rows[0], &i, nil
}

// assign gives a person the next image that works, or a place on the list. The
// person's row is taken first, so that two looks at once count once.
func assign(tx *gorm.DB, fresh shown, now time.Time) (EntryView, error) {
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&fresh).Error; err != nil {
		return EntryView{}, fmt.Errorf("note who is shown an image: %w", err)
	}
	var held []int64
	err := tx.Model(&shown{}).Clauses(clause.Locking{Strength: "UPDATE"}).Where("membership_id = ?", fresh.MembershipID).Pluck("membership_id", &held).Error
	if err != nil {
		return EntryView{}, fmt.Errorf("hold who is shown an image: %w", err)
	}
	row, theirs, err := lookShown(tx, fresh.MembershipID, now)
	if err != nil {
		return EntryView{}, err
	}
	v := EntryView{Kind: EntryUpstream}
	if theirs == nil {
		if theirs, err = use(tx, fresh.GroupID, now); err != nil {
			return v, err
		}
		if err := note(tx, row, theirs, now); err != nil {
			return v, err
		}
	}
	if theirs == nil {
		v.Number, err = numberOf(tx, *row)
		return v, err
	}
	v.show(*theirs)
	v.Lasts = &theirs.ValidUntil
	return v, nil
}

// use counts a person on the first image that works; nil when none does. Each
// try is one conditional statement: an image is never shown to more than its limit.
func use(tx *gorm.DB, groupID int64, now time.Time) (*Image, error) {
	for {
		pools, err := poolsOf(tx, []int64{groupID})
		if err != nil {
			return nil, err
		}
		i, there := pools[groupID].current(now)
		if !there {
			return nil, nil
		}
		done := tx.Exec("UPDATE entry_images AS i SET uses = i.uses + 1 WHERE i.id = ? AND "+worksSQL, i.ID, now.UTC())
		if done.Error != nil {
			return nil, fmt.Errorf("count a person on an image: %w", done.Error)
		}
		if done.RowsAffected == 1 {
			return &i, nil
		}
	}
}

// note writes what a person is shown now. Who loses a dead image goes to the end of the list.
func note(tx *gorm.DB, row *shown, i *Image, now time.Time) error {
	var id *int64
	if i != nil {
		id = &i.ID
	} else if row.ImageID == nil {
		return nil
	}
	row.ImageID, row.At = id, now.UTC().Truncate(time.Microsecond)
	err := tx.Model(&shown{}).Where("membership_id = ?", row.MembershipID).Updates(map[string]any{"image_id": id, "at": row.At}).Error
	if err != nil {
		return fmt.Errorf("note which image was shown: %w", err)
	}
	return nil
}

// numberOf is a person's place on the list of those who wait for a new image.
func numberOf(tx *gorm.DB, row shown) (n int, err error) {
	err = tx.Raw(`SELECT count(*) FROM entry_shown s JOIN memberships m ON m.id = s.membership_id
		WHERE s.group_id = ? AND s.image_id IS NULL AND m.status = 'active' AND (s.at < ? OR s.at = ? AND s.membership_id <= ?)`,
		row.GroupID, row.At, row.At, row.MembershipID).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count who waits for an image: %w", err)
	}
	return n, nil
}

// waitingFor counts who waits for a new image, by group.
func waitingFor(tx *gorm.DB, groupIDs []int64) (map[int64]int, error) {
	var rows []struct {
		GroupID int64
		N       int
	}
	if len(groupIDs) > 0 {
		err := tx.Raw(`SELECT s.group_id, count(*) AS n FROM entry_shown s JOIN memberships m ON m.id = s.membership_id
			WHERE s.group_id IN ? AND s.image_id IS NULL AND m.status = 'active' GROUP BY s.group_id`, groupIDs).Scan(&rows).Error
		if err != nil {
			return nil, fmt.Errorf("count who waits for an image: %w", err)
		}
	}
	out := make(map[int64]int, len(rows))
	for _, r := range rows {
		out[r.GroupID] = r.N
	}
	return out, nil
}

package join

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Detail is one request with what helps to decide it.
type Detail struct {
	Row
	ScanAt     *time.Time
	ScanRef    string
	Origin     Origin
	GroupWhere string        // department of the group, in words
	Made       []MadeLine    // every decision on it, the newest first
	Doors      []group.Group // other groups that the reader may let the applicant into
	Earlier    []Request     // of the same person, newest first, in groups the reader may decide on
	EarlierIn  map[int64]string
}

// earlierLimit bounds the person's history on a request's page.
const earlierLimit = 10

// Open reads one request that by may decide. Any other is fault.NotFound, or
// fault.Forbidden when by is a member of the group.
func (s *Service) Open(ctx context.Context, by access.Actor, id int64) (Detail, error) {
	tx := s.db.WithContext(ctx)
	var rows []Row
	if err := tx.Raw(rowSQL, []int64{id}).Scan(&rows).Error; err != nil {
		return Detail{}, fmt.Errorf("read the request: %w", err)
	}
	if len(rows) == 0 {
		return Detail{}, fault.NotFound
	}
	joined, err := joins(tx, by, rows[0].GroupID)
	if err != nil {
		return Detail{}, err
	}
	if err := access.Check(by, access.RequestsDecide, rows[0].groupObject(joined)); err != nil {
		return Detail{}, err
	}
	if err := finish(tx, by, rows); err != nil {
		return Detail{}, err
	}
	if err := addFacts(tx, by, rows); err != nil {
		return Detail{}, err
	}
	if err := s.addUndo(tx, by, rows); err != nil {
		return Detail{}, err
	}
	d := Detail{Row: rows[0]}
	if err := d.readMade(tx, by); err != nil {
		return d, err
	}
	return d, d.read(tx, by)
}

func (d *Detail) read(tx *gorm.DB, by access.Actor) error {
	if d.ScanID != nil {
		var scans []struct {
			At  time.Time
			Ref string
		}
		if err := tx.Table("scans").Select("at", "ref").Where("id = ?", *d.ScanID).Find(&scans).Error; err != nil {
			return fmt.Errorf("read the request's scan: %w", err)
		}
		for _, sc := range scans {
			d.ScanAt, d.ScanRef = &sc.At, sc.Ref
		}
	}
	var err error
	if d.Origin, err = origin(tx, d.ID); err != nil {
		return err
	}
	names, err := group.Lineages(tx, []string{d.GroupPath})
	if err != nil {
		return err
	}
	d.GroupWhere = names[d.GroupPath]
	return d.readEarlier(tx, by)
}

func (d *Detail) readEarlier(tx *gorm.DB, by access.Actor) error {
	where, args := mine(by)
	column, person := "member_id", d.MemberID
	if person == nil {
		column, person = "guest_id", d.GuestID
	}
	var rows []Listed
	err := tx.Raw("SELECT "+listedColumns+listedFrom+" WHERE r."+column+" = ? AND r.id <> ? AND "+where+" ORDER BY r.id DESC LIMIT ?",
		append(append([]any{*person, d.ID}, args...), earlierLimit)...).Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("read earlier requests: %w", err)
	}
	d.EarlierIn = map[int64]string{}
	for _, r := range rows {
		d.Earlier = append(d.Earlier, r.Request)
		d.EarlierIn[r.ID] = r.GroupName
	}
	return nil
}

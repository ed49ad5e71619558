package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Deputy is a row of department_deputies: who stands in for the heads of a
// department while all of them are away.
type Deputy struct {
	DepartmentID int64
	MemberID     int64
}

// TableName is for gorm.
func (Deputy) TableName() string { return "department_deputies" }

// AddDeputy names a member deputy of a department; the form names them by id or,
// when that is empty, by phone. Naming them twice changes nothing.
func (s *Service) AddDeputy(ctx context.Context, by access.Actor, departmentID int64, memberID, phone string) error {
	return s.changeHead(ctx, by, departmentID, memberID, phone, "department.deputy.add", func(tx *gorm.DB, h Head) *gorm.DB {
		d := Deputy(h)
		return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&d)
	})
}

// RemoveDeputy ends that, with effect from their next request.
func (s *Service) RemoveDeputy(ctx context.Context, by access.Actor, departmentID int64, memberID, phone string) error {
	return s.changeHead(ctx, by, departmentID, memberID, phone, "department.deputy.remove", func(tx *gorm.DB, h Head) *gorm.DB {
		return tx.Where("department_id = ? AND member_id = ?", h.DepartmentID, h.MemberID).Delete(&Deputy{})
	})
}

// Leader is a head or a deputy of a department. Near says that the reader may
// open their page; From and Until, when not nil, the absence that runs or comes.
type Leader struct {
	ID          int64
	Name        string
	Near        bool
	From, Until *time.Time
	Away        bool // at this moment
	Deputy      bool
}

// Leadership is who leads a department at this moment.
type Leadership struct {
	Heads, Deputies []Leader
	Acting          bool     // the deputies have a head's rights now
	Above           []string // who else leads it: heads of departments above, nearest first
	CanAppoint      bool
}

// Now names who has a head's rights in the department itself now.
func (l Leadership) Now() []Leader {
	if l.Acting {
		return l.Deputies
	}
	return slices.DeleteFunc(slices.Clone(l.Heads), func(h Leader) bool { return h.Away })
}

// Leadership reads who leads a department, for who may open it; else fault.NotFound.
func (s *Service) Leadership(ctx context.Context, by access.Actor, departmentID int64) (Leadership, error) {
	db, now := s.db.WithContext(ctx), s.now().UTC()
	d, err := departmentByID(db, departmentID)
	if err != nil {
		return Leadership{}, err
	}
	if !sees(by, d.Path) {
		return Leadership{}, fault.NotFound
	}
	l := Leadership{CanAppoint: access.Can(by, access.HeadsAppoint, access.Object{Path: d.Path})}
	all, err := leaders(db, by, d.ID, now)
	if err != nil {
		return l, err
	}
	away := true
	for _, one := range all {
		if one.Deputy {
			l.Deputies = append(l.Deputies, one)
			continue
		}
		l.Heads = append(l.Heads, one)
		away = away && one.Away
	}
	l.Acting = away && len(l.Deputies) > 0
	l.Above, err = headsAbove(db, d)
	return l, err
}

func leaders(db *gorm.DB, by access.Actor, departmentID int64, now time.Time) ([]Leader, error) {
	near := nearOf(by)
	var all []Leader
	err := db.Raw("SELECT m.id, m.name, x.deputy, "+near.text+` AS near, ab.starts_at AS "from", ab.ends_at AS until
		FROM (SELECT 1 = 0 AS deputy, member_id FROM department_heads WHERE department_id = ?
			UNION ALL SELECT 1 = 1, member_id FROM department_deputies WHERE department_id = ?) x
		JOIN members m ON m.id = x.member_id AND m.status = 'active'
		LEFT JOIN absences ab ON ab.member_id = m.id AND ab.ends_at > ?
		ORDER BY x.deputy, m.name, m.id`, append(near.args, departmentID, departmentID, now)...).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("read who leads: %w", err)
	}
	for i, one := range all {
		all[i].Away = one.From != nil && !one.From.After(now)
	}
	return all, nil
}

func headsAbove(db *gorm.DB, d Department) (names []string, err error) {
	err = db.Raw(`SELECT m.name FROM departments a JOIN department_heads h ON h.department_id = a.id
		JOIN members m ON m.id = h.member_id AND m.status = 'active'
		WHERE a.id <> ? AND a.id IN ? ORDER BY a.depth DESC, m.name, m.id LIMIT 10`, d.ID, idsOf(d.Path)).Scan(&names).Error
	if err != nil {
		return nil, fmt.Errorf("read heads above: %w", err)
	}
	return names, nil
}

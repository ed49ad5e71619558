package join

import (
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/directory"
)

// level is who leads one department now: its heads who are there or, while all
// of them are away, its deputies.
type level struct {
	Department int64
	Members    []int64
	Names      []string
}

// levels are the departments from the one at path upward that somebody leads now.
func levels(tx *gorm.DB, path string, now time.Time) ([]level, error) {
	var rows []struct {
		Department int64
		ID         int64
		Name       string
	}
	up := upward(path)
	err := tx.Raw(`SELECT DISTINCT x.department, x.depth, m.id, m.name FROM (
			SELECT d.id AS department, d.depth, h.member_id FROM departments d JOIN department_heads h ON h.department_id = d.id
			WHERE d.path IN ? AND NOT EXISTS (SELECT 1 FROM absences ab WHERE ab.member_id = h.member_id AND ab.starts_at <= ? AND ab.ends_at > ?)
			UNION ALL SELECT d.id, d.depth, dp.member_id FROM departments d JOIN department_deputies dp ON dp.department_id = d.id
			WHERE d.path IN ? AND `+directory.AwaySQL+`) x
		JOIN members m ON m.id = x.member_id AND m.status = 'active' ORDER BY x.depth DESC, m.id LIMIT 60`, up, now, now, up, now, now).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("find who leads: %w", err)
	}
	var all []level
	for _, r := range rows {
		if len(all) == 0 || all[len(all)-1].Department != r.Department {
			all = append(all, level{Department: r.Department})
		}
		last := &all[len(all)-1]
		last.Members, last.Names = append(last.Members, r.ID), append(last.Names, r.Name)
	}
	return all, nil
}

// without leaves out the applicant; false when nobody else leads there.
func (l level) without(applicant *int64) (level, bool) {
	if applicant == nil {
		return l, len(l.Members) > 0
	}
	if i := slices.Index(l.Members, *applicant); i >= 0 {
		l.Members, l.Names = slices.Delete(slices.Clone(l.Members), i, i+1), slices.Delete(slices.Clone(l.Names), i, i+1)
	}
	return l, len(l.Members) > 0
}

// above is the level that the request goes to next: the second of those that
// can decide it, once. nil when only super admins are left.
func (k *keeper) above(r ticking) (*level, error) {
	if r.ClockStep >= stepAbove {
		return nil, nil
	}
	all, known := k.levels[r.GroupPath]
	if !known {
		var err error
		if all, err = levels(k.tx, r.GroupPath, k.now); err != nil {
			return nil, err
		}
		k.levels[r.GroupPath] = all
	}
	first := true
	for _, l := range all {
		left, ok := l.without(r.MemberID)
		if ok && !first {
			return &left, nil
		}
		first = first && !ok
	}
	return nil, nil
}

// supersFor are the super admins who may decide on an applicant.
func supersFor(tx *gorm.DB, applicant *int64) (ids []int64, err error) {
	if err = tx.Raw("SELECT id FROM members WHERE super_admin AND status = 'active' ORDER BY id").Scan(&ids).Error; err != nil {
		return nil, fmt.Errorf("find the super admins: %w", err)
	}
	if applicant != nil {
		ids = slices.DeleteFunc(ids, func(id int64) bool { return id == *applicant })
	}
	return ids, nil
}

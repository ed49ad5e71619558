package demo

import (
	"fmt"
	"time"

	"doorplate/internal/directory"
)

// addClock says of what waits when it was due. What is far past its time has gone
// up already; nobody is told of it once more.
func (b *builder) addClock() error {
	p := directory.DefaultPolicies()
	hours := p.Hours(b.loc)
	var waiting []struct {
		ID        int64
		CreatedAt time.Time
		Above     *int64
	}
	err := b.tx.Raw(`SELECT r.id, r.created_at, (SELECT u.id FROM departments u JOIN department_heads h ON h.department_id = u.id
			WHERE u.depth < d.depth AND d.path LIKE u.path || '%' ORDER BY u.depth DESC, u.id LIMIT 1) AS above
		FROM join_requests r JOIN groups g ON g.id = r.group_id JOIN departments d ON d.id = g.department_id WHERE r.status = 'pending' ORDER BY r.id`).Scan(&waiting).Error
	if err != nil {
		return fmt.Errorf("read what waits: %w", err)
	}
	for _, r := range waiting {
		due := hours.After(r.CreatedAt, time.Duration(p.DueHours)*time.Hour)
		set := map[string]any{"due_at": due.UTC(), "step_at": due.UTC(), "clock_step": 1}
		if up := hours.After(due, time.Duration(p.EscalateHours)*time.Hour); !up.After(b.now) {
			set["clock_step"], set["step_at"], set["escalated_at"], set["escalated_to"] = 4, nil, up.UTC(), r.Above
		} else if !due.After(b.now) {
			set["clock_step"], set["step_at"] = 2, up.UTC()
		}
		if err := b.tx.Table("join_requests").Where("id = ?", r.ID).Updates(set).Error; err != nil {
			return fmt.Errorf("wind a request's clock: %w", err)
		}
	}
	return nil
}

// addCase makes one open code behave oddly, and lets two people report it.
func (b *builder) addCase() error {
	for _, c := range b.codes {
		if own := b.groupOf(c); b.kinds[c.ID] != "live" || own.JoinMode != "open" {
			continue
		}
		at := b.now.Add(-40 * time.Minute)
		if err := b.tx.Model(c).Update("fused_until", at.Add(12*time.Hour)).Error; err != nil {
			return fmt.Errorf("raise a code: %w", err)
		}
		err := b.tx.Exec("INSERT INTO code_fuses (code_id, why, seen, most, fused_at) VALUES (?, 'outside', 31, 20, ?)", c.ID, at).Error
		if err != nil {
			return fmt.Errorf("raise a code: %w", err)
		}
		var id int64
		if err := b.tx.Raw("INSERT INTO cases (code_id, reports, opened_at, last_at) VALUES (?, 2, ?, ?) RETURNING id", c.ID, at, b.now.Add(-10*time.Minute)).Scan(&id).Error; err != nil {
			return fmt.Errorf("open a case: %w", err)
		}
		err = b.tx.Exec(`INSERT INTO case_reports (case_id, category, words, scan_ref, at) VALUES (?, 'overprint', '海报右下角贴了另一张二维码', 'S-DEMO-1', ?), (?, 'shared', '', 'S-DEMO-2', ?)`,
			id, at, id, b.now.Add(-10*time.Minute)).Error
		if err != nil {
			return fmt.Errorf("report a code: %w", err)
		}
		return nil
	}
	return nil
}

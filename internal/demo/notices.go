package demo

import (
	"encoding/json"
	"fmt"
	"time"
)

// addNotices tells nobody of the sixty days that never were, and puts what waits
// for them into the bells of the heads.
func (b *builder) addNotices() error {
	if err := b.tx.Exec("UPDATE events SET handled_at = at WHERE handled_at IS NULL").Error; err != nil {
		return fmt.Errorf("mark the events: %w", err)
	}
	var rooms []struct {
		GID     string `gorm:"column:gid"`
		Name    string
		Latest  string
		Head    int64
		Waiting int
	}
	err := b.tx.Raw(`SELECT g.gid, g.name, h.member_id AS head, count(*) AS waiting,
		(SELECT n.name FROM join_requests n WHERE n.group_id = g.id AND n.status = 'pending' ORDER BY n.created_at DESC, n.id DESC LIMIT 1) AS latest FROM join_requests r JOIN groups g ON g.id = r.group_id
		JOIN departments d ON d.id = g.department_id JOIN departments up ON d.path LIKE up.path || '%' JOIN department_heads h ON h.department_id = up.id
		WHERE r.status = 'pending' AND up.name IN ('研发中心', '市场部') GROUP BY g.id, g.gid, g.name, h.member_id ORDER BY g.id, h.member_id`).Scan(&rooms).Error
	if err != nil {
		return fmt.Errorf("count what waits: %w", err)
	}
	for i, r := range rooms {
		at := b.now.Add(-time.Duration(7+13*i) * time.Minute)
		words, err := json.Marshal(map[string]string{"Group": r.Name, "Name": r.Latest})
		if err != nil {
			return err
		}
		err = b.tx.Exec(`INSERT INTO messages (uid, channel, kind, member_id, href, args, times, open_key, state, next_try_at, created_at, updated_at, sent_at)
			VALUES (?, 'bell', 'request.submitted', ?, ?, ?, ?, ?, 'sent', ?, ?, ?, ?)`, fmt.Sprintf("msg_demo_%d", i), r.Head, "/requests?group="+r.GID,
			string(words), r.Waiting, fmt.Sprintf("bell:request.submitted:/requests?group=%s:%d", r.GID, r.Head), at, at, at, at).Error
		if err != nil {
			return fmt.Errorf("ring: %w", err)
		}
	}
	return nil
}

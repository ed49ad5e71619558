package fuse

import (
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/directory"
)

// used is what happened lately to one code that lets people in at once.
type used struct {
	CodeID        int64
	Live, Outside int
	Burst         int
	Since         *time.Time
	wrong, usual  int
}

// openCode is a code c that lets somebody in without being asked, in its group g
// or in another one it leads to.
const openCode = `c.revoked_at IS NULL AND c.suspended_at IS NULL AND c.fused_until IS NULL AND g.status = 'active' AND g.join_mode <> 'off'
	AND (c.own_mode = 'open' OR c.own_mode = '' AND (g.join_mode = 'open' OR EXISTS (SELECT 1 FROM code_targets t JOIN groups o ON o.id = t.group_id WHERE t.code_id = c.id AND o.join_mode = 'open')))`

// look finds the codes that behave oddly, by what the newest scans say. It reads
// a bounded number of rows along indexes, whatever the history holds.
func (s *Service) look(tx *gorm.DB, p directory.Policies) ([]odd, error) {
	all, err := s.lately(tx, p)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	if err := s.addWrong(tx, all); err != nil {
		return nil, err
	}
	if err := s.addUsual(tx, all); err != nil {
		return nil, err
	}
	var found []odd
	for _, u := range all {
		if o, is := u.judge(p); is {
			found = append(found, o)
		}
	}
	return found, nil
}

// judge says whether that is odd, the gravest first. A burst is more at once than
// is allowed for and more than the code gets on a usual day.
func (u used) judge(p directory.Policies) (odd, bool) {
	burst := p.FuseBurst
	if u.Burst > 0 {
		burst = u.Burst
	}
	switch most := max(burst, u.usual); {
	case p.FuseOutside > 0 && u.Outside >= p.FuseOutside:
		return odd{u.CodeID, Outside, u.Outside, p.FuseOutside}, true
	case p.FuseRefused > 0 && u.wrong >= p.FuseRefused:
		return odd{u.CodeID, Refused, u.wrong, p.FuseRefused}, true
	case burst > 0 && u.Live >= most:
		return odd{u.CodeID, Burst, u.Live, most}, true
	}
	return odd{}, false
}

// lately counts the window's scans of codes that are open, and names those of
// which somebody was refused.
func (s *Service) lately(tx *gorm.DB, p directory.Policies) ([]*used, error) {
	now := s.now().UTC()
	var all []*used
	err := tx.Raw(`SELECT c.id AS code_id, x.live, x.outside, coalesce(f.burst, 0) AS burst, f.since FROM (
			SELECT n.code_id, sum(CASE WHEN n.outcome = 'live' THEN 1 ELSE 0 END) AS live, sum(CASE WHEN n.outcome IN ('network', 'audience') THEN 1 ELSE 0 END) AS outside
			FROM (SELECT code_id, outcome, at FROM scans WHERE at > ? ORDER BY at DESC LIMIT ?) n LEFT JOIN code_fuses w ON w.code_id = n.code_id
			WHERE w.since IS NULL OR n.at > w.since GROUP BY n.code_id) x
		JOIN codes c ON c.id = x.code_id JOIN groups g ON g.id = c.group_id LEFT JOIN code_fuses f ON f.code_id = c.id
		WHERE (f.off IS NULL OR NOT f.off) AND `+openCode, now.Add(-time.Duration(max(p.FuseMinutes, 1))*time.Minute), looked).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("count what happened lately: %w", err)
	}
	return all, s.addRefused(tx, now, &all)
}

// addRefused counts the requests that were refused within a day.
func (s *Service) addRefused(tx *gorm.DB, now time.Time, all *[]*used) error {
	var rows []struct {
		CodeID         int64
		Refused, Burst int
		Since          *time.Time
	}
	err := tx.Raw(`SELECT x.code_id, x.refused, coalesce(f.burst, 0) AS burst, f.since FROM (SELECT n.code_id, count(*) AS refused
			FROM (SELECT code_id, decided_at, status FROM join_requests WHERE status <> 'pending' AND decided_at > ? ORDER BY decided_at DESC LIMIT ?) n LEFT JOIN code_fuses w ON w.code_id = n.code_id
			WHERE n.status = 'rejected' AND (w.since IS NULL OR n.decided_at > w.since) GROUP BY n.code_id) x
		JOIN codes c ON c.id = x.code_id JOIN groups g ON g.id = c.group_id LEFT JOIN code_fuses f ON f.code_id = c.id
		WHERE (f.off IS NULL OR NOT f.off) AND `+openCode, now.Add(-refusedFor), looked/10).Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("count who was refused lately: %w", err)
	}
	for _, r := range rows {
		i := slices.IndexFunc(*all, func(u *used) bool { return u.CodeID == r.CodeID })
		if i < 0 {
			*all, i = append(*all, &used{CodeID: r.CodeID, Burst: r.Burst, Since: r.Since}), len(*all)
		}
		(*all)[i].wrong += r.Refused
	}
	return nil
}

// addWrong adds the wrong answers that the codes' challenges got within the
// hour: what is right is given back to the count.
func (s *Service) addWrong(tx *gorm.DB, all []*used) error {
	byKey := make(map[string]*used, len(all))
	keys := make([]string, 0, len(all))
	for _, u := range all {
		key := s.keys.Hash("throttle", fmt.Sprint("ask code ", u.CodeID))
		byKey[key], keys = u, append(keys, key)
	}
	for some := range slices.Chunk(keys, 1000) {
		var rows []struct {
			Key         string
			WindowStart time.Time
			Hits        int
		}
		err := tx.Raw("SELECT key, window_start, hits FROM throttles WHERE key IN ? AND window_start > ?", some, s.now().UTC().Add(-time.Hour)).Scan(&rows).Error
		if err != nil {
			return fmt.Errorf("count wrong answers: %w", err)
		}
		for _, r := range rows {
			if u := byKey[r.Key]; u.Since == nil || r.WindowStart.After(*u.Since) {
				u.wrong += r.Hits
			}
		}
	}
	return nil
}

// addUsual adds how many scans let in the codes have on a usual day, from the roll-up of days.
func (s *Service) addUsual(tx *gorm.DB, all []*used) error {
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return err
	}
	byID := make(map[int64]*used, len(all))
	ids := make([]int64, 0, len(all))
	for _, u := range all {
		byID[u.CodeID], ids = u, append(ids, u.CodeID)
	}
	today := s.now().In(org.Location())
	for some := range slices.Chunk(ids, 1000) {
		var rows []struct {
			CodeID int64
			Usual  int
		}
		err := tx.Raw("SELECT code_id, CAST(sum(live) AS bigint) / count(*) AS usual FROM scan_days WHERE code_id IN ? AND day < ? AND day >= ? AND live > 0 GROUP BY code_id",
			some, today.Format(time.DateOnly), today.AddDate(0, 0, -usualDays).Format(time.DateOnly)).Scan(&rows).Error
		if err != nil {
			return fmt.Errorf("read usual days: %w", err)
		}
		for _, r := range rows {
			byID[r.CodeID].usual = r.Usual
		}
	}
	return nil
}

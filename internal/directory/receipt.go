package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
)

// Receipt says what a departure ended and, read from the world as it is now,
// what still needs somebody. req: D20, D24, E11
type Receipt struct {
	At    time.Time
	Ended []Ended

	Owned    []OwnedGroup // groups without an owner since
	Codes    []LeftCode   // that they had issued
	Requests []WaitingGroup
	Heads    []LeftDepartment // that they led
	Keeps    []LeftGroup      // whose chat images they looked after
	Copies   []LeftCopy       // prints they looked after
}

// Open counts what still needs somebody.
func (r Receipt) Open() (n int) {
	for _, g := range r.Owned {
		n += one(!g.Done())
	}
	for _, c := range r.Codes {
		n += one(!c.Done)
	}
	n += len(r.Requests)
	for _, d := range r.Heads {
		n += one(!d.Done())
	}
	for _, g := range r.Keeps {
		n += one(!g.Done())
	}
	for _, c := range r.Copies {
		n += one(!c.Done)
	}
	return n
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// LeftGroup is a group and who holds now what the departed held: the name, ""
// for nobody. A disbanded group needs nobody.
type LeftGroup struct {
	ID        int64
	GID       string `gorm:"column:gid"`
	Name      string
	Status    string
	Path      string
	Holder    string
	Seen      bool // the reader may open it
	Can       bool // the reader may give it to somebody
	UserGroup bool
}

// Done reports whether the group has somebody again.
func (g LeftGroup) Done() bool { return g.Holder != "" || g.Status != Active }

// OwnedGroup is a group without owner; Heir is who would be a good one.
type OwnedGroup struct {
	LeftGroup
	Heir *Heir
}

// Heir is a proposed owner: an admin of the group, or the head above it.
type Heir struct {
	ID     int64
	Name   string
	Duties int  // how many duties on the group; 0 for a head
	Head   bool // leads the department, or one above
}

// LeftCode is a code of the departed. It is done when somebody adopted it or it is over.
type LeftCode struct {
	ID, Label, Group, Path string
	Done, Seen, Can        bool
}

// WaitingGroup is a group with requests that nobody below the super admins decides.
type WaitingGroup struct {
	GID   string `gorm:"column:gid"`
	Name  string
	Path  string
	Count int
	Seen  bool
}

// LeftDepartment is a department the departed led, and who leads it now.
type LeftDepartment struct {
	ID     int64
	Path   string
	Title  string
	Holder string
	Seen   bool
}

// Done reports whether somebody leads it.
func (d LeftDepartment) Done() bool { return d.Holder != "" }

// LeftCopy is a print the departed looks after on paper until somebody else is named.
type LeftCopy struct {
	Code, Label, Place, Path string
	Serial                   int
	Done, Seen               bool
}

// addDeparture reads the last departure of a member: the receipt of somebody
// who left, or what was ended for somebody who came back.
func (s *Service) addDeparture(db *gorm.DB, by access.Actor, p *Profile) error {
	var row departure
	err := db.Where("member_id = ?", p.Member.ID).Order("id DESC").Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read departure: %w", err)
	}
	if p.Member.Status == Active {
		return s.addReturn(db, by, row, p)
	}
	r := &Receipt{At: row.At}
	if err := json.Unmarshal([]byte(row.Effects), &r.Ended); err != nil {
		return fmt.Errorf("read departure receipt: %w", err)
	}
	p.Receipt = r
	return r.read(db, by, row, s.now().UTC())
}

// read derives what is done and what is to do.
func (r *Receipt) read(db *gorm.DB, by access.Actor, d departure, now time.Time) (err error) {
	owned, err := leftGroups(db, by, d.ID, "owner", "owner_id")
	if err != nil {
		return err
	}
	if r.Owned, err = propose(db, owned); err != nil {
		return err
	}
	if r.Keeps, err = leftGroups(db, by, d.ID, "keeper", "entry_custodian_id"); err != nil {
		return err
	}
	if r.Codes, err = leftCodes(db, by, d, now); err != nil {
		return err
	}
	if r.Requests, err = waitingGroups(db, by, d.ID); err != nil {
		return err
	}
	if r.Heads, err = leftDepartments(db, by, d.ID); err != nil {
		return err
	}
	r.Copies, err = leftCopies(db, by, d)
	return err
}

// leftLimit bounds every list of a receipt.
const leftLimit = 200

func leftGroups(db *gorm.DB, by access.Actor, departure int64, kind, holder string) (groups []LeftGroup, err error) {
	err = db.Raw(`SELECT g.id, g.gid, g.name, g.status, d.path, g.origin = 'user' AS user_group, coalesce(m.name, '') AS holder
		FROM departure_items i JOIN groups g ON g.id = i.object_id JOIN departments d ON d.id = g.department_id
			LEFT JOIN members m ON m.id = g.`+holder+` AND m.status = 'active'
		WHERE i.departure_id = ? AND i.kind = ? ORDER BY g.id LIMIT ?`, departure, kind, leftLimit).Scan(&groups).Error
	if err != nil {
		return nil, fmt.Errorf("read groups left behind: %w", err)
	}
	right := access.GroupHandOver
	if kind == "keeper" {
		right = access.GroupSettings
	}
	for i, g := range groups {
		groups[i].Seen = sees(by, g.Path) || by.Duties[g.ID] != 0
		groups[i].Can = access.Can(by, right, access.Object{Path: g.Path, GroupID: g.ID, UserStarted: g.UserGroup})
	}
	return groups, nil
}

// propose finds an heir for each group that has no owner: the admin with most
// duties, else a head of the nearest department above.
func propose(db *gorm.DB, groups []LeftGroup) ([]OwnedGroup, error) {
	owned := make([]OwnedGroup, len(groups))
	var orphans, above []int64
	for i, g := range groups {
		owned[i].LeftGroup = g
		if !g.Done() {
			orphans, above = append(orphans, g.ID), append(above, idsOf(g.Path)...)
		}
	}
	if len(orphans) == 0 {
		return owned, nil
	}
	var candidates []struct {
		GroupID, DepartmentID, ID int64
		Name                      string
		Duties                    int
	}
	err := db.Raw(`SELECT x.group_id, 0 AS department_id, m.id, m.name, count(*) AS duties FROM group_duties x
			JOIN members m ON m.id = x.member_id AND m.status = 'active' WHERE x.group_id IN ? GROUP BY x.group_id, m.id, m.name
		UNION ALL SELECT 0, h.department_id, m.id, m.name, 0 FROM department_heads h
			JOIN members m ON m.id = h.member_id AND m.status = 'active' WHERE h.department_id IN ?
		ORDER BY duties DESC, id`, orphans, above).Scan(&candidates).Error
	if err != nil {
		return nil, fmt.Errorf("look for heirs: %w", err)
	}
	admins, heads := map[int64]*Heir{}, map[int64]*Heir{}
	for _, c := range candidates {
		heir := &Heir{ID: c.ID, Name: c.Name, Duties: c.Duties, Head: c.GroupID == 0}
		if c.GroupID != 0 && admins[c.GroupID] == nil {
			admins[c.GroupID] = heir
		} else if c.GroupID == 0 && heads[c.DepartmentID] == nil {
			heads[c.DepartmentID] = heir
		}
	}
	for i, g := range owned {
		if g.Done() {
			continue
		}
		owned[i].Heir = admins[g.ID]
		for _, id := range idsOf(g.Path) {
			if admins[g.ID] == nil && heads[id] != nil {
				owned[i].Heir = heads[id] // the last one is the nearest
			}
		}
	}
	return owned, nil
}

func leftCodes(db *gorm.DB, by access.Actor, d departure, now time.Time) (codes []LeftCode, err error) {
	err = db.Raw(`SELECT c.public_id AS id, c.label, g.name AS "group", d.path, c.issued_by <> ? OR c.revoked_at IS NOT NULL OR g.status <> 'active'
			OR c.valid_until IS NOT NULL AND c.valid_until <= ? AS done
		FROM departure_items i JOIN codes c ON c.id = i.object_id JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id
		WHERE i.departure_id = ? AND i.kind = 'code' ORDER BY c.id LIMIT ?`, d.MemberID, now, d.ID, leftLimit).Scan(&codes).Error
	if err != nil {
		return nil, fmt.Errorf("read codes left behind: %w", err)
	}
	for i, c := range codes {
		codes[i].Can = access.Can(by, access.CodeAdopt, access.Object{Path: c.Path})
		codes[i].Seen = by.Holds(access.CodeDownload, c.Path)
	}
	return codes, nil
}

func waitingGroups(db *gorm.DB, by access.Actor, departure int64) (groups []WaitingGroup, err error) {
	err = db.Raw(`SELECT g.gid, g.name, d.path, count(*) AS count FROM join_requests r JOIN groups g ON g.id = r.group_id JOIN departments d ON d.id = g.department_id
		WHERE r.status = 'pending' AND (EXISTS (SELECT 1 FROM departure_items i WHERE i.departure_id = ? AND i.kind = 'review' AND i.object_id = g.id)
			OR EXISTS (SELECT 1 FROM departure_items i JOIN departments td ON td.id = i.object_id WHERE i.departure_id = ? AND i.kind = 'head' AND d.path LIKE td.path || '%'))
			AND NOT `+decidedSQL+` GROUP BY g.id, g.gid, g.name, d.path ORDER BY g.id LIMIT ?`, departure, departure, leftLimit).Scan(&groups).Error
	if err != nil {
		return nil, fmt.Errorf("read requests left behind: %w", err)
	}
	for i, g := range groups {
		groups[i].Seen = by.Holds(access.RequestsDecide, g.Path)
	}
	return groups, nil
}

func leftDepartments(db *gorm.DB, by access.Actor, departure int64) (departments []LeftDepartment, err error) {
	err = db.Raw(`SELECT d.id, d.path, coalesce((SELECT min(m.name) FROM department_heads h JOIN members m ON m.id = h.member_id
			WHERE h.department_id = d.id AND m.status = 'active'), '') AS holder
		FROM departure_items i JOIN departments d ON d.id = i.object_id WHERE i.departure_id = ? AND i.kind = 'head' ORDER BY d.id LIMIT ?`,
		departure, leftLimit).Scan(&departments).Error
	if err != nil {
		return nil, fmt.Errorf("read departments left behind: %w", err)
	}
	paths := make([]string, len(departments))
	for i, d := range departments {
		paths[i] = d.Path
	}
	titles, err := Lineages(db, paths)
	for i, d := range departments {
		departments[i].Title, departments[i].Seen = titles[d.Path], sees(by, d.Path)
	}
	return departments, err
}

func leftCopies(db *gorm.DB, by access.Actor, d departure) (copies []LeftCopy, err error) {
	err = db.Raw(`SELECT c.public_id AS code, c.label, k.place, k.serial, d.path,
			coalesce(k.custodian_id, 0) <> ? OR k.removed_at IS NOT NULL OR k.revoked_at IS NOT NULL OR c.revoked_at IS NOT NULL AS done
		FROM departure_items i JOIN code_copies k ON k.id = i.object_id JOIN codes c ON c.id = k.code_id
			JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id
		WHERE i.departure_id = ? AND i.kind = 'copy' ORDER BY k.id LIMIT ?`, d.MemberID, d.ID, leftLimit).Scan(&copies).Error
	if err != nil {
		return nil, fmt.Errorf("read prints left behind: %w", err)
	}
	for i, c := range copies {
		copies[i].Seen = by.Holds(access.CodeDownload, c.Path)
	}
	return copies, nil
}

package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// MemberInput is what the form about a member says. Head is "on" to make the
// member head of every chosen department, "off" to take that away, "" to leave it.
type MemberInput struct {
	JobNumber, Name, Phone, Email string
	Departments                   []int64
	Head                          string
}

// place is a department of a member.
type place struct {
	ID    int64
	Path  string
	Leads bool // heads it
	Own   bool // belongs to it
	Held  bool // is its deputy or holds a role for it
	// Beyond says that such a role brings more than heads have.
	Beyond bool
}

// placesOf reads where a member belongs and what they lead, then what they only
// stand in or hold a role for.
func placesOf(tx *gorm.DB, memberID int64) ([]place, error) {
	var places []place
	err := tx.Raw(`SELECT d.id, d.path, h.member_id IS NOT NULL AS leads, md.member_id IS NOT NULL AS own,
			EXISTS (SELECT 1 FROM department_deputies x WHERE x.department_id = d.id AND x.member_id = ?)
				OR EXISTS (SELECT 1 FROM role_grants x WHERE x.department_id = d.id AND x.member_id = ?) AS held,
			EXISTS (SELECT 1 FROM role_grants x JOIN role_rights rr ON rr.role_id = x.role_id
				WHERE x.department_id = d.id AND x.member_id = ? AND rr.right_name IN ?) AS beyond
		FROM (SELECT department_id FROM department_heads WHERE member_id = ? UNION SELECT department_id FROM member_departments WHERE member_id = ?
			UNION SELECT department_id FROM department_deputies WHERE member_id = ? UNION SELECT department_id FROM role_grants WHERE member_id = ?) place
		CROSS JOIN departments d
		LEFT JOIN department_heads h ON h.department_id = d.id AND h.member_id = ?
		LEFT JOIN member_departments md ON md.department_id = d.id AND md.member_id = ?
		WHERE d.id = place.department_id
		ORDER BY h.member_id IS NULL AND md.member_id IS NULL, d.id`,
		memberID, memberID, memberID, access.BeyondHeads(), memberID, memberID, memberID, memberID, memberID, memberID).Scan(&places).Error
	if err != nil {
		return nil, fmt.Errorf("read departments of member: %w", err)
	}
	return places, nil
}

// checkMember is access.Check for a member, who may belong to several
// departments: the best of them counts. Nobody but a super admin touches a super
// admin or somebody who leads more than the actor does.
func checkMember(by access.Actor, r access.Right, m Member, places []place) error {
	if by.Super || by.Kind == access.System {
		return nil
	}
	verdict := fault.NotFound
	if by.MemberID == m.ID {
		verdict = fault.Forbidden{Right: string(r)}
	}
	for _, p := range places {
		if !p.Own {
			continue
		}
		err := access.Check(by, r, access.Object{Path: p.Path})
		if err == nil {
			verdict = nil
			break
		}
		if !errors.Is(err, fault.NotFound) {
			verdict = err
		}
	}
	if verdict != nil {
		return verdict
	}
	if m.SuperAdmin || m.ID != by.MemberID && above(by, places) {
		return fault.Forbidden{Right: string(r)}
	}
	return nil
}

// CreateMember provisions a person: only then can they sign in.
func (s *Service) CreateMember(ctx context.Context, by access.Actor, in MemberInput) (id int64, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.MembersEdit, access.Object{}); err != nil {
			return err
		}
		f, wanted, err := s.checkInput(tx, by, in, 0, nil)
		if err != nil {
			return err
		}
		now := s.now().UTC()
		m := Member{JobNumber: f.job(), Name: f.Name, Phone: f.Phone, Email: f.Email, Status: Active, CreatedAt: now, UpdatedAt: now}
		m.Index()
		if err := tx.Create(&m).Error; err != nil {
			return taken(err, "create member")
		}
		id = m.ID
		if err := setPlaces(tx, m.ID, wanted, in.Head); err != nil {
			return err
		}
		return s.trail.Record(tx, by, memberEvent("member.create", m, wanted[0].Path, nil))
	})
	return id, err
}

// UpdateMember changes a member's data and departments. A head keeps the
// departments outside their scope as they are.
func (s *Service) UpdateMember(ctx context.Context, by access.Actor, id int64, in MemberInput) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		m, err := lockMember(tx, id)
		if err != nil {
			return err
		}
		places, err := placesOf(tx, id)
		if err != nil {
			return err
		}
		if err := checkMember(by, access.MembersEdit, m, places); err != nil {
			return err
		}
		if m.Status != Active {
			return s.alreadyDeparted(tx, m)
		}
		f, wanted, err := s.checkInput(tx, by, in, id, places)
		if err != nil {
			return err
		}
		homes, err := homesOf(tx, id)
		if err != nil {
			return err
		}
		changed, set := differences(m, f)
		if len(set) > 0 {
			set["updated_at"] = s.now().UTC()
			set["sought"], set["grams"] = indexOf(f.Name, f.Phone, f.JobNumber)
			if err := tx.Model(&Member{}).Where("id = ?", id).Updates(set).Error; err != nil {
				return taken(err, "update member")
			}
		}
		if err := setPlaces(tx, id, wanted, in.Head); err != nil {
			return err
		}
		now, err := homesOf(tx, id)
		if err != nil {
			return err
		}
		details := map[string]any{"changed": changed}
		for name, pair := range map[string][2]string{"name": {m.Name, f.Name}, "job_number": {jobOf(m), f.JobNumber}, "department": {homes, now}} {
			if pair[0] != pair[1] {
				details[name+"_was"], details[name] = pair[0], pair[1]
			}
		}
		m.Name = f.Name
		return s.trail.Record(tx, by, memberEvent("member.update", m, wanted[0].Path, details))
	})
}

// homesOf are the names of a member's departments as an entry of the trail tells them.
func homesOf(tx *gorm.DB, memberID int64) (string, error) {
	var names []string
	err := tx.Raw("SELECT d.name FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id = ? ORDER BY d.name, d.id", memberID).Scan(&names).Error
	if err != nil {
		return "", fmt.Errorf("name the departments of a member: %w", err)
	}
	return strings.Join(names, " + "), nil
}

func differences(m Member, f fields) (changed []string, set map[string]any) {
	set = map[string]any{}
	for _, c := range []struct {
		column, was string
		is          any
		same        bool
	}{
		{"name", m.Name, f.Name, m.Name == f.Name},
		{"phone", m.Phone, f.Phone, m.Phone == f.Phone},
		{"email", m.Email, f.Email, m.Email == f.Email},
		{"job_number", jobOf(m), f.job(), jobOf(m) == f.JobNumber},
	} {
		if !c.same {
			changed = append(changed, c.column)
			set[c.column] = c.is
		}
	}
	return changed, set
}

func jobOf(m Member) string {
	if m.JobNumber == nil {
		return ""
	}
	return *m.JobNumber
}

func memberEvent(action string, m Member, path string, details map[string]any) audit.Event {
	return audit.Event{Action: action, Object: audit.Object{Kind: "member", ID: strconv.FormatInt(m.ID, 10), Name: m.Name},
		DepartmentPath: path, Details: details}
}

// taken turns a lost race for a phone or a job number into the form's answer.
func taken(err error, doing string) error {
	if !errors.Is(err, gorm.ErrDuplicatedKey) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fault.Invalid{"": fault.Msg("contacts.member.taken")}
}

// checkInput validates a form about the member id (0 = a new one) who is at
// places now, and returns the fields as stored and the departments wanted.
func (s *Service) checkInput(tx *gorm.DB, by access.Actor, in MemberInput, id int64, places []place) (fields, []Department, error) {
	f := fields{JobNumber: in.JobNumber, Name: in.Name, Phone: in.Phone, Email: in.Email}
	wrong := f.normalise()
	if err := checkTwins(tx, by, f, id, wrong); err != nil {
		return f, nil, err
	}
	wanted, err := wantedDepartments(tx, by, in.Departments, places, wrong)
	if err != nil {
		return f, nil, err
	}
	if in.Head != "" && !by.Super {
		return f, nil, fault.Forbidden{Right: string(access.HeadsAppoint)}
	}
	return f, wanted, wrong.Or()
}

// checkTwins refuses a phone or job number that another active member has, and
// names that member to who may see them.
func checkTwins(tx *gorm.DB, by access.Actor, f fields, id int64, wrong fault.Invalid) error {
	for _, c := range []struct{ field, value string }{{"phone", f.Phone}, {"job_number", f.JobNumber}} {
		if _, bad := wrong[c.field]; bad || c.value == "" {
			continue
		}
		var twin Member
		err := tx.Select("id", "name").Where(c.field+" = ? AND status = 'active' AND id <> ?", c.value, id).Take(&twin).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			continue
		} else if err != nil {
			return fmt.Errorf("look for %s: %w", c.field, err)
		}
		key := strings.TrimSuffix(c.field, "_number")
		wrong[c.field] = fault.Msg("contacts.field." + key + ".taken")
		places, err := placesOf(tx, twin.ID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(places, func(p place) bool { return p.Own && by.Holds(access.ContactsSee, p.Path) }) {
			wrong[c.field] = fault.Msg("contacts.field."+key+".taken.by", "Name", twin.Name)
		}
	}
	return nil
}

// wantedDepartments reads the chosen departments, each in the actor's scope,
// and adds those outside it that the member is in now. Never empty: a super
// admin's member without any belongs to the organisation.
func wantedDepartments(tx *gorm.DB, by access.Actor, chosen []int64, places []place, wrong fault.Invalid) ([]Department, error) {
	ids := slices.Clone(chosen)
	for _, p := range places {
		if p.Own && !by.Holds(access.MembersEdit, p.Path) {
			ids = append(ids, p.ID)
		}
	}
	query := tx.Where("id IN ?", ids)
	if len(ids) == 0 {
		query = tx.Where("parent_id IS NULL")
	}
	var found []Department
	if err := query.Order("id").Find(&found).Error; err != nil {
		return nil, fmt.Errorf("read chosen departments: %w", err)
	}
	slices.Sort(ids)
	mine := 0
	for _, d := range found {
		if by.Holds(access.MembersEdit, d.Path) {
			mine++
		} else if slices.Contains(chosen, d.ID) {
			wrong["department_id"] = fault.Msg("contacts.member.department.scope")
		}
	}
	switch {
	case len(found) == 0 || len(ids) > 0 && len(found) < len(slices.Compact(ids)):
		wrong["department_id"] = fault.Msg("contacts.member.department.unknown")
	case mine == 0 && wrong["department_id"].Key == "":
		wrong["department_id"] = fault.Msg("contacts.member.department.missing")
	}
	return found, nil
}

// setPlaces makes wanted the departments of a member.
func setPlaces(tx *gorm.DB, memberID int64, wanted []Department, head string) error {
	keep := make([]int64, len(wanted))
	rows := make([]map[string]any, len(wanted))
	for i, d := range wanted {
		keep[i] = d.ID
		rows[i] = map[string]any{"member_id": memberID, "department_id": d.ID}
	}
	if err := tx.Exec("DELETE FROM member_departments WHERE member_id = ? AND department_id NOT IN ?", memberID, keep).Error; err != nil {
		return fmt.Errorf("leave departments: %w", err)
	}
	ignore := tx.Clauses(clause.OnConflict{DoNothing: true})
	if err := ignore.Table("member_departments").Create(rows).Error; err != nil {
		return fmt.Errorf("enter departments: %w", err)
	}
	switch head {
	case "on":
		if err := ignore.Table("department_heads").Create(rows).Error; err != nil {
			return fmt.Errorf("appoint head: %w", err)
		}
	case "off":
		if err := tx.Exec("DELETE FROM department_heads WHERE member_id = ? AND department_id IN ?", memberID, keep).Error; err != nil {
			return fmt.Errorf("remove head: %w", err)
		}
	}
	return nil
}

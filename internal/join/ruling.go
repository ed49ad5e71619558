package join

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// MaxStayDays is how far away the end of a stay may be.
const MaxStayDays = 1826

// prepare reads what a decision names: the reason of the list as it reads now,
// the end of the stay and the other group. One that names nothing needs no preparing.
func (s *Service) prepare(tx *gorm.DB, by access.Actor, d *Decision, ids []int64) error {
	wrong := fault.Invalid{}
	d.Reason = strings.TrimSpace(d.Reason)
	if err := d.choose(tx, wrong); err != nil {
		return err
	}
	switch {
	case wrong["reason"].Key != "":
	case !d.Approve && d.Reason == "" && d.preset == nil:
		wrong["reason"] = fault.Msg("requests.error.reason.missing")
	case utf8.RuneCountInString(d.text()) > MaxReason:
		wrong["reason"] = fault.Msg("requests.error.reason.long", "Max", MaxReason)
	}
	if d.Approve && strings.TrimSpace(d.Until) != "" {
		org, err := directory.LoadOrganisation(tx)
		if err != nil {
			return err
		}
		d.until = stayEnd(d.Until, org.Location(), s.now(), "until", wrong)
	}
	if d.Approve && d.Into != "" {
		if err := d.lead(tx, by, ids, wrong); err != nil {
			return err
		}
	}
	return wrong.Or()
}

// choose reads the reason of the list. One that was retired since the page was
// shown, or that is for the other decision, is no answer.
func (d *Decision) choose(tx *gorm.DB, wrong fault.Invalid) error {
	if d.Preset == 0 {
		return nil
	}
	var found []Reason
	if err := tx.Where("id = ? AND retired_at IS NULL", d.Preset).Limit(1).Find(&found).Error; err != nil {
		return fmt.Errorf("read the reason: %w", err)
	}
	switch {
	case len(found) == 0:
		wrong["reason"] = fault.Msg("deciding.error.preset.gone")
	case found[0].Decision == Approving != d.Approve:
		wrong["reason"] = fault.Msg("deciding.error.preset.other")
	default:
		d.preset = &found[0]
	}
	return nil
}

// lead reads the group that the applicant is let into instead.
func (d *Decision) lead(tx *gorm.DB, by access.Actor, ids []int64, wrong fault.Invalid) error {
	if len(ids) != 1 {
		wrong["into"] = fault.Msg("deciding.error.into.one")
		return nil
	}
	rows, err := byIDs(tx, ids)
	if err != nil {
		return err
	}
	row, there := rows[ids[0]]
	if !there || row.GroupGID == d.Into {
		return nil // not found is said elsewhere; its own group is where it leads anyway
	}
	doors, err := targets(tx, by, row)
	if err != nil {
		return err
	}
	for i := range doors {
		if doors[i].GID == d.Into {
			d.into = &doors[i]
			return nil
		}
	}
	wrong["into"] = fault.Msg("deciding.error.into")
	return nil
}

// targets are the other groups that by may let the applicant into: of the same
// series, and those that the code leads to.
func targets(tx *gorm.DB, by access.Actor, r Listed) ([]group.Group, error) {
	code := int64(0)
	if r.CodeID != nil {
		code = *r.CodeID
	}
	named := "(SELECT ? AS id UNION SELECT t.group_id FROM code_targets t WHERE t.code_id = ? UNION SELECT c.group_id FROM codes c WHERE c.id = ?)"
	var all []group.Group
	err := tx.Raw(`SELECT x.*, d.path AS department_path, d.name AS department_name FROM groups x JOIN departments d ON d.id = x.department_id
		WHERE x.status = 'active' AND x.join_mode <> 'off' AND x.id <> ? AND (x.type <> 'internal' OR ?)
			AND (x.id IN `+named+` OR x.series_id IN (SELECT o.series_id FROM groups o WHERE o.series_id IS NOT NULL AND o.id IN `+named+`))
		ORDER BY x.name, x.id LIMIT ?`, r.GroupID, r.GuestID == nil, r.GroupID, code, code, r.GroupID, code, code, choiceLimit).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("look for other groups: %w", err)
	}
	var mine []group.Group
	for _, g := range all {
		if access.Can(by, access.RequestsDecide, g.Object(false)) {
			mine = append(mine, g)
		}
	}
	return mine, nil
}

// stayEnd reads when a stay ends: the end of a day, or a moment.
func stayEnd(text string, loc *time.Location, now time.Time, field string, wrong fault.Invalid) *time.Time {
	text = strings.TrimSpace(text)
	var end time.Time
	if day, err := time.ParseInLocation(time.DateOnly, text, loc); err == nil {
		end = time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, loc)
	} else if end, err = time.ParseInLocation("2006-01-02T15:04", text, loc); err != nil {
		wrong[field] = fault.Msg("deciding.error.until")
		return nil
	}
	switch {
	case !end.After(now):
		wrong[field] = fault.Msg("deciding.error.until.past")
		return nil
	case end.After(now.AddDate(0, 0, MaxStayDays+1)):
		wrong[field] = fault.Msg("deciding.error.until.far", "Days", MaxStayDays)
		return nil
	}
	end = end.UTC()
	return &end
}

// text is the whole reason in the decider's language, for who knows no better.
func (d Decision) text() string {
	if d.preset == nil {
		return d.Reason
	}
	return strings.TrimSpace(d.preset.Text(d.English) + "\n" + d.Reason)
}

// columns are what a decision writes into a request. What decides by itself is
// named as the rule, and is nobody.
func (d Decision) columns(by access.Actor, at time.Time) map[string]any {
	set := map[string]any{"status": Rejected, "decided_at": at, "decided_by": nil, "rule": "", "reason": d.text(), "reason_free": d.Reason,
		"reason_id": nil, "reason_zh": "", "reason_en": "", "into_group_id": nil, "granted_until": nil}
	if d.Approve {
		set["status"] = Approved
	}
	if by.Kind == access.System {
		set["rule"] = by.Name
	} else {
		set["decided_by"] = by.MemberID
	}
	if d.preset != nil {
		set["reason_id"], set["reason_zh"], set["reason_en"] = d.preset.ID, d.preset.TextZh, d.preset.TextEn
	}
	if d.into != nil {
		set["into_group_id"] = d.into.ID
	}
	if d.until != nil {
		set["granted_until"] = *d.until
	}
	return set
}

// door is the group that an approval leads to beside the request's own, for locks.
func (d Decision) door() []int64 {
	if d.into == nil {
		return nil
	}
	return []int64{d.into.ID}
}

// admit takes the seat.
func (s *Service) admit(tx *gorm.DB, d Decision, m *group.Membership, at time.Time) (group.Admission, error) {
	if m.Until = d.until; d.into == nil {
		return group.LetIn(tx, s.trail, m, at)
	}
	m.GroupID, m.RulesVersion = d.into.ID, 0
	return group.LetInto(tx, s.trail, m, at)
}

func (d Decision) presetID() *int64 {
	if d.preset == nil {
		return nil
	}
	return &d.preset.ID
}

// decision is what the run decides, in the words of now. A reason that was
// retired since is still the one that was confirmed.
func (r Run) decision(tx *gorm.DB) (Decision, error) {
	d := Decision{Approve: r.Approve, Reason: r.Reason, English: r.English}
	if r.ReasonID == nil {
		return d, nil
	}
	d.preset = &Reason{}
	if err := tx.Where("id = ?", *r.ReasonID).Take(d.preset).Error; err != nil {
		return d, fmt.Errorf("read the reason: %w", err)
	}
	return d, nil
}

// said is what the run tells the applicants, in the author's language.
func (r Run) said(tx *gorm.DB) (string, error) {
	d, err := r.decision(tx)
	return d.text(), err
}

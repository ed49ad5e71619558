package code

import (
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// BatchValidities are what the codes of a batch of groups may have.
var BatchValidities = []string{"7d", "30d", Permanent}

// MayIssueFor reports what stands against by issuing a code of a validity for a
// group that is about to be made; nil is nothing.
func MayIssueFor(by access.Actor, g group.Group, p directory.Policies, validity string) *fault.Message {
	wrong := func(key string, args ...any) *fault.Message { m := fault.Msg(key, args...); return &m }
	period, counted := periods[validity]
	switch {
	case !slices.Contains(BatchValidities, validity):
		return wrong("codes.error.validity")
	case counted && p.TemporaryMaxDays > 0 && period > time.Duration(p.TemporaryMaxDays)*24*time.Hour:
		return wrong("codes.error.toolong", "Days", p.TemporaryMaxDays)
	case counted:
		return nil
	}
	if group.NatureOf(g.Type).CodeEnd {
		return wrong("charter.error.code.end")
	}
	missing, second := Permanence(by, g, p, false)
	switch {
	case missing != "":
		return wrong("operations.batch.error.permanent")
	case second:
		return wrong("codes.error.second")
	}
	return nil
}

// IssueMany writes one code for each of some groups that were just made, with a
// few statements, in the caller's transaction. It returns what to write into the trail.
func IssueMany(tx *gorm.DB, by access.Actor, groups []group.Group, validity string, at time.Time) ([]audit.Event, error) {
	at = at.UTC().Truncate(time.Microsecond)
	typed, err := newTypedCodes(tx, len(groups))
	if err != nil {
		return nil, err
	}
	codes := make([]Code, len(groups))
	for i, g := range groups {
		codes[i] = Code{PublicID: newPublicID(), GroupID: g.ID, Label: g.Name, Validity: validity, Fallback: Message, IssuedBy: by.MemberID, IssuedAt: at, TypedCode: &typed[i]}
		if period, counted := periods[validity]; counted {
			end := at.Add(period)
			codes[i].ValidUntil = &end
		}
	}
	if err := tx.CreateInBatches(&codes, 200).Error; err != nil {
		return nil, fmt.Errorf("write the codes: %w", err)
	}
	counters, events := make([]counter, len(codes)), make([]audit.Event, len(codes))
	for i, c := range codes {
		counters[i].CodeID = c.ID
		events[i] = event("code.issue", Facts{Code: c, DepartmentPath: groups[i].DepartmentPath, GroupName: groups[i].Name}, c.details())
	}
	if err := tx.CreateInBatches(&counters, 500).Error; err != nil {
		return nil, fmt.Errorf("write the codes' counters: %w", err)
	}
	return events, nil
}

type counter struct {
	CodeID int64 `gorm:"primaryKey;autoIncrement:false"`
}

func (counter) TableName() string { return "code_counters" }

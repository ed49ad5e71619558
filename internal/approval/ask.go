package approval

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// AskForGroup holds a group back until a super admin approves: a head's external
// one, any where the policy says so, and a member's own (req: D13, D18).
func (s *Service) AskForGroup(ctx context.Context, by access.Actor, d group.Draft) (int64, error) {
	plan, _, err := s.groups.Prepare(ctx, by, d)
	if err != nil {
		return 0, err
	}
	var id int64
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := s.groups.StoreImage(tx, &plan); err != nil {
			return err
		}
		path, err := departmentPath(tx, plan.DepartmentID)
		if err != nil {
			return err
		}
		if err := access.Check(by, access.GroupCreate, plan.Object(path)); err != nil {
			return err
		}
		id, err = s.ask(tx, by, Approval{Kind: kindOf(plan), Summary: plan.Name, DepartmentID: &plan.DepartmentID}, plan, path)
		return err
	})
	return id, err
}

func kindOf(p group.Plan) string {
	if p.Type == group.External {
		return GroupExternal
	}
	return GroupNew
}

// member is the payload of actions on one member.
type member struct{ MemberID int64 }

// AskForSuper asks the other super admins to appoint a member as one of them
// (kind SuperAppoint) or to take it away (SuperRemove). While there is only one
// it answers directory.NeedsSecond.
func (s *Service) AskForSuper(ctx context.Context, by access.Actor, kind, memberID, phone, note string) (int64, error) {
	return s.second(ctx, by, access.SupersAppoint, note, func(tx *gorm.DB) (q question, err error) {
		m, err := directory.ActiveMember(tx, memberID, phone)
		if err != nil {
			return q, err
		}
		switch {
		case kind == SuperAppoint && m.SuperAdmin:
			return q, fault.Conflict{Message: fault.Msg("approvals.error.already_super", "Name", m.Name)}
		case kind == SuperRemove && !m.SuperAdmin:
			return q, fault.Conflict{Message: fault.Msg("approvals.error.not_super", "Name", m.Name)}
		}
		return question{Approval: Approval{Kind: kind, Summary: m.Name}, payload: member{m.ID}}, nil
	})
}

// ask writes a request, once: while the same is waiting it answers Already.
func (s *Service) ask(tx *gorm.DB, by access.Actor, a Approval, payload any, path string) (int64, error) {
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return 0, err
	}
	raw, err := json.Marshal(payload)
	if err != nil {
		return 0, fmt.Errorf("payload of %s: %w", a.Kind, err)
	}
	now := s.now().UTC()
	a.Payload, a.Status, a.RequestedBy, a.RequestedAt = string(raw), Pending, by.MemberID, now
	a.ExpiresAt = now.AddDate(0, 0, policies.ApprovalDays)
	if a.Print == "" {
		a.Print = a.Payload
	}
	a.Print = fmt.Sprintf("%x", sha256.Sum256([]byte(a.Print)))
	if id, err := s.once(tx, &a); err != nil || id != 0 {
		return id, err
	}
	details := map[string]any{"kind": a.Kind}
	if a.Note != "" {
		details["reason"] = a.Note
	}
	return a.ID, s.trail.Record(tx, by, audit.Event{Action: "approval.ask", Object: a.audited(), DepartmentPath: path, Details: details})
}

func departmentPath(tx *gorm.DB, id int64) (string, error) {
	var paths []string
	if err := tx.Table("departments").Where("id = ?", id).Pluck("path", &paths).Error; err != nil {
		return "", fmt.Errorf("find department: %w", err)
	}
	if len(paths) == 0 {
		return "", fault.NotFound
	}
	return paths[0], nil
}

func (a Approval) audited() audit.Object {
	return audit.Object{Kind: "approval", ID: strconv.FormatInt(a.ID, 10), Name: a.Summary}
}

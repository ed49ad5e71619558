package views

import (
	"context"
	"fmt"
	"strings"

	"doorplate/internal/access"
	"doorplate/internal/group"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
)

func whyPath(q group.Question) string {
	department := ""
	if q.Department != 0 {
		department = fmt.Sprint(q.Department)
	}
	return paths.With(paths.Why, "right", q.Right, "group", q.Group, "code", q.Code, "department", department)
}

// whyBack is the page about which it was asked.
func whyBack(q group.Question) string {
	switch {
	case q.Code != "":
		return paths.To(paths.Code, q.Code)
	case q.Group != "":
		return paths.To(paths.Group, q.Group)
	case q.Department != 0:
		return paths.To(paths.Department, q.Department)
	}
	return ""
}

// rightWords is a right as a refusal names it; an unknown addition is left out.
func rightWords(ctx context.Context, a group.Answer) string {
	if key := "right." + a.Named; i18n.Has(i18n.Lang(ctx), key) {
		return t(ctx, key)
	}
	return t(ctx, "right."+string(a.Right))
}

func whyTitle(ctx context.Context, p WhyProps) string {
	if p.Reason.Verdict == access.Denied || p.Own {
		return t(ctx, "why.cannot", "Right", t(ctx, "right."+string(p.Right)))
	}
	return t(ctx, "why.can", "Right", t(ctx, "right."+string(p.Right)))
}

// whyLines says what stands in the way, the most telling first.
func whyLines(ctx context.Context, a group.Answer) []string {
	if a.Own {
		return []string{t(ctx, "why.own", "Right", rightWords(ctx, a))}
	}
	switch a.Reason.Verdict {
	case access.Allowed:
		return []string{t(ctx, "why.allowed")}
	case access.NeedsApproval:
		return []string{t(ctx, "why.second")}
	}
	var lines []string
	if a.Reason.Lacks {
		lines = append(lines, t(ctx, "why.lacks", "Right", t(ctx, "right."+string(a.Right))))
	}
	for _, c := range a.Reason.Causes {
		lines = append(lines, t(ctx, "why.cause."+string(c)))
	}
	return lines
}

// whyGiven says how a right is given.
func whyGiven(r access.Right) string {
	if access.Grantable(r) {
		return "why.given.role"
	}
	return "why.given.super"
}

// whyHow says what lets a person.
func whyHow(ctx context.Context, x group.Somebody) string {
	key := "why.how." + x.How
	if strings.Contains(" owner review content events ", " "+x.How+" ") {
		key = "groups.duty." + x.How
	}
	return t(ctx, key, "Where", x.Where)
}

// lacks are the rights behind the entries that the menu does not show.
func (c Chrome) lacks() (rights []access.Right) {
	for _, entry := range []struct {
		shown bool
		right access.Right
	}{{c.CanCodes, access.CodeDownload}, {c.CanApprovals, access.ApprovalsSee}, {c.CanAudit, access.AuditRead}, {c.CanSettings, access.OrganisationEdit}} {
		if !entry.shown {
			rights = append(rights, entry.right)
		}
	}
	return rights
}

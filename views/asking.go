package views

import (
	"context"
	"strings"

	"doorplate/internal/group"
)

// of is what the visitor typed into a field, now or before.
func (t JoinTyped) of(field string) string {
	if t.Field == nil {
		return ""
	}
	return t.Field(field)
}

// fieldLabel names a field of the questionnaire and says when it may stay empty.
func (p JoinProps) fieldLabel(ctx context.Context, f group.Field) string {
	if f.Required {
		return f.Label
	}
	return t(ctx, "asking.join.optional", "Label", f.Label)
}

// askedNames names what is asked; "" is nothing.
func askedNames(ctx context.Context, a group.Asking) string {
	var names []string
	for _, one := range []struct {
		name string
		is   bool
	}{{group.AskInvite, a.Invite}, {group.AskLast4, a.Last4}, {group.AskQuestion, a.Question != ""}, {group.AskEmail, len(a.Domains) > 0}, {group.AskFields, len(a.Fields) > 0}} {
		if one.is {
			names = append(names, t(ctx, "asking.name."+one.name))
		}
	}
	return strings.Join(names, t(ctx, "join.and"))
}

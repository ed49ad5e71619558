package views

import (
	"context"

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

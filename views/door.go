package views

import (
	"context"

	"github.com/a-h/templ"
)

type joinStateKey struct{}

// WithJoinState names the state that joinPage writes on <main data-join-state>:
// form, pending, in, refused, full or off.
func WithJoinState(ctx context.Context, state string) context.Context {
	return context.WithValue(ctx, joinStateKey{}, state)
}

func joinState(ctx context.Context) templ.Attributes {
	if state, ok := ctx.Value(joinStateKey{}).(string); ok {
		all := templ.Attributes{"data-join-state": state}
		if at := joinLive(ctx); at != "" {
			all["data-live"] = at
		}
		return all
	}
	return templ.Attributes{}
}

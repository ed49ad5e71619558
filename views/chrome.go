package views

import (
	"context"

	"doorplate/internal/i18n"
)

// Chrome is what surrounds every console page: who reads it and what waits.
type Chrome struct {
	Organisation string
	Name         string // of the reader
	RoleKey      string // catalog key of the reader's tier
	Path         string // of this request, for the language switch
	Requests     int    // pending join requests in scope; at most CountLimit+1 are counted
	Approvals    int    // actions that wait for a second person
	Notices      int    // unread ones of the reader
	Flash        *Flash

	CanRequests, CanCodes, CanApprovals, CanRecert, CanAudit, CanSettings, CanImport, CanCreateGroup bool
	CanCases                                                                                         bool
	CanExport, CanTrace                                                                              bool
}

// CountLimit is where counts in the navigation end: beyond it they read "99+".
const CountLimit = 99

// Flash is a note about what the last form did, shown once.
type Flash struct {
	Kind string // ok, info, warn, stop
	Text string
	Undo *UndoProps // of what the form did, while that can be taken back
}

type chromeKey struct{}

// WithChrome hands the chrome to the layout.
func WithChrome(ctx context.Context, c Chrome) context.Context {
	return context.WithValue(ctx, chromeKey{}, c)
}

func chrome(ctx context.Context) Chrome {
	c, _ := ctx.Value(chromeKey{}).(Chrome)
	return c
}

// t is the text of key in the reader's language.
func t(ctx context.Context, key string, args ...any) string { return i18n.T(ctx, key, args...) }

// Package fault names the ways a request can fail that the person asking can
// do something about. Any other error is internal: it is logged, never shown.
package fault

import (
	"errors"
	"sort"
	"strings"
	"time"
)

// NotFound is the answer for what does not exist and for what lies outside the
// asker's scope: the two must not be told apart.
//
//lint:ignore ST1012 it reads as fault.NotFound, beside the error types
var NotFound = errors.New("not found")

// Message is a catalog key with the name/value pairs its text needs.
type Message struct {
	Key  string
	Args []any
}

// Msg makes a Message; args are name, value, name, value, …
func Msg(key string, args ...any) Message { return Message{Key: key, Args: args} }

// Forbidden says that the object is in the asker's scope but a right is missing.
// Right is the catalog key suffix below "right.".
type Forbidden struct{ Right string }

func (f Forbidden) Error() string { return "missing right " + f.Right }

// Conflict says that the world moved first. By and At name who and when, if known.
type Conflict struct {
	Message
	By string
	At time.Time
}

func (c Conflict) Error() string { return "conflict: " + c.Key }

// Invalid maps a form field to what is wrong with it. The field "" is the form itself.
type Invalid map[string]Message

func (v Invalid) Error() string {
	fields := make([]string, 0, len(v))
	for f, m := range v {
		fields = append(fields, f+"="+m.Key)
	}
	sort.Strings(fields)
	return "invalid input: " + strings.Join(fields, " ")
}

// Or returns v as an error, or nil when no field is wrong.
func (v Invalid) Or() error {
	if len(v) == 0 {
		return nil
	}
	return v
}

// TooMany says that a limit is used up and when to try again.
type TooMany struct {
	Message
	After time.Duration
}

func (t TooMany) Error() string { return "too many: " + t.Key }

// TooLarge says that a body or file is over its limit in bytes.
type TooLarge struct{ Limit int64 }

func (TooLarge) Error() string { return "too large" }

// Gone says that the object existed and is over for good.
type Gone struct{ Message }

func (g Gone) Error() string { return "gone: " + g.Key }

// Unavailable says that something we depend on does not answer; nothing was saved.
type Unavailable struct{ Err error }

func (u Unavailable) Error() string { return "unavailable: " + u.Err.Error() }

// Unwrap gives the cause for the log.
func (u Unavailable) Unwrap() error { return u.Err }

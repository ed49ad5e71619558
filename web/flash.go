package web

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/i18n"
	"doorplate/views"
)

const flashCookie = "doorplate_note"

type note struct {
	Kind string         `json:"k"`
	Key  string         `json:"m"`
	Args map[string]any `json:"a,omitempty"`
	Undo []int64        `json:"u,omitempty"` // decisions that can be taken back
	Till int64          `json:"t,omitempty"` // for so long
	Back string         `json:"b,omitempty"` // where to go then
}

// flash shows a note on the next page this browser opens. args are name, value, …
func (s *server) flash(c echo.Context, kind, key string, args ...any) {
	n := note{Kind: kind, Key: key, Args: map[string]any{}}
	for i := 0; i+1 < len(args); i += 2 {
		n.Args[args[i].(string)] = args[i+1]
	}
	s.leave(c, n)
}

// leave keeps a note for the next page.
func (s *server) leave(c echo.Context, n note) {
	raw, err := json.Marshal(n)
	if err != nil {
		return // a note is a courtesy, never a reason to fail
	}
	c.SetCookie(s.cookie(flashCookie, base64.RawURLEncoding.EncodeToString(raw), time.Minute))
}

// takeFlash reads the note for a page that is about to be shown and removes it.
func (s *server) takeFlash(c echo.Context) *views.Flash {
	ck, err := c.Cookie(s.cookieName(flashCookie))
	if err != nil || c.Request().Method != "GET" || wantsJSON(c) {
		return nil
	}
	c.SetCookie(s.cookie(flashCookie, "", -1))
	raw, err := base64.RawURLEncoding.DecodeString(ck.Value)
	var n note
	if err != nil || json.Unmarshal(raw, &n) != nil || !noteKinds[n.Kind] || !i18n.Has(i18n.Chinese, n.Key) {
		return nil
	}
	var args []any
	for name, value := range n.Args {
		if f, ok := value.(float64); ok {
			value = int(f)
		}
		args = append(args, name, value)
	}
	return &views.Flash{Kind: n.Kind, Text: i18n.T(c.Request().Context(), n.Key, args...), Undo: s.undoOf(n)}
}

var noteKinds = map[string]bool{"ok": true, "info": true, "warn": true, "stop": true}

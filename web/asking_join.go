package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"doorplate/internal/join"
)

// proofs are what the form answers to the challenges of a group.
func proofs(c echo.Context) join.Proofs {
	p := join.Proofs{Answer: c.FormValue(join.FieldAnswer), Invite: c.FormValue(join.FieldInvite), Last4: c.FormValue(join.FieldLast4),
		Email: c.FormValue(join.FieldEmail), Fields: map[string]string{}}
	for name, values := range c.Request().PostForm {
		if join.QuestionKey(name) && len(values) > 0 {
			p.Fields[name] = values[0]
		}
	}
	return p
}

// keepDraft keeps what was typed for the next look at the form.
func (s *server) keepDraft(c echo.Context) error {
	typed := join.Draft{}
	for name, values := range c.Request().PostForm {
		if len(values) > 0 {
			typed[name] = values[0]
		}
	}
	return s.Joins.KeepDraft(c.Request().Context(), s.joinSecret(c), typed)
}

// saveJoinDraft takes what the page's script sends while somebody types. It has
// no page: nobody looks at its answer.
func (s *server) saveJoinDraft(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	if err := s.keepDraft(c); err != nil {
		return s.orScanAgain(c, err)
	}
	return c.NoContent(http.StatusNoContent)
}

// typedOr reads a field as it was sent with this form, else as it stands in the draft.
func typedOr(c echo.Context, draft join.Draft) func(string) string {
	return func(name string) string {
		if sent := c.Request().PostForm; sent.Has(name) {
			return sent.Get(name)
		}
		return draft[name]
	}
}

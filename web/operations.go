package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"doorplate/internal/paths"
	"doorplate/views"
)

// showMerge lets a reader choose the group that takes this one over, and then
// says what will happen.
func (s *server) showMerge(c echo.Context) error {
	if into := queryText(c, "into"); into != "" {
		return s.mergePage(c, http.StatusOK, into, nil)
	}
	return s.mergeChoice(c, http.StatusOK, "")
}

// mergeChoice is the first step; wrong is what stands against the group that was named.
func (s *server) mergeChoice(c echo.Context, status int, wrong string) error {
	ctx, by := c.Request().Context(), actor(c)
	g, err := s.Operations.MergeFrom(ctx, by, c.Param("id"))
	if err != nil {
		return err
	}
	p := views.MergeChoiceProps{From: g, Q: queryText(c, "q"), Wrong: wrong}
	if p.Choices, p.More, err = s.Operations.Successors(ctx, by, g, p.Q); err != nil {
		return err
	}
	return render(c, status, views.MergeChoice(p))
}

// mergePage is the confirmation.
func (s *server) mergePage(c echo.Context, status int, into string, bad map[string]string) error {
	m, err := s.Operations.PreviewMerge(c.Request().Context(), actor(c), c.Param("id"), into)
	if wrong, ok := complaints(c, err); ok {
		return s.mergeChoice(c, http.StatusUnprocessableEntity, wrong["into"])
	} else if err != nil {
		return err
	}
	return render(c, status, views.Merge(views.MergeProps{Merging: m, Reason: c.FormValue("reason"), Confirm: c.FormValue("confirm_name"), Errors: bad}))
}

func (s *server) mergeGroup(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	var confirm *string
	if typed, given := c.Request().PostForm["confirm_name"]; given {
		confirm = &typed[0]
	}
	into := c.FormValue("into")
	err := s.Operations.Merge(c.Request().Context(), actor(c), c.Param("id"), into, c.FormValue("reason"), confirm)
	if bad, ok := complaints(c, err); ok {
		return s.mergePage(c, http.StatusUnprocessableEntity, into, bad)
	}
	return s.done(c, err, "operations.merge.done", paths.To(paths.Group, into))
}

func (s *server) showLifecycle(c echo.Context) error { return s.lifecyclePage(c, http.StatusOK, nil) }

func (s *server) lifecyclePage(c echo.Context, status int, bad map[string]string) error {
	ctx, by, gid := c.Request().Context(), actor(c), c.Param("id")
	l, err := s.Groups.Lifecycle(ctx, by, gid)
	if err != nil {
		return err
	}
	p := views.LifecycleProps{Lifecycle: l, Errors: bad, Now: s.Now()}
	if l.Can.Codes {
		if p.Numbers, err = s.Groups.Numbers(ctx, by, gid); err != nil {
			return err
		}
	}
	return render(c, status, views.Lifecycle(p))
}

func (s *server) changeLifecycle(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, by, gid := c.Request().Context(), actor(c), c.Param("id")
	var err error
	switch c.FormValue("action") {
	case "done", "undone":
		err = s.Groups.Tick(ctx, by, gid, c.FormValue("item"), c.FormValue("action") == "done")
	default:
		err = s.Groups.SetStage(ctx, by, gid, c.FormValue("stage"))
	}
	if bad, ok := complaints(c, err); ok {
		return s.lifecyclePage(c, http.StatusUnprocessableEntity, bad)
	}
	return s.done(c, err, "operations.stage.saved", paths.To(paths.GroupLifecycle, gid))
}

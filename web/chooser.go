package web

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/paths"
	"doorplate/views"
)

// typedSuffix makes the name of the field in which a department is typed
// instead of chosen.
const typedSuffix = "_text"

// resolveDepartments turns what was typed beside a choice of departments into
// that choice, so that the handlers find ids alone. What means several
// departments, or none, stays in the field as something that is no department;
// the form then comes back with the matches. Call it after form(c).
func (s *server) resolveDepartments(c echo.Context, field string, r directory.Range, several bool) error {
	typed := c.FormValue(field + typedSuffix)
	if typed == "" {
		return nil
	}
	found, err := s.Directory.Find(c.Request().Context(), actor(c), r, typed)
	if err != nil {
		return err
	}
	chosen := c.Request().PostForm[field]
	for _, f := range found {
		if slices.Contains(chosen, strconv.FormatInt(f.ID, 10)) {
			return nil // one of the matches was chosen
		}
	}
	meant := "?"
	if len(found) == 1 {
		meant = strconv.FormatInt(found[0].ID, 10)
	}
	if several {
		chosen = append(slices.Clone(chosen), meant)
	} else {
		chosen = []string{meant}
	}
	c.Request().PostForm[field], c.Request().Form[field] = chosen, chosen
	return nil
}

// chooser prepares a choice of departments for a form that may have been sent before.
func (s *server) chooser(c echo.Context, field string, r directory.Range, several bool, chosen ...string) (views.Chooser, error) {
	var ids []int64
	for _, text := range chosen {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil && id > 0 && len(ids) < 100 {
			ids = append(ids, id)
		}
	}
	typed := ""
	if c.Request().Method == http.MethodPost {
		typed = c.FormValue(field + typedSuffix)
	}
	choice, err := s.Directory.Choose(c.Request().Context(), actor(c), r, ids, typed)
	return views.Chooser{Chooser: choice, Field: field, Several: several, IDs: ids}, err
}

// groupHomes are the departments in which by may make groups: for staff who may
// start some, their own too.
func groupHomes(by access.Actor) directory.Range {
	r := directory.Within(access.GroupCreate)
	r.Own = by.Creation.Staff != access.Denied
	return r
}

// findDepartments searches the departments the reader may open.
func (s *server) findDepartments(c echo.Context) error {
	p := views.FindDepartmentsProps{Q: queryText(c, "q")}
	if p.Q == "" {
		return render(c, http.StatusOK, views.FindDepartments(p))
	}
	found, err := s.Directory.Find(c.Request().Context(), actor(c), directory.InSight, p.Q)
	if err != nil {
		return err
	}
	if len(found) == 1 {
		return c.Redirect(http.StatusSeeOther, paths.To(paths.Department, found[0].ID))
	}
	if p.More = len(found) > directory.MatchesShown; p.More {
		found = found[:directory.MatchesShown]
	}
	p.Found = found
	return render(c, http.StatusOK, views.FindDepartments(p))
}

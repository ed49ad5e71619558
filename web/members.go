package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/views"
	"doorplate/views/ui"
)

// formID is a row's number in a form: 0 when it is empty; nonsense is what does not exist.
func formID(c echo.Context, field string) (int64, error) {
	text := c.FormValue(field)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fault.NotFound
	}
	return n, nil
}

func (s *server) showMember(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	p, err := s.Directory.Profile(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	by := actor(c)
	held, err := s.Directory.RolesOf(c.Request().Context(), by, id)
	if err != nil {
		return err
	}
	leads := slices.ContainsFunc(p.Departments, func(d directory.DepartmentRef) bool { return d.Leads })
	return render(c, http.StatusOK, views.Member(views.MemberProps{Profile: p, Self: by.MemberID == id, Roles: held,
		Away: leads && p.Member.Status == directory.Active && (by.MemberID == id || p.CanHeads)}))
}

// memberInput reads the form. A department that is no number is one that does not exist.
func memberInput(c echo.Context) directory.MemberInput {
	in := directory.MemberInput{JobNumber: c.FormValue("job_number"), Name: c.FormValue("name"), Phone: c.FormValue("phone"), Email: c.FormValue("email")}
	for _, text := range c.Request().Form["department_id"] {
		if text == "" {
			continue
		}
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			id = -1
		}
		in.Departments = append(in.Departments, id)
	}
	switch c.FormValue("head") {
	case "on", "yes", "true", "1":
		in.Head = "on"
	case "off", "no", "false", "0":
		in.Head = "off"
	}
	return in
}

// memberForm shows the form with the departments that the reader may choose.
func (s *server) memberForm(c echo.Context, status int, p views.MemberFormProps) error {
	ctx, by := c.Request().Context(), actor(c)
	ids := make([]string, len(p.Input.Departments))
	for i, id := range p.Input.Departments {
		ids[i] = strconv.FormatInt(id, 10)
	}
	var err error
	if p.Choose, err = s.chooser(c, "department_id", directory.Within(access.MembersEdit), true, ids...); err != nil {
		return err
	}
	p.Heads = access.Can(by, access.HeadsAppoint, access.Object{})
	p.Crumbs = []ui.Crumb{{Text: i18n.T(ctx, "nav.contacts"), Href: paths.Contacts}}
	if p.ID != 0 {
		p.Crumbs = append(p.Crumbs, ui.Crumb{Text: p.Title, Href: paths.To(paths.Member, p.ID)}, ui.Crumb{Text: i18n.T(ctx, "contacts.member.edit")})
		p.Title = i18n.T(ctx, "contacts.member.edit.title", "Name", p.Title)
	} else {
		p.Title = i18n.T(ctx, "contacts.member.new")
		p.Crumbs = append(p.Crumbs, ui.Crumb{Text: p.Title})
	}
	return render(c, status, views.MemberForm(p))
}

func (s *server) newMember(c echo.Context) error {
	in := directory.MemberInput{}
	if id := queryNumber(c, "department"); id != 0 {
		in.Departments = []int64{id}
	}
	return s.memberForm(c, http.StatusOK, views.MemberFormProps{Input: in})
}

func (s *server) createMember(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	if err := s.resolveDepartments(c, "department_id", directory.Within(access.MembersEdit), true); err != nil {
		return err
	}
	in := memberInput(c)
	id, err := s.Directory.CreateMember(c.Request().Context(), actor(c), in)
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.memberForm(c, http.StatusUnprocessableEntity, views.MemberFormProps{Input: in, Errors: told(c.Request().Context(), wrong)})
	} else if err != nil {
		return err
	}
	s.flash(c, "ok", "contacts.flash.created")
	return c.Redirect(http.StatusSeeOther, paths.To(paths.Member, id))
}

func (s *server) editMember(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	p, err := s.Directory.Editable(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	in := directory.MemberInput{Name: p.Member.Name, Phone: p.Member.Phone, Email: p.Member.Email}
	if p.Member.JobNumber != nil {
		in.JobNumber = *p.Member.JobNumber
	}
	for _, d := range p.Departments {
		if d.Own {
			in.Departments = append(in.Departments, d.ID)
		}
	}
	return s.memberForm(c, http.StatusOK, views.MemberFormProps{ID: id, Title: p.Member.Name, Input: in, Far: farDepartments(actor(c), p)})
}

// farDepartments are those a head cannot take a member out of.
func farDepartments(by access.Actor, p directory.Profile) []directory.DepartmentRef {
	return slices.DeleteFunc(slices.Clone(p.Departments), func(d directory.DepartmentRef) bool {
		return !d.Own || by.Holds(access.MembersEdit, d.Path)
	})
}

func (s *server) updateMember(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	if err := s.resolveDepartments(c, "department_id", directory.Within(access.MembersEdit), true); err != nil {
		return err
	}
	ctx, in := c.Request().Context(), memberInput(c)
	err = s.Directory.UpdateMember(ctx, actor(c), id, in)
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		p, readErr := s.Directory.Editable(ctx, actor(c), id)
		if readErr != nil {
			return readErr
		}
		return s.memberForm(c, http.StatusUnprocessableEntity,
			views.MemberFormProps{ID: id, Title: p.Member.Name, Input: in, Far: farDepartments(actor(c), p), Errors: told(ctx, wrong)})
	} else if err != nil {
		return err
	}
	s.flash(c, "ok", "contacts.flash.saved")
	return c.Redirect(http.StatusSeeOther, paths.To(paths.Member, id))
}

func (s *server) confirmDepart(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	return s.departPage(c, http.StatusOK, id, "", nil)
}

func (s *server) departPage(c echo.Context, status int, id int64, reason string, wrong map[string]string) error {
	ctx, by := c.Request().Context(), actor(c)
	p, err := s.Directory.Profile(ctx, by, id)
	if err != nil {
		return err
	}
	ended, err := s.Directory.PreviewDeparture(ctx, by, id)
	if wrong, err = refusedDeparture(ctx, wrong, err); err != nil {
		return err
	}
	return render(c, status, views.Depart(views.DepartProps{Profile: p, Ended: ended, Reason: reason, Errors: wrong}))
}

// refusedDeparture turns what stands in the way of a departure into the page's
// note: the page itself can be read all the same.
func refusedDeparture(ctx context.Context, wrong map[string]string, err error) (map[string]string, error) {
	var invalid fault.Invalid
	if !errors.As(err, &invalid) {
		return wrong, err
	}
	return told(ctx, invalid), nil
}

func (s *server) departMember(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx, reason := c.Request().Context(), c.FormValue("reason")
	err = s.Directory.Depart(ctx, actor(c), id, reason)
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.departPage(c, http.StatusUnprocessableEntity, id, reason, told(ctx, wrong))
	} else if err != nil {
		return err
	}
	s.flash(c, "ok", "contacts.flash.departed")
	return c.Redirect(http.StatusSeeOther, paths.To(paths.Member, id))
}

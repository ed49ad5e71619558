package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/paths"
	"doorplate/views"
)

// headCandidates is up to how many members a department's choice of a head lists;
// in a larger one they are named by their phone.
const headCandidates = 200

func (s *server) listContacts(c echo.Context) error {
	return s.contacts(c, http.StatusOK, 0, views.DepartmentForm{})
}

func (s *server) showDepartment(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	return s.contacts(c, http.StatusOK, id, views.DepartmentForm{})
}

// contacts shows a department (0 = everything in sight) with its members, and
// the form that was refused, if one was.
func (s *server) contacts(c echo.Context, status int, department int64, typed views.DepartmentForm) error {
	ctx, by := c.Request().Context(), actor(c)
	q := directory.Search{Query: queryText(c, "q"), Department: department, Departed: c.QueryParam("view") == directory.Departed, After: queryNumber(c, "after")}
	page, err := s.Directory.Members(ctx, by, q)
	if err != nil {
		return err
	}
	open := openNodes(c)
	tree, err := s.Directory.Tree(ctx, by, department, open)
	if err != nil {
		return err
	}
	p := views.ContactsProps{Tree: tree, Open: open, Page: page, Q: q.Query, Departed: q.Departed, First: q.After == 0, Form: typed,
		CanMembers: access.Can(by, access.MembersEdit, access.Object{}), Self: by.MemberID}
	if tree.Root != nil {
		p.CanDepartments = by.Holds(access.DepartmentsEdit, tree.Root.Path)
	}
	if department != 0 {
		if err := s.addDepartment(c, department, &p); err != nil {
			return err
		}
	}
	return render(c, status, views.Contacts(p))
}

// openNodes are the departments that the reader unfolded in the tree.
func openNodes(c echo.Context) (open []int64) {
	for _, text := range strings.Split(c.QueryParam("open"), ",") {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil && id > 0 && len(open) < 20 && !slices.Contains(open, id) {
			open = append(open, id)
		}
	}
	return open
}

func (s *server) addDepartment(c echo.Context, id int64, p *views.ContactsProps) error {
	ctx, by := c.Request().Context(), actor(c)
	d, err := s.Directory.DepartmentPage(ctx, by, id)
	if err != nil {
		return err
	}
	p.Department, p.Node, p.CanMembers, p.CanDepartments = &d, p.Tree.Node(id), d.CanMembers, d.CanEdit
	if p.Node == nil {
		return fault.NotFound // gone between the two reads
	}
	if d.Groups > 0 || !d.SubtreeIsVisible {
		if p.HasSheet, err = s.Press.HasSheet(ctx, by, id); err != nil {
			return err
		}
	}
	p.Lacks = missing(by, access.Object{Path: d.Department.Path}, access.MembersEdit, access.DepartmentsEdit, access.HeadsAppoint)
	if p.CanDepartments && p.Node.Parent != nil {
		if err := s.addDestinations(c, p); err != nil {
			return err
		}
	}
	if p.Leadership, err = s.Directory.Leadership(ctx, by, id); err != nil || !p.Leadership.CanAppoint || p.Node.Members > headCandidates {
		return err
	}
	some, err := s.Directory.Members(ctx, by, directory.Search{Department: id, Limit: headCandidates})
	if err != nil {
		return err
	}
	p.Candidates = some.Rows
	return nil
}

// addDestinations offers where the department may move.
func (s *server) addDestinations(c echo.Context, p *views.ContactsProps) (err error) {
	above := ""
	if p.Node.ParentID != nil {
		above = strconv.FormatInt(*p.Node.ParentID, 10)
	}
	if p.MoveTo, err = s.chooser(c, "parent_id", directory.Within(access.DepartmentsEdit), false, above); err != nil {
		return err
	}
	p.MoveTo.Few = slices.DeleteFunc(p.MoveTo.Few, func(d directory.Option) bool { return strings.HasPrefix(d.Path, p.Node.Path) })
	return nil
}

// departmentAnswer ends a POST about a department: done, its page with the
// field's message, or the error.
func (s *server) departmentAnswer(c echo.Context, err error, id int64, typed views.DepartmentForm) error {
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		typed.Errors = told(c.Request().Context(), wrong)
		return s.contacts(c, http.StatusUnprocessableEntity, id, typed)
	} else if err != nil {
		return err
	}
	s.flash(c, "ok", "contacts.flash."+typed.Which)
	return c.Redirect(http.StatusSeeOther, paths.To(paths.Department, id))
}

func (s *server) createDepartment(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx := c.Request().Context()
	typed := views.DepartmentForm{Which: "new", Name: c.FormValue("name")}
	parent, err := formID(c, "parent_id")
	if err != nil {
		return err
	}
	id, err := s.Directory.CreateDepartment(ctx, actor(c), typed.Name, parent)
	if err != nil {
		id = parent
		if tree, readErr := s.Directory.Tree(ctx, actor(c), 0, nil); parent == 0 && readErr == nil && tree.Root != nil {
			id = tree.Root.ID
		}
	}
	return s.departmentAnswer(c, err, id, typed)
}

func (s *server) renameDepartment(c echo.Context) error {
	return s.changeDepartment(c, "rename", func(id int64) error {
		return s.Directory.RenameDepartment(c.Request().Context(), actor(c), id, c.FormValue("name"))
	})
}

func (s *server) changeHeads(c echo.Context) error {
	return s.changeDepartment(c, "heads", func(id int64) error {
		ctx, by, member, phone := c.Request().Context(), actor(c), c.FormValue("member_id"), c.FormValue("phone")
		switch c.FormValue("action") {
		case "add":
			return s.Directory.AddHead(ctx, by, id, member, phone)
		case "remove":
			return s.Directory.RemoveHead(ctx, by, id, member, phone)
		}
		if err := s.Directory.MayAppoint(ctx, by, id); err != nil {
			return err
		}
		return fault.Invalid{"action": fault.Msg("contacts.heads.action")}
	})
}

func (s *server) changeDepartment(c echo.Context, which string, change func(id int64) error) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	typed := views.DepartmentForm{Which: which, Name: c.FormValue("name"), Phone: c.FormValue("phone")}
	return s.departmentAnswer(c, change(id), id, typed)
}

func (s *server) deleteDepartment(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	parent, err := s.Directory.DeleteDepartment(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	s.flash(c, "ok", "contacts.flash.delete")
	return c.Redirect(http.StatusSeeOther, paths.To(paths.Department, parent))
}

package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/paths"
	"doorplate/views"
)

func (s *server) listGroups(c echo.Context) error {
	f, view := groupFilter(c)
	own, err := s.Approvals.Wishes(c.Request().Context(), actor(c))
	if err != nil {
		return err
	}
	page, err := s.Groups.List(c.Request().Context(), actor(c), f)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.Groups(views.GroupsProps{Page: page, Tier: f.Tier, Own: own, View: view, Stage: f.Stage, Q: f.Q, First: f.After == 0, Now: s.Now(),
		CanCreate: access.Can(actor(c), access.GroupCreate, access.Object{}), Manages: access.Can(actor(c), access.CodeDownload, access.Object{}), Batches: group.MayCreateMany(actor(c)) == nil}))
}

// groupFilter reads the saved view and the search; a type or status given by
// hand narrows further.
func groupFilter(c echo.Context) (group.Filter, string) {
	f := group.Filter{Q: queryText(c, "q"), Tier: queryText(c, "tier"), After: queryNumber(c, "after")}
	if stage := c.QueryParam("stage"); access.Can(actor(c), access.CodeDownload, access.Object{}) && (stage == "quiet" || slices.Contains(group.Stages, stage)) {
		f.Stage = stage
	}
	view := c.QueryParam("view")
	switch view {
	case "attention":
		f.Attention = true
	case "disbanded":
		f.Disbanded = true
	case group.Internal, group.External, group.Training:
		f.Type = view
	default:
		view = ""
	}
	switch kind := c.QueryParam("type"); kind {
	case group.Internal, group.External, group.Training:
		f.Type = kind
	}
	if c.QueryParam("status") == group.Disbanded {
		f.Disbanded = true
	}
	return f, view
}

func (s *server) newGroup(c echo.Context) error {
	d := group.Draft{Type: group.Internal, JoinMode: group.Approval, EntryKind: group.EntryNone, DepartmentID: strconv.FormatInt(queryNumber(c, "department"), 10)}
	return s.groupForm(c, http.StatusOK, d, nil)
}

// groupForm shows the form for a new group, with the chosen preset's values.
func (s *server) groupForm(c echo.Context, status int, d group.Draft, bad map[string]string) error {
	ctx, by := c.Request().Context(), actor(c)
	presets, err := s.Groups.Presets(ctx)
	if err != nil {
		return err
	}
	choose, err := s.chooser(c, "department_id", groupHomes(actor(c)), false, d.DepartmentID)
	if err != nil {
		return err
	}
	policies, err := s.Directory.Policies(ctx)
	if err != nil {
		return err
	}
	p := views.GroupFormProps{Draft: d, Errors: bad, Choose: choose, Presets: presets, UpstreamDays: policies.UpstreamDays, Asks: !by.Super, Starts: group.Starts(by),
		Waits: access.Decide(by, access.GroupCreate, access.Object{}) == access.NeedsApproval}
	chosen := queryNumber(c, "preset")
	for i, preset := range presets {
		switch {
		case bad == nil && preset.ID == chosen:
			p.Preset, p.Draft.Type, p.Draft.Capacity = &presets[i], preset.Type, strconv.Itoa(preset.Capacity)
		case bad == nil && p.Draft.Capacity == "" && chosen == 0 && preset.Type == d.Type:
			p.Draft.Capacity = strconv.Itoa(preset.Capacity)
		}
	}
	return render(c, status, views.NewGroup(p))
}

func (s *server) createGroup(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	if err := s.resolveDepartments(c, "department_id", groupHomes(actor(c)), false); err != nil {
		return err
	}
	d, err := draft(c, group.Draft{})
	if err != nil {
		return err
	}
	ctx, by := c.Request().Context(), actor(c)
	g, err := s.Groups.Create(ctx, by, d)
	if errors.Is(err, group.ErrNeedsApproval) {
		var id int64
		if id, err = s.Approvals.AskForGroup(ctx, by, d); err == nil {
			s.flash(c, "ok", "groups.asked", "Name", group.OneLine(d.Name))
			return c.Redirect(http.StatusSeeOther, paths.To(paths.Approval, id))
		}
		if _, ok := complaints(c, err); !ok {
			return s.asked(c, id, err)
		}
	}
	if bad, ok := complaints(c, err); ok {
		return s.groupForm(c, http.StatusUnprocessableEntity, d, bad)
	}
	if err != nil {
		return err
	}
	s.flash(c, "ok", "groups.created", "Name", g.Name)
	return c.Redirect(http.StatusSeeOther, paths.To(paths.Group, g.GID))
}

// draft lays the fields that the form has over those there are.
func draft(c echo.Context, d group.Draft) (group.Draft, error) {
	fields := map[string]*string{"name": &d.Name, "type": &d.Type, "department_id": &d.DepartmentID, "capacity": &d.Capacity, "purpose": &d.Purpose,
		"join_mode": &d.JoinMode, "entry_kind": &d.EntryKind, "entry_url": &d.EntryURL, "entry_valid_until": &d.EntryValidUntil}
	for name, field := range fields {
		if typed, given := c.Request().PostForm[name]; given {
			*field = strings.TrimSpace(typed[0])
		}
	}
	if version, err := strconv.ParseInt(c.FormValue("version"), 10, 64); err == nil {
		d.Version = version
	}
	charterDraft(c, &d.CharterDraft)
	image, err := upload(c, "entry_image")
	d.EntryImage = image
	return d, err
}

func (s *server) showGroup(c echo.Context) error { return s.groupPage(c, http.StatusOK, nil) }

// groupPage shows a group's members. bad are complaints about the form that adds one.
func (s *server) groupPage(c echo.Context, status int, bad map[string]string) error {
	ctx, by, gid := c.Request().Context(), actor(c), c.Param("id")
	h, err := s.Groups.ByID(ctx, by, gid)
	if err != nil {
		return err
	}
	p := views.GroupProps{Header: h, Q: queryText(c, "q"), After: queryNumber(c, "after"), Errors: bad, Phone: c.FormValue("phone"), Now: s.Now()}
	if h.Status == group.Active {
		p.Lacks = missing(by, h.Object(false), access.GroupSettings, access.GroupDisband, access.CodeTemporary, access.ScansSee, access.RequestsDecide, access.MemberAdd)
	}
	if p.Holders, err = s.Groups.Holders(ctx, by, gid); err != nil {
		return err
	}
	if p.Successor, err = s.Operations.Successor(ctx, by, h.Group); err != nil {
		return err
	}
	if p.Recert, err = s.roundOf(ctx, by, h.Group); err != nil {
		return err
	}
	if h.Can.Codes {
		if p.Numbers, err = s.Groups.Numbers(ctx, by, gid); err != nil {
			return err
		}
	}
	if h.Can.Roster {
		if p.Roster, err = s.Groups.Roster(ctx, by, gid, p.Q, p.After); err != nil {
			return err
		}
	}
	if err := s.aside(ctx, by, &p); err != nil {
		return err
	}
	if p.Stay, err = s.Joins.StayIn(ctx, by, h.ID); err != nil {
		return err
	}
	p.StayWrong = bad["note"]
	return render(c, status, views.Group(p))
}

func (s *server) addGroupMember(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	gid := c.Param("id")
	err := s.Groups.AddMember(c.Request().Context(), actor(c), gid, c.FormValue("member_id"), c.FormValue("phone"))
	if bad, ok := complaints(c, err); ok {
		return s.groupPage(c, http.StatusUnprocessableEntity, bad)
	}
	return s.done(c, err, "groups.member.added", paths.To(paths.Group, gid))
}

func (s *server) removeGroupMember(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	gid := c.Param("id")
	err := s.Groups.RemoveMember(c.Request().Context(), actor(c), gid, c.Param("membership"))
	return s.done(c, err, "groups.member.removed", paths.To(paths.Group, gid))
}

// done ends a POST that has nothing to re-render: a note and the page it belongs to, or the error.
func (s *server) done(c echo.Context, err error, note, to string) error {
	if err != nil {
		return err
	}
	s.flash(c, "ok", note)
	return c.Redirect(http.StatusSeeOther, to)
}

// showEntryImage answers with the upstream image as it was uploaded.
func (s *server) showEntryImage(c echo.Context) error {
	p, err := s.Groups.EntryPicture(c.Request().Context(), actor(c), c.Param("id"), queryNumber(c, "image"))
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, p.ContentType, p.Content)
}

// complaints are the messages of a fault.Invalid by field, when there is a page to show them on.
func complaints(c echo.Context, err error) (map[string]string, bool) {
	var invalid fault.Invalid
	if !errors.As(err, &invalid) || wantsJSON(c) {
		return nil, false
	}
	out := make(map[string]string, len(invalid))
	for field, m := range invalid {
		out[field] = text(c.Request().Context(), m)
	}
	return out, true
}

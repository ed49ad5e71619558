package web

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/internal/qr"
	"doorplate/views"
)

func (s *server) showTargets(c echo.Context) error {
	return s.targetsPage(c, http.StatusOK, nil)
}

// targetsPage shows where a code leads, or what is wrong with a change of it.
func (s *server) targetsPage(c echo.Context, status int, bad map[string]string) error {
	q := queryText(c, "q")
	page, err := s.Codes.Targets(c.Request().Context(), actor(c), c.Param("id"), q)
	if err != nil {
		return err
	}
	var chosen []string
	for _, g := range page.Targets {
		if g.ForID != nil {
			chosen = append(chosen, strconv.FormatInt(*g.ForID, 10))
		}
	}
	choose, err := s.chooser(c, "department", directory.Anywhere, false, chosen...)
	if err != nil {
		return err
	}
	choose.None = i18n.T(c.Request().Context(), "live.department.none")
	return render(c, status, views.CodeTargets(views.CodeTargetsProps{TargetsPage: page, Choose: choose, Q: q, Errors: bad, On: c.FormValue("group")}))
}

func (s *server) changeTargets(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	if err := s.resolveDepartments(c, "department", directory.Anywhere, false); err != nil {
		return err
	}
	err := s.changeTarget(c)
	if bad, ok := complaints(c, err); ok {
		return s.targetsPage(c, http.StatusUnprocessableEntity, bad)
	}
	return s.done(c, err, "live.saved", paths.To(paths.CodeTargets, c.Param("id")))
}

func (s *server) changeTarget(c echo.Context) error {
	ctx, by, id, gid := c.Request().Context(), actor(c), c.Param("id"), c.FormValue("group")
	version, err := strconv.ParseInt(c.FormValue("version"), 10, 64)
	if err != nil {
		version = 0
	}
	switch action := c.FormValue("action"); action {
	case "add":
		return s.Codes.AddTarget(ctx, by, id, gid, version)
	case "remove":
		return s.Codes.RemoveTarget(ctx, by, id, gid, version)
	case "up", "down":
		return s.Codes.MoveTarget(ctx, by, id, gid, action == "up", version)
	case "tune":
		return s.Codes.TuneTarget(ctx, by, id, gid, c.FormValue("weight"), c.FormValue("department"), version)
	}
	return s.Codes.SetRoute(ctx, by, id, c.FormValue("route"), version)
}

func (s *server) showGroupEntry(c echo.Context) error { return s.entryPage(c, http.StatusOK, nil) }

// entryPage is for a phone that brings a new image.
func (s *server) entryPage(c echo.Context, status int, bad map[string]string) error {
	ctx, by := c.Request().Context(), actor(c)
	page, err := s.Groups.EntryPage(ctx, by, c.Param("id"))
	if err != nil {
		return err
	}
	p := views.GroupEntryProps{EntryPage: page, Now: s.Now(), Errors: bad}
	if page.Can.Codes {
		if p.Numbers, err = s.Groups.Numbers(ctx, by, page.GID); err != nil {
			return err
		}
	}
	return render(c, status, views.GroupEntry(p))
}

func (s *server) replaceEntry(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	files, err := uploads(c, "image")
	if err != nil {
		return err
	}
	gid := c.Param("id")
	var file group.Upload
	if len(files) > 0 {
		file = files[0]
	}
	err = s.Groups.ReplaceImage(c.Request().Context(), actor(c), gid, file, c.FormValue("keep") == "on")
	if bad, ok := complaints(c, err); ok {
		return s.entryPage(c, http.StatusUnprocessableEntity, bad)
	}
	return s.done(c, err, "live.entry.replaced", paths.To(paths.GroupEntry, gid))
}

func (s *server) addImages(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	files, err := uploads(c, "images")
	if err != nil {
		return err
	}
	gid := c.Param("id")
	err = s.Groups.AddImages(c.Request().Context(), actor(c), gid, group.ImagesDraft{Files: files, ValidUntil: c.FormValue("valid_until"), MaxUses: c.FormValue("max_uses")})
	return s.settled(c, err, "live.pool.added", "#pool")
}

// settled ends a POST whose form stands on the settings page.
func (s *server) settled(c echo.Context, err error, note, at string) error {
	if bad, ok := complaints(c, err); ok {
		return s.settingsPage(c, http.StatusUnprocessableEntity, nil, bad)
	}
	return s.done(c, err, note, paths.To(paths.GroupSettings, c.Param("id"))+at)
}

func (s *server) changeImage(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, by, gid := c.Request().Context(), actor(c), c.Param("id")
	id, err := strconv.ParseUint(c.Param("image"), 10, 63)
	if err != nil {
		return fault.NotFound
	}
	switch action := c.FormValue("action"); action {
	case "dead":
		err = s.Groups.MarkDead(ctx, by, gid, int64(id), c.FormValue("reason"))
	case "remove":
		err = s.Groups.RemoveImage(ctx, by, gid, int64(id))
	case "up", "down":
		err = s.Groups.MoveImage(ctx, by, gid, int64(id), action == "up")
	default:
		err = s.Groups.LimitImage(ctx, by, gid, int64(id), c.FormValue("max_uses"))
	}
	return s.settled(c, err, "live.saved", "#pool")
}

func (s *server) setCustodian(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	err := s.Groups.SetCustodian(c.Request().Context(), actor(c), c.Param("id"), c.FormValue("member_id"), c.FormValue("phone"))
	if bad, ok := complaints(c, err); ok {
		return s.settingsPage(c, http.StatusUnprocessableEntity, nil, map[string]string{"keeper": bad["member_id"] + bad["phone"]})
	}
	return s.settled(c, err, "live.saved", "")
}

func (s *server) changeSeries(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, by, gid := c.Request().Context(), actor(c), c.Param("id")
	var err error
	if c.FormValue("action") == "stop" {
		err = s.Groups.StopSeries(ctx, by, gid)
	} else {
		err = s.Groups.StartSeries(ctx, by, gid, c.FormValue("base"), c.FormValue("threshold"))
	}
	return s.settled(c, err, "live.saved", "#series")
}

// uploads reads the pictures of one field, each at most a byte more than is
// accepted and at most one more than is taken at once.
func uploads(c echo.Context, field string) ([]group.Upload, error) {
	all, err := c.MultipartForm()
	if errors.Is(err, http.ErrNotMultipart) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("find the uploads: %w", err)
	}
	headers := all.File[field]
	var out []group.Upload
	for _, h := range headers[:min(len(headers), group.MaxUploads+1)] {
		content, err := readUpload(h)
		if err != nil {
			return nil, err
		}
		if h.Filename != "" || len(content) > 0 {
			out = append(out, group.Upload{Name: h.Filename, Content: content})
		}
	}
	return out, nil
}

func readUpload(h *multipart.FileHeader) ([]byte, error) {
	f, err := h.Open()
	if err != nil {
		return nil, fmt.Errorf("open the upload: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, qr.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the upload: %w", err)
	}
	return content, nil
}

package web

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/views"
)

// importPage shows a run with one page of one of its lists.
func (s *server) importPage(c echo.Context, status int, run directory.Import, typed views.ApplyForm) error {
	ctx, by := c.Request().Context(), actor(c)
	p := views.ImportRunProps{Import: run, Apply: typed, List: listAsked(c, run)}
	after := p.List.After
	if p.List.Kind != "refused" {
		after = 0
	}
	var err error
	if p.Refusals, err = s.Directory.RefusedAfter(ctx, by, run.ID, "refused", after, problemsShown); err != nil {
		return err
	}
	if n := len(p.Refusals); p.List.Kind == "refused" && n == problemsShown {
		p.List.Next = p.Refusals[n-1].Row
	} else if p.List.Kind != "refused" {
		p.List.Lines, p.List.Next, err = s.Directory.ImportLines(ctx, by, run.ID, p.List.Kind, p.List.Q, p.List.After)
		if err != nil {
			return err
		}
	}
	if p.Indexing, err = s.indexing(ctx, run); err != nil {
		return err
	}
	if p.AppliedAs, err = s.Directory.AppliedAs(ctx, by, run.ID); err != nil {
		return err
	}
	if run.State == directory.Running {
		c.Response().Header().Set("Refresh", "2") // works without script, and ends with the run
	}
	return render(c, status, views.ImportRun(p))
}

// indexing reports whether those whom a run wrote may still be missing in searches.
func (s *server) indexing(ctx context.Context, run directory.Import) (bool, error) {
	if run.DryRun || run.Created+run.Changed == 0 || run.State == directory.Running {
		return false, nil
	}
	return s.Directory.Indexing(ctx)
}

// listAsked is the list an address names, else the first that says something.
func listAsked(c echo.Context, run directory.Import) views.ImportList {
	l := views.ImportList{Kind: c.QueryParam("list"), Q: strings.ToValidUTF8(c.QueryParam("q"), "")}
	if after, err := strconv.ParseUint(c.QueryParam("after"), 10, 31); err == nil {
		l.After = int(after)
	}
	if l.Kind == "refused" && run.Refused > 0 || slices.Contains(directory.Lists, l.Kind) {
		return l
	}
	l = views.ImportList{Kind: directory.ListUnchanged}
	for _, some := range []struct {
		kind  string
		count int
	}{{directory.ListDeparted, run.Departed}, {directory.ListChanged, run.Changed}, {directory.ListCreated, run.Created}} {
		if some.count > 0 {
			l.Kind = some.kind
			break
		}
	}
	return l
}

func (s *server) showImportColumns(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	return s.columnsPage(c, http.StatusOK, id, nil, "")
}

func (s *server) columnsPage(c echo.Context, status int, id int64, chosen []string, wrong string) error {
	m, err := s.Directory.ImportMapping(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	for i := range min(len(chosen), len(m.Files)) {
		m.Files[i].Field = chosen[i]
	}
	return render(c, status, views.Mapping(views.MappingProps{ImportMapping: m, Wrong: wrong}))
}

func (s *server) mapImportColumns(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	var chosen []string
	for i := range directory.MaxColumns {
		field := c.FormValue("column_" + strconv.Itoa(i))
		if field != "" {
			chosen = append(chosen, make([]string, i-len(chosen))...)
			chosen = append(chosen, field)
		}
	}
	started, err := s.Directory.MapColumns(c.Request().Context(), actor(c), id, chosen)
	if bad, ok := complaints(c, err); ok {
		return s.columnsPage(c, http.StatusUnprocessableEntity, id, chosen, bad["columns"])
	} else if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, paths.To(paths.ImportRun, started))
}

func (s *server) downloadRefused(c echo.Context) error {
	rows, plain, name, err := s.refusedRows(c, ".csv")
	if err != nil {
		return err
	}
	return sendCSV(c, plain, name, rows)
}

// downloadRefusedWorkbook answers who uploaded a workbook with a workbook.
func (s *server) downloadRefusedWorkbook(c echo.Context) error {
	rows, plain, name, err := s.refusedRows(c, ".xlsx")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := directory.WriteXLSX(&b, rows); err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentDisposition, `attachment; filename="`+plain+`.xlsx"; filename*=UTF-8''`+encodeName(fileName(name)+".xlsx"))
	return c.Blob(http.StatusOK, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b.Bytes())
}

func (s *server) refusedRows(c echo.Context, extension string) (rows [][]string, plain, name string, err error) {
	id, err := rowID(c)
	if err != nil {
		return nil, "", "", err
	}
	ctx := c.Request().Context()
	run, refused, err := s.Directory.RefusedRows(ctx, actor(c), id)
	if err != nil {
		return nil, "", "", err
	}
	rows = refusedTable(run.Columns(), refused, func(m fault.Message) string { return text(ctx, m) })
	return rows, "refused-" + strconv.FormatInt(id, 10), i18n.T(ctx, "import.refused.file", "File", strings.TrimSuffix(run.FileName, extension)), nil
}

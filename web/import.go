package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/views"
)

// problemsShown is how many refused rows of an import its page lists; the file has all.
const problemsShown = 50

func (s *server) showImport(c echo.Context) error {
	return s.importForm(c, http.StatusOK, "", views.UploadForm{})
}

func (s *server) importForm(c echo.Context, status int, wrong string, typed views.UploadForm) error {
	ctx, by := c.Request().Context(), actor(c)
	recent, err := s.Directory.Imports(ctx, by)
	if err != nil {
		return err
	}
	if typed.Departments, err = s.Directory.Departable(ctx, by); err != nil {
		return err
	}
	return render(c, status, views.Import(views.ImportProps{Wrong: wrong, Upload: typed, Super: by.Super, Recent: recent}))
}

func (s *server) startImport(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	name, content, err := importFile(c)
	if err != nil {
		return err
	}
	u := directory.Upload{FileName: name, Content: content, DryRun: ticked(c, "dry_run"), Whole: ticked(c, "whole"), Ask: ticked(c, "ask"), Depart: c.FormValue("depart")}
	id, err := s.receive(c, &u)
	ctx := c.Request().Context()
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.importForm(c, http.StatusUnprocessableEntity, text(ctx, wrong["file"]),
			views.UploadForm{Whole: u.Whole, Depart: u.Depart, DepartWrong: text(ctx, wrong["depart"])})
	} else if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, paths.To(paths.ImportRun, id))
}

// receive hands a file over. Taking a large workbook apart costs none of the time
// that the database gets.
func (s *server) receive(c echo.Context, u *directory.Upload) (id int64, err error) {
	err = u.Open(actor(c))
	renewTime(c)
	if err != nil {
		return 0, err
	}
	return s.Directory.Receive(c.Request().Context(), actor(c), *u)
}

// ticked reads a checkbox; scripts also say off, false and 0.
func ticked(c echo.Context, field string) bool {
	v := c.FormValue(field)
	return v != "" && v != "off" && v != "false" && v != "0"
}

// importFile reads the uploaded file; none is an empty one.
func importFile(c echo.Context) (name string, content []byte, err error) {
	header, err := c.FormFile("file")
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return "", nil, nil
	} else if err != nil {
		return "", nil, fmt.Errorf("find the import file: %w", err)
	}
	f, err := header.Open()
	if err != nil {
		return "", nil, fmt.Errorf("open the import file: %w", err)
	}
	defer f.Close()
	if content, err = io.ReadAll(f); err != nil {
		return "", nil, fmt.Errorf("read the import file: %w", err)
	}
	return header.Filename, content, nil
}

func (s *server) downloadImportTemplate(c echo.Context) error {
	header := directory.Template(i18n.Lang(c.Request().Context()))
	return sendCSV(c, "template", i18n.T(c.Request().Context(), "import.template.file"), [][]string{header})
}

// sendCSV answers with a spreadsheet to save; plain is its name for old browsers.
func sendCSV(c echo.Context, plain, name string, rows [][]string) error {
	var b bytes.Buffer
	if err := directory.WriteCSV(&b, rows); err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentDisposition,
		`attachment; filename="`+plain+`.csv"; filename*=UTF-8''`+encodeName(fileName(name)+".csv"))
	return c.Blob(http.StatusOK, "text/csv; charset=utf-8", b.Bytes())
}

func (s *server) showImportRun(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx, by := c.Request().Context(), actor(c)
	run, err := s.Directory.ImportByID(ctx, by, id)
	if err != nil {
		return err
	}
	if wantsJSON(c) {
		return s.importJSON(c, run)
	}
	if run.Waiting {
		return c.Redirect(http.StatusSeeOther, paths.To(paths.ImportColumns, id))
	}
	return s.importPage(c, http.StatusOK, run, views.ApplyForm{Reason: i18n.T(ctx, "mapping.depart.because", "File", run.FileName)})
}

// importProblem is a refused row in the JSON form of an import's page.
type importProblem struct {
	Row    int    `json:"row"`
	Column string `json:"column"`
	Cause  string `json:"cause"`
}

func (s *server) importJSON(c echo.Context, run directory.Import) error {
	ctx := c.Request().Context()
	refused, err := s.Directory.ImportRows(ctx, actor(c), run.ID, "refused", 0)
	if err != nil {
		return err
	}
	problems := make([]importProblem, len(refused))
	for i, r := range refused {
		problems[i] = importProblem{r.Row, r.Column, text(ctx, r.Cause)}
	}
	return c.JSON(http.StatusOK, map[string]any{
		"id": run.ID, "state": run.State, "dry_run": run.DryRun, "rows": run.RowsTotal, "done": run.RowsDone, "departments": run.Departments,
		"moved": run.Moved, "departed": run.Departed, "waiting": run.Waiting, "whole": run.Whole,
		"created": run.Created, "changed": run.Changed, "unchanged": run.Unchanged, "refused": run.Refused, "problems": problems,
		"cause": text(ctx, run.Why()),
	})
}

func (s *server) applyImport(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx, by := c.Request().Context(), actor(c)
	typed := views.ApplyForm{Depart: ticked(c, "depart"), Reason: c.FormValue("reason"), Typed: c.FormValue("typed")}
	started, err := s.Directory.ApplyWith(ctx, by, id, directory.Consent{Depart: typed.Depart, Reason: typed.Reason, Typed: typed.Typed})
	if bad, ok := complaints(c, err); ok {
		run, err := s.Directory.ImportByID(ctx, by, id)
		if err != nil {
			return err
		}
		typed.Errors = bad
		return s.importPage(c, http.StatusUnprocessableEntity, run, typed)
	} else if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, paths.To(paths.ImportRun, started))
}

func (s *server) cancelImport(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	if err := s.Directory.CancelImport(c.Request().Context(), actor(c), id); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, paths.To(paths.ImportRun, id))
}

// refusedTable is the original rows with their cause behind the columns of the
// header. A file that was downloaded here before has that column already.
func refusedTable(header []string, refused []directory.Problem, say func(fault.Message) string) [][]string {
	all := len(header)
	width := all
	if all > 0 && header[all-1] == directory.CauseColumn {
		width--
	}
	rows := [][]string{append(header[:width:width], directory.CauseColumn)}
	for _, r := range refused {
		row := make([]string, width, max(width, len(r.Original))+1)
		copy(row, r.Original)
		row = append(row, say(r.Cause))
		rows = append(rows, append(row, r.Original[min(all, len(r.Original)):]...))
	}
	return rows
}

package approval

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/spreadsheet"
)

// Exportable is what a full export may hold: it has phones, addresses or the
// trail. Roster is the same about one group. req: D15
var Exportable = []string{"members", "scans", "audit"}

// Roster is the export of one group's members with their phones.
const Roster = "roster"

// CSV is the format of a table when nothing else is asked for.
const CSV = "csv"

// Sheet is a format of tables.
type Sheet struct {
	ContentType string
	Open        func(w io.Writer) (Rows, error)
}

// Rows takes a table row by row; Close ends the file, not the writer below.
type Rows interface {
	Row(cells []string) error
	Close() error
}

// Offer lets exports be asked for in one more format, named as its file ends.
// It is called before the first request.
func (s *Service) Offer(format string, sheet Sheet) { s.sheets[format] = sheet }

// Formats lists what tables may be asked for in, CSV first.
func (s *Service) Formats() []string {
	all := []string{CSV}
	for name := range s.sheets {
		if name != CSV {
			all = append(all, name)
		}
	}
	slices.Sort(all[1:])
	return all
}

// csvSheet is CSV with a byte order mark, harmless in a spreadsheet.
var csvSheet = Sheet{ContentType: "text/csv; charset=utf-8", Open: func(w io.Writer) (Rows, error) {
	_, err := io.WriteString(w, "\uFEFF")
	return csvRows{csv.NewWriter(w)}, err
}}

type csvRows struct{ out *csv.Writer }

func (c csvRows) Row(cells []string) error {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		safe[i] = spreadsheet.Harmless(cell)
	}
	return c.out.Write(safe)
}

func (c csvRows) Close() error {
	c.out.Flush()
	return c.out.Error()
}

// export is the payload of ExportKind. What was asked for before there were
// formats is CSV.
type export struct {
	What   string
	Format string `json:",omitempty"`
	Group  string `json:",omitempty"` // gid, with Roster
}

// ExportDraft is what a form asks to export.
type ExportDraft struct{ What, Format, Group string }

// AskForExport asks the other super admins for a full export. While there is
// only one super admin it answers directory.NeedsSecond.
func (s *Service) AskForExport(ctx context.Context, by access.Actor, d ExportDraft, note string) (int64, error) {
	return s.second(ctx, by, access.FullExport, note, func(tx *gorm.DB) (q question, err error) {
		e := export{What: d.What, Format: d.Format}
		wrong := fault.Invalid{}
		if _, known := s.sheets[e.Format]; !known && e.Format != "" {
			wrong["format"] = fault.Msg("second.error.format")
		}
		if e.Format == CSV || e.What == "audit" {
			e.Format = ""
		}
		q = question{Approval: Approval{Kind: ExportKind, Summary: e.What}}
		if e.What == Roster {
			g, err := group.Load(tx, d.Group)
			if err != nil {
				return q, err
			}
			e.Group, q.DepartmentID, q.path = g.GID, &g.DepartmentID, g.DepartmentPath
		} else if !slices.Contains(Exportable, e.What) {
			wrong["what"] = fault.Msg("approvals.error.what")
		}
		q.payload = e
		return q, wrong.Or()
	})
}

// file is what the author gets.
func (s *Service) file(e export, a Approval) (File, error) {
	if e.What == "audit" {
		return File{Name: fmt.Sprintf("doorplate-audit-%d.jsonl", a.ID), ContentType: "application/jsonl; charset=utf-8",
			write: func(ctx context.Context, w io.Writer) error { return s.trail.Export(ctx, s.db, w) }}, nil
	}
	if e.Format == "" {
		e.Format = CSV
	}
	sheet, known := s.sheets[e.Format]
	write, what := map[string]func(context.Context, Rows, export) error{
		"members": s.writeMembers, "scans": s.writeScans, Roster: s.writeRoster}[e.What], e.What
	if !known || write == nil {
		return File{}, fmt.Errorf("approval %d: no export %q as %q", a.ID, e.What, e.Format)
	}
	return File{Name: fmt.Sprintf("doorplate-%s-%d.%s", what, a.ID, e.Format), ContentType: sheet.ContentType, write: func(ctx context.Context, w io.Writer) error {
		rows, err := sheet.Open(w)
		if err != nil {
			return err
		}
		if err := write(ctx, rows, e); err != nil {
			return err
		}
		return rows.Close()
	}}, nil
}

func (s *Service) writeMembers(ctx context.Context, out Rows, _ export) error {
	header := []string{"id", "job_number", "name", "phone", "email", "status", "departments"}
	return s.writeRows(ctx, out, header, `SELECT m.id, coalesce(m.job_number, '') AS c1, m.name AS c2, m.phone AS c3, m.email AS c4, m.status AS c5,
		coalesce((SELECT `+s.concat("d.name")+` FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id = m.id), '') AS c6
		FROM members m WHERE m.id > ? ORDER BY m.id LIMIT ?`)
}

func (s *Service) writeScans(ctx context.Context, out Rows, _ export) error {
	header := []string{"id", "ref", "at", "outcome", "code", "address", "member_phone"}
	return s.writeRows(ctx, out, header, `SELECT s.id, s.ref AS c1, `+s.rfc3339("s.at")+` AS c2, s.outcome AS c3, coalesce(c.public_id, '') AS c4, s.address AS c5, coalesce(m.phone, '') AS c6
		FROM scans s LEFT JOIN codes c ON c.id = s.code_id LEFT JOIN members m ON m.id = s.member_id WHERE s.id > ? ORDER BY s.id LIMIT ?`)
}

// writeRoster lists who is in a group, and who was.
func (s *Service) writeRoster(ctx context.Context, out Rows, e export) error {
	header := []string{"id", "name", "phone", "kind", "status", "joined_at", "source"}
	return s.writeRows(ctx, out, header, `SELECT r.id, coalesce(m.name, v.name, '') AS c1, coalesce(m.phone, v.phone, '') AS c2,
		CASE WHEN r.guest_id IS NULL THEN 'member' ELSE 'guest' END AS c3, r.status AS c4, `+s.rfc3339("r.joined_at")+` AS c5, r.source AS c6
		FROM memberships r JOIN groups g ON g.id = r.group_id LEFT JOIN members m ON m.id = r.member_id LEFT JOIN guests v ON v.id = r.guest_id
		WHERE g.gid = ? AND r.id > ? ORDER BY r.id LIMIT ?`, e.Group)
}

// rfc3339 writes a moment as text, in the database's own words.
func (s *Service) rfc3339(column string) string {
	if s.db.Name() == "sqlite" {
		return "strftime('%Y-%m-%dT%H:%M:%SZ', " + column + ")"
	}
	return "to_char(" + column + " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
}

// concat joins a column's values with a semicolon, in the database's own words.
func (s *Service) concat(column string) string {
	if s.db.Name() == "sqlite" {
		return "group_concat(" + column + ", ';')"
	}
	return "string_agg(" + column + ", ';')"
}

type exportRow struct {
	ID                     int64
	C1, C2, C3, C4, C5, C6 string
}

// writeRows pages through a query by id; its last two parameters are where to go on, and how far.
func (s *Service) writeRows(ctx context.Context, out Rows, header []string, query string, args ...any) error {
	if err := out.Row(header); err != nil {
		return err
	}
	for after := int64(0); ; {
		var rows []exportRow
		if err := s.db.WithContext(ctx).Raw(query, append(slices.Clone(args), after, exportChunk)...).Scan(&rows).Error; err != nil {
			return fmt.Errorf("export: %w", err)
		}
		for _, r := range rows {
			after = r.ID
			if err := out.Row([]string{strconv.FormatInt(r.ID, 10), r.C1, r.C2, r.C3, r.C4, r.C5, r.C6}); err != nil {
				return err
			}
		}
		if len(rows) < exportChunk {
			return nil
		}
	}
}

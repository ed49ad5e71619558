package approval

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/spreadsheet"
)

// Exportable is what a full export may hold: it has phones, addresses or the trail. req: D15
var Exportable = []string{"members", "scans", "audit"}

// fileLife is how long the author may fetch an approved export.
const fileLife = 24 * time.Hour

// exportChunk is how many rows are read at once, so that memory stays flat.
const exportChunk = 2000

type export struct{ What string }

// AskForExport asks the other super admins for a full export. While there is
// only one super admin it answers directory.NeedsSecond.
func (s *Service) AskForExport(ctx context.Context, by access.Actor, what string) (int64, error) {
	var id int64
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.FullExport, access.Object{}); err != nil {
			return err
		}
		if !slices.Contains(Exportable, what) {
			return fault.Invalid{"what": fault.Msg("approvals.error.what")}
		}
		n, err := directory.CountSupers(tx)
		if err != nil {
			return err
		}
		if n < 2 {
			return directory.NeedsSecond
		}
		id, err = s.ask(tx, by, Approval{Kind: ExportKind, Summary: what}, export{what}, "")
		return err
	})
	return id, err
}

// grantExport lets the author fetch the file, if they still may.
func (s *Service) grantExport(tx *gorm.DB, a Approval) (string, audit.Event, error) {
	author, err := directory.LoadActor(tx, a.RequestedBy, s.now())
	if err != nil || !access.Can(author, access.FullExport, access.Object{}) {
		return "", audit.Event{}, fault.Conflict{Message: fault.Msg("approvals.error.author_left")}
	}
	return "granted", audit.Event{Action: "export.grant", Object: a.audited(), Details: map[string]any{"asked_by": author.Name}}, nil
}

// File is a granted export that is about to be written.
type File struct {
	Name, ContentType string
	write             func(ctx context.Context, w io.Writer) error
}

// Write streams the file.
func (f File) Write(ctx context.Context, w io.Writer) error { return f.write(ctx, w) }

// Fetch hands an approved export to its author for 24 hours and writes that
// down. Anybody else gets fault.NotFound; later it is fault.Gone.
func (s *Service) Fetch(ctx context.Context, by access.Actor, id int64) (File, error) {
	var f File
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		a, err := read(tx, by, id)
		if err != nil {
			return err
		}
		if err := access.Check(by, access.FullExport, access.Object{}); err != nil {
			return err
		}
		if a.Kind != ExportKind || a.RequestedBy != by.MemberID || a.Status != Approved {
			return fault.NotFound
		}
		if !s.Fetchable(a) {
			return fault.Gone{Message: fault.Msg("approvals.error.file_over")}
		}
		var payload export
		if err := json.Unmarshal([]byte(a.Payload), &payload); err != nil {
			return fmt.Errorf("payload of approval %d: %w", a.ID, err)
		}
		f = s.file(payload.What, a)
		return s.trail.Record(tx, by, audit.Event{Action: "export.fetch", Object: a.audited()})
	})
	return f, err
}

// Fetchable reports whether an approved export's file is still there.
func (s *Service) Fetchable(a Approval) bool {
	return a.Kind == ExportKind && a.Status == Approved && a.DecidedAt != nil && s.now().Sub(*a.DecidedAt) < fileLife
}

func (s *Service) file(what string, a Approval) File {
	f := File{Name: fmt.Sprintf("doorplate-%s-%d.csv", what, a.ID), ContentType: "text/csv; charset=utf-8"}
	switch what {
	case "members":
		f.write = s.writeMembers
	case "scans":
		f.write = s.writeScans
	case "audit":
		f.Name, f.ContentType = fmt.Sprintf("doorplate-audit-%d.jsonl", a.ID), "application/jsonl; charset=utf-8"
		f.write = func(ctx context.Context, w io.Writer) error { return s.trail.Export(ctx, s.db, w) }
	}
	return f
}

func (s *Service) writeMembers(ctx context.Context, w io.Writer) error {
	header := []string{"id", "job_number", "name", "phone", "email", "status", "departments"}
	return s.writeRows(ctx, w, header, `SELECT m.id, coalesce(m.job_number, '') AS c1, m.name AS c2, m.phone AS c3, m.email AS c4, m.status AS c5,
		coalesce((SELECT `+s.concat("d.name")+` FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id = m.id), '') AS c6
		FROM members m WHERE m.id > ? ORDER BY m.id LIMIT ?`)
}

func (s *Service) writeScans(ctx context.Context, w io.Writer) error {
	header := []string{"id", "ref", "at", "outcome", "code", "address", "member_phone"}
	at := "to_char(s.at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
	if s.db.Name() == "sqlite" {
		at = "strftime('%Y-%m-%dT%H:%M:%SZ', s.at)"
	}
	return s.writeRows(ctx, w, header, `SELECT s.id, s.ref AS c1, `+at+` AS c2, s.outcome AS c3, coalesce(c.public_id, '') AS c4, s.address AS c5, coalesce(m.phone, '') AS c6
		FROM scans s LEFT JOIN codes c ON c.id = s.code_id LEFT JOIN members m ON m.id = s.member_id WHERE s.id > ? ORDER BY s.id LIMIT ?`)
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

// writeRows pages through a query by id and writes it as CSV with a byte order mark.
func (s *Service) writeRows(ctx context.Context, w io.Writer, header []string, query string) error {
	if _, err := io.WriteString(w, "\uFEFF"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write(header); err != nil {
		return err
	}
	for after := int64(0); ; {
		var rows []exportRow
		if err := s.db.WithContext(ctx).Raw(query, after, exportChunk).Scan(&rows).Error; err != nil {
			return fmt.Errorf("export: %w", err)
		}
		for _, r := range rows {
			after = r.ID
			cells := []string{strconv.FormatInt(r.ID, 10), r.C1, r.C2, r.C3, r.C4, r.C5, r.C6}
			for i := range cells {
				cells[i] = spreadsheet.Harmless(cells[i])
			}
			if err := out.Write(cells); err != nil {
				return err
			}
		}
		out.Flush()
		if err := out.Error(); err != nil || len(rows) < exportChunk {
			return err
		}
	}
}

package approval

import (
	"context"
	"io"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// fileLife is how long the author may fetch an approved export.
const fileLife = 24 * time.Hour

// exportChunk is how many rows are read at once, so that memory stays flat.
const exportChunk = 2000

// checkExport asks whether the author still may hold such a file.
func (s *Service) checkExport(tx *gorm.DB, a Approval) error {
	author, err := s.author(tx, a)
	if err != nil {
		return err
	}
	if !access.Can(author, access.FullExport, access.Object{}) {
		return fault.Conflict{Message: fault.Msg("approvals.error.author_left")}
	}
	return nil
}

// grantExport lets the author fetch the file.
func (s *Service) grantExport(tx *gorm.DB, a Approval) (string, audit.Event, error) {
	if err := s.checkExport(tx, a); err != nil {
		return "", audit.Event{}, err
	}
	return "granted", audit.Event{Action: "export.grant", Object: a.audited(), Details: map[string]any{"asked_by": a.AuthorName}}, nil
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
		payload, err := decode[export](a)
		if err != nil {
			return err
		}
		if f, err = s.file(payload, a); err != nil {
			return err
		}
		return s.trail.Record(tx, by, audit.Event{Action: "export.fetch", Object: a.audited()})
	})
	return f, err
}

// Fetchable reports whether an approved export's file is still there.
func (s *Service) Fetchable(a Approval) bool {
	return a.Kind == ExportKind && a.Status == Approved && a.DecidedAt != nil && s.now().Sub(*a.DecidedAt) < fileLife
}

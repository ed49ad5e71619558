package scan

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/spreadsheet"
)

const (
	exportChunk   = 2000
	exportTimeout = 10 * time.Second // per chunk; the whole may take long
)

// Export is a permitted export of one code's scans, about to be written.
type Export struct {
	service *Service
	facts   code.Facts
	Group   string
	Label   string
}

// Export checks the right to export a code's scans, without phones and
// addresses, and records that it was done. Write it afterwards.
func (s *Service) Export(ctx context.Context, by access.Actor, publicID string) (*Export, error) {
	e := &Export{service: s}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var err error
		if e.facts, err = code.Reach(tx, by, access.ScansExport, publicID); err != nil {
			return err
		}
		return s.trail.Record(tx, by, audit.Event{Action: "scans.export", DepartmentPath: e.facts.DepartmentPath,
			Object: audit.Object{Kind: "code", ID: publicID, Name: e.facts.GroupName + " · " + e.facts.Label}})
	})
	e.Group, e.Label = e.facts.GroupName, e.facts.Label
	return e, err
}

var exportHeader = []string{"ref", "at", "outcome", "code", "copy", "channel", "utm_source", "utm_medium", "utm_campaign", "device", "app", "member"}

// Write writes every scan of the code as CSV with a byte order mark, newest
// first, a chunk at a time, so that memory does not grow with the history.
func (e *Export) Write(ctx context.Context, w io.Writer) error {
	if _, err := io.WriteString(w, "\uFEFF"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write(exportHeader); err != nil {
		return err
	}
	for after := ""; ; {
		chunk, err := e.chunk(ctx, after)
		if err != nil {
			return err
		}
		for _, l := range chunk {
			if err := out.Write(e.cells(l)); err != nil {
				return err
			}
		}
		out.Flush()
		if err := out.Error(); err != nil || len(chunk) < exportChunk {
			return err
		}
		after = cursor(chunk[len(chunk)-1])
	}
}

func (e *Export) chunk(ctx context.Context, after string) ([]Line, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exportTimeout)
	defer cancel()
	chunk, err := lines(e.service.db.WithContext(ctx), e.facts.ID, after, exportChunk)
	if err != nil {
		return nil, fmt.Errorf("export scans: %w", err)
	}
	return chunk, nil
}

func (e *Export) cells(l Line) []string {
	serial := ""
	if l.CopySerial > 0 {
		serial = strconv.Itoa(l.CopySerial)
	}
	cells := []string{l.Ref, l.At.In(e.facts.Location()).Format(time.RFC3339), l.Outcome, e.facts.Label, serial, l.Channel,
		l.UTMSource, l.UTMMedium, l.UTMCampaign, l.Device, l.App, l.Member}
	for i := range cells {
		cells[i] = spreadsheet.Harmless(cells[i])
	}
	return cells
}

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
	"doorplate/internal/spreadsheet"
)

const (
	exportChunk   = 2000
	exportTimeout = 10 * time.Second // per chunk; the whole may take long
)

// Export is a permitted export of the scans of a code or a group, about to be written.
type Export struct {
	service *Service
	filter  Filter
	codes   []int64
	Place   Place
}

// Export checks the right to export scans, without phones and addresses, and
// records that it was done. Write it afterwards. The cursors of the filter do not count.
func (s *Service) Export(ctx context.Context, by access.Actor, at Spot, f Filter) (*Export, error) {
	e := &Export{service: s, filter: f}
	e.filter.After, e.filter.Before = "", ""
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var err error
		if e.Place, err = place(tx, by, access.ScansExport, at); err != nil {
			return err
		}
		if err := e.filter.findPeople(tx, e.Place); err != nil {
			return err
		}
		if err := tx.Table("codes c").Where(e.Place.codes(), e.Place.id).Order("c.id DESC").Pluck("c.id", &e.codes).Error; err != nil {
			return fmt.Errorf("list the codes to export: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "scans.export", DepartmentPath: e.Place.Path, Object: e.Place.audited()})
	})
	return e, err
}

var exportHeader = []string{"ref", "at", "outcome", "code", "copy", "channel", "utm_source", "utm_medium", "utm_campaign", "device", "app", "member"}

// Write writes the scans as CSV with a byte order mark, a group's code by code
// and each code's newest first, a chunk at a time, so that memory does not grow
// with the history.
func (e *Export) Write(ctx context.Context, w io.Writer) error {
	if _, err := io.WriteString(w, "\uFEFF"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write(exportHeader); err != nil {
		return err
	}
	if !e.filter.nobody() {
		for _, id := range e.codes {
			if err := e.code(ctx, out, id); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

// code writes one code's scans.
func (e *Export) code(ctx context.Context, out *csv.Writer, id int64) error {
	p, f := e.Place, e.filter
	p.PublicID, p.id = "one", id
	// What no index answers is sifted here: the database then reads no more than a chunk.
	f.Outcome, f.Device, f.App = e.filter.indexedOutcome(), "", ""
	for {
		chunk, err := e.chunk(ctx, p, f)
		if err != nil {
			return err
		}
		for _, l := range chunk {
			if !e.filter.passes(l) {
				continue
			}
			if err := out.Write(e.cells(l)); err != nil {
				return err
			}
		}
		out.Flush()
		if err := out.Error(); err != nil || len(chunk) < exportChunk {
			return err
		}
		f.After = cursor(chunk[len(chunk)-1])
	}
}

// indexedOutcome is the outcome if an index finds it.
func (f Filter) indexedOutcome() string {
	if f.Outcome == Live {
		return ""
	}
	return f.Outcome
}

func (e *Export) chunk(ctx context.Context, p Place, f Filter) ([]Line, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exportTimeout)
	defer cancel()
	chunk, err := lines(e.service.db.WithContext(ctx), p, f, exportChunk)
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
	cells := []string{l.Ref, l.At.In(e.Place.Loc).Format(time.RFC3339), l.Outcome, l.Label, serial, l.Channel,
		l.UTMSource, l.UTMMedium, l.UTMCampaign, l.Device, l.App, l.Member}
	for i := range cells {
		cells[i] = spreadsheet.Harmless(cells[i])
	}
	return cells
}

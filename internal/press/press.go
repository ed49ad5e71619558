// Package press turns codes into files to hand out: pictures, posters, sheets
// of labels, lists and zips of many. What it hands out it has checked for the
// right to, drawn, and written to the trail, in this order.
package press

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/paper"
	"doorplate/internal/paths"
	"doorplate/internal/qr"
)

// Service is the use cases of handing files out.
type Service struct {
	db      *gorm.DB
	codes   *code.Service
	trail   *audit.Trail
	now     func() time.Time
	baseURL string
	log     *slog.Logger
	waiting chan struct{} // wakes Work
}

// New returns the service.
func New(db *gorm.DB, codes *code.Service, trail *audit.Trail, now func() time.Time, baseURL string, log *slog.Logger) *Service {
	return &Service{db: db, codes: codes, trail: trail, now: now, baseURL: baseURL, log: log, waiting: make(chan struct{}, 1)}
}

// TypedAt is where a typed code is entered, as it stands on paper.
func (s *Service) TypedAt() string {
	_, address, _ := strings.Cut(s.baseURL, "://")
	return address + paths.TypedCode
}

// File is something to hand out. Name has no ending.
type File struct {
	Name string
	Data []byte
}

// Preview reads what the page about printing shows, and nothing is handed out:
// no entry in the trail.
func (s *Service) Preview(ctx context.Context, by access.Actor, publicID string) (code.Plate, error) {
	return s.codes.Plate(ctx, by, publicID, 1, 1<<18)
}

// living is a plate with the piece to print: copy 0 is the code itself. A dead
// code or copy is fault.Gone.
func (s *Service) living(ctx context.Context, by access.Actor, publicID string, copy int) (code.Plate, code.Piece, error) {
	p, err := s.codes.Plate(ctx, by, publicID, copy, copy)
	if err != nil {
		return p, code.Piece{}, err
	}
	if p.Now.Dead() {
		return p, code.Piece{}, fault.Gone{Message: fault.Msg("codes.gone")}
	}
	if copy == 0 {
		return p, p.Itself(), nil
	}
	if len(p.Pieces) == 0 {
		return p, code.Piece{}, fault.Invalid{"copy": fault.Msg("print.error.copy", "Serial", copy)}
	}
	return p, p.Pieces[0], nil
}

func serials(p code.Piece) []int {
	if p.Serial == 0 {
		return nil
	}
	return []int{p.Serial}
}

// Picture hands out a PNG ("png") or an SVG ("svg"). req: A04, C10
func (s *Service) Picture(ctx context.Context, by access.Actor, publicID, format string, l Look) (File, error) {
	p, piece, err := s.living(ctx, by, publicID, l.Copy)
	if err != nil {
		return File{}, err
	}
	data, err := s.Draw(ctx, p, piece, format, l)
	if err != nil {
		return File{}, err
	}
	details := map[string]any{"size": l.Size, "ecc": l.ECC, "margin": l.Margin, "logo": l.Logo, "copy": l.Copy}
	if format == "svg" {
		delete(details, "size")
	}
	err = s.codes.HandOut(ctx, by, publicID, code.Handing{Format: format, Details: details, Serials: serials(piece)})
	return File{Name: name(p, piece), Data: data}, err
}

// name is what a file is called: the group, the label, and the serial of a copy.
func name(p code.Plate, piece code.Piece) string {
	if piece.Serial == 0 {
		return p.GroupName + "-" + p.Label
	}
	return fmt.Sprintf("%s-%s-%d", p.GroupName, p.Label, piece.Serial)
}

// Draw is a picture without handing it out, for a preview.
func (s *Service) Draw(ctx context.Context, p code.Plate, piece code.Piece, format string, l Look) ([]byte, error) {
	logo, err := s.logo(ctx, l.Logo, p.Organisation)
	if err != nil {
		return nil, err
	}
	return draw(piece.URL, format, l, logo)
}

func draw(url, format string, l Look, logo image.Image) ([]byte, error) {
	picture := qr.Picture{Size: l.Size, Margin: l.Margin, Level: l.level(), Logo: logo}
	paint := picture.PNG
	if format == "svg" {
		paint = picture.SVG
	}
	data, err := paint(url)
	switch {
	case errors.Is(err, qr.ErrUnreadable):
		return nil, fault.Invalid{"logo": fault.Msg("print.error.unreadable")}
	case errors.Is(err, qr.ErrSize):
		return nil, fault.Invalid{"size": fault.Msg("print.error.small")}
	}
	return data, err
}

// logo is the picture for the middle of a code, nil for none.
func (s *Service) logo(ctx context.Context, kind, organisation string) (image.Image, error) {
	switch kind {
	case LogoMark:
		return paper.Mark(organisation), nil
	case LogoOwn:
		file, err := s.Logo(ctx)
		if errors.Is(err, fault.NotFound) {
			return nil, fault.Invalid{"logo": fault.Msg("print.error.nologo")}
		} else if err != nil {
			return nil, err
		}
		picture, err := png.Decode(bytes.NewReader(file))
		if err != nil {
			return nil, fmt.Errorf("stored logo: %w", err)
		}
		return picture, nil
	}
	return nil, nil
}

// Logo is the organisation's own, a PNG; fault.NotFound when it has none.
func (s *Service) Logo(ctx context.Context) ([]byte, error) {
	org, err := directory.LoadOrganisation(s.db.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	p, err := group.LoadPicture(s.db.WithContext(ctx), org.LogoFileID)
	return p.Content, err
}

package press

import (
	"archive/zip"
	"context"
	"encoding/csv"
	"fmt"
	"image"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/spreadsheet"
)

const (
	// AtOnce is how many files are drawn while somebody waits; more become a Run.
	AtOnce = 200
	// MaxFiles is how many files one zip holds.
	MaxFiles = 2000
)

// Formats are what a zip may hold.
var Formats = []string{"png", "svg", "poster"}

// Order is what somebody wants zipped.
type Order struct {
	Selection code.Selection
	Format    string
	Look      Look
	Poster    PosterLook
	Copies    bool // a file for each numbered copy, where a code has some
}

// ReadOrder reads the form of a zip: state, group, format, copies and the fields of the looks.
func ReadOrder(field func(string) string, lang string) (Order, error) {
	o := Order{Selection: code.Selection{View: field("state"), Group: field("group"), Batch: batchOf(field("batch"))}, Format: field("format"), Copies: field("copies") == "on"}
	if o.Format == "" {
		o.Format = "png"
	}
	var err error
	if o.Format == "poster" {
		o.Poster, err = ReadPoster(func(name string) string {
			if name == "size" {
				name = "paper"
			}
			return field(name)
		}, lang)
	} else {
		o.Look, err = ReadLook(field)
	}
	if err == nil && !slices.Contains(Formats, o.Format) {
		err = fault.Invalid{"format": fault.Msg("print.error.format")}
	}
	return o, err
}

// batchOf reads the number of a batch of groups; nonsense is one that nobody has.
func batchOf(text string) int64 {
	if text == "" {
		return 0
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return -1
	}
	return id
}

// Bundle is a zip ready to be written.
type Bundle struct {
	s      *Service
	order  Order
	prints []bundled
	skips  []code.Plate
	logo   image.Image
}

// bundled is one file of a zip.
type bundled struct {
	plate code.Plate
	piece code.Piece
	name  string
	bare  bool // the code could not bear the logo
}

// Len is how many files beside the index there are.
func (b *Bundle) Len() int { return len(b.prints) }

// bundle reads what an order holds for by. Dead codes are left out and listed.
func (s *Service) bundle(ctx context.Context, by access.Actor, o Order) (*Bundle, error) {
	plates, err := s.codes.Plates(ctx, by, o.Selection, o.Copies, MaxFiles+1)
	if err != nil {
		return nil, err
	}
	b := &Bundle{s: s, order: o}
	names := map[string]bool{"index.csv": true}
	for _, p := range plates {
		if p.Now.Dead() {
			b.skips = append(b.skips, p)
			continue
		}
		pieces := p.Pieces
		if len(pieces) == 0 {
			pieces = []code.Piece{p.Itself()}
		}
		for _, piece := range pieces {
			b.prints = append(b.prints, bundled{plate: p, piece: piece, name: unique(names, FileName(name(p, piece)), b.ending())})
		}
	}
	switch {
	case len(b.prints) == 0:
		return nil, fault.Invalid{"": fault.Msg("print.error.none")}
	case len(b.prints) > MaxFiles || len(plates) > MaxFiles:
		return nil, fault.Invalid{"": fault.Msg("print.error.many", "Max", MaxFiles)}
	}
	if o.Format != "poster" {
		if b.logo, err = s.logo(ctx, o.Look.Logo, plates[0].Organisation); err != nil {
			return nil, err
		}
		first := b.prints[0]
		if _, err = draw(first.piece.URL, o.Format, o.Look, b.logo); err != nil {
			return nil, err // said before the download begins
		}
	}
	return b, nil
}

func (b *Bundle) ending() string {
	if b.order.Format == "poster" {
		return ".pdf"
	}
	return "." + b.order.Format
}

// FileName keeps what every file system takes.
func FileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	runes := []rune(strings.Trim(name, " ._"))
	return strings.TrimRight(string(runes[:min(len(runes), 80)]), " .")
}

// unique makes a name that is not taken, in any case of its letters.
func unique(taken map[string]bool, base, ending string) string {
	if base == "" {
		base = "code"
	}
	name := base + ending
	for n := 2; taken[strings.ToLower(name)]; n++ {
		name = fmt.Sprintf("%s (%d)%s", base, n, ending)
	}
	taken[strings.ToLower(name)] = true
	return name
}

// Zip draws a small order at once. More than AtOnce files are fault.Invalid:
// those are ordered with Start. What is handed out is in the trail before the
// first byte is written.
func (s *Service) Zip(ctx context.Context, by access.Actor, o Order) (*Bundle, error) {
	b, err := s.bundle(ctx, by, o)
	if err != nil {
		return nil, err
	}
	if b.Len() > AtOnce {
		return nil, fault.Invalid{"": fault.Msg("print.error.atonce", "Max", AtOnce)}
	}
	return b, s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return b.handOut(tx, by) })
}

func (b *Bundle) handOut(tx *gorm.DB, by access.Actor) error {
	copies := map[int64][]int{}
	for _, p := range b.prints {
		if p.piece.Serial > 0 {
			copies[p.plate.ID] = append(copies[p.plate.ID], p.piece.Serial)
		}
	}
	return b.s.codes.HandOutMany(tx, by, b.order.Selection, b.order.Format, b.Len(), copies)
}

// Write draws and writes the zip. progress is told after each file how many
// there are and may stop the work with an error.
func (b *Bundle) Write(w io.Writer, progress func(done int) error) error {
	z := zip.NewWriter(w)
	for i := range b.prints {
		p := &b.prints[i]
		data, err := b.draw(p)
		if err != nil {
			return fmt.Errorf("draw %s: %w", p.plate.PublicID, err)
		}
		if err := add(z, p.name, data, b.s.now()); err != nil {
			return err
		}
		if err := progress(i + 1); err != nil {
			return err
		}
	}
	index, err := b.index()
	if err != nil {
		return err
	}
	if err := add(z, "index.csv", index, b.s.now()); err != nil {
		return err
	}
	return z.Close()
}

// draw paints one file. A code that cannot bear the logo goes without: one
// picture among many must not stop the others. The index says so.
func (b *Bundle) draw(p *bundled) ([]byte, error) {
	if b.order.Format == "poster" {
		return b.s.poster(p.plate, p.piece, b.order.Poster)
	}
	data, err := draw(p.piece.URL, b.order.Format, b.order.Look, b.logo)
	if _, refused := err.(fault.Invalid); refused && b.logo != nil {
		p.bare = true
		return draw(p.piece.URL, b.order.Format, b.order.Look, nil)
	}
	return data, err
}

// add stores a file as it is: what we draw is packed already.
func add(z *zip.Writer, name string, data []byte, at time.Time) error {
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: at})
	if err == nil {
		_, err = w.Write(data)
	}
	if err != nil {
		return fmt.Errorf("zip: %w", err)
	}
	return nil
}

// indexHeader is the same in every language: programs read it.
var indexHeader = []string{"file", "group", "label", "department", "url", "typed_code", "serial", "state", "valid_until"}

// index lists every file, and the codes left out because they are dead.
func (b *Bundle) index() ([]byte, error) {
	var out strings.Builder
	out.WriteString("\uFEFF")
	w := csv.NewWriter(&out)
	write := func(cells ...string) error {
		for i := range cells {
			cells[i] = spreadsheet.Harmless(cells[i])
		}
		return w.Write(cells)
	}
	err := write(slices.Clone(indexHeader)...)
	for _, p := range b.prints {
		number := ""
		if p.piece.Serial > 0 {
			number = strconv.Itoa(p.piece.Serial)
		}
		if err == nil {
			err = write(p.name, p.plate.GroupName, p.plate.Label, strings.Join(p.plate.Trail, " / "), p.piece.URL, typed(p.piece.TypedCode), number,
				p.state(), endOf(p.plate))
		}
	}
	for _, p := range b.skips {
		if err == nil {
			err = write("", p.GroupName, p.Label, strings.Join(p.Trail, " / "), "", "", "", "skipped ("+string(p.Now)+")", endOf(p))
		}
	}
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return []byte(out.String()), nil
}

// state is what the index says of a file: the code's state, and what is missing.
func (p bundled) state() string {
	if p.bare {
		return string(p.plate.Now) + " (without logo)"
	}
	return string(p.plate.Now)
}

func endOf(p code.Plate) string {
	if p.ValidUntil == nil {
		return ""
	}
	return p.ValidUntil.In(p.Location()).Format(time.RFC3339)
}

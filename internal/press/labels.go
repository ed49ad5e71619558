package press

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/paper"
)

// OwnGrid is the name of a grid whose measures are typed.
const OwnGrid = "own"

// LabelLook is how sheets of labels are to be drawn.
type LabelLook struct {
	Grid     paper.Grid
	GridName string
	Lang     string
	From, To int // serials; 0 and 0 is all there are
	Plain    bool
	Count    int // labels of a code without numbered copies; 0 fills a sheet
}

// ReadLabels reads what labels are wanted: grid (3x8, 2x5, or own with cols,
// rows, margin_x, margin_y, gap_x, gap_y), copies (all, none, 7 or 3-9), count, lang.
func ReadLabels(field func(string) string, fallback string) (LabelLook, error) {
	bad := fault.Invalid{}
	l := LabelLook{GridName: "3x8", Lang: readLang(field, bad, fallback)}
	if typed := field("grid"); typed != "" {
		l.GridName = typed
	}
	grid, known := paper.Grids[l.GridName]
	switch {
	case known:
		l.Grid = grid
	case l.GridName == OwnGrid:
		l.Grid = readGrid(field, bad)
	default:
		bad["grid"] = fault.Msg("print.error.grid")
	}
	number(field, bad, "count", &l.Count, 1, code.MaxPieces, "print.error.count")
	l.readCopies(field("copies"), bad)
	return l, bad.Or()
}

func readGrid(field func(string) string, bad fault.Invalid) paper.Grid {
	g := paper.Grid{Cols: 2, Rows: 5}
	number(field, bad, "cols", &g.Cols, 1, paper.MaxCols, "print.error.cols")
	number(field, bad, "rows", &g.Rows, 1, paper.MaxRows, "print.error.rows")
	for name, into := range map[string]*float64{"margin_x": &g.MarginX, "margin_y": &g.MarginY, "gap_x": &g.GapX, "gap_y": &g.GapY} {
		most := paper.MaxMargin
		if strings.HasPrefix(name, "gap") {
			most = paper.MaxGap
		}
		typed := strings.TrimSpace(strings.Replace(field(name), ",", ".", 1))
		if typed == "" {
			continue
		}
		mm, err := strconv.ParseFloat(typed, 64)
		if err != nil || !(mm >= 0 && mm <= float64(most)) { // not NaN either
			bad[name] = fault.Msg("print.error.mm", "Max", most)
			continue
		}
		*into = mm
	}
	return g
}

func (l *LabelLook) readCopies(typed string, bad fault.Invalid) {
	switch typed = strings.TrimSpace(typed); typed {
	case "", "all":
		return
	case "none":
		l.Plain = true
		return
	}
	first, last, ranged := strings.Cut(typed, "-")
	if !ranged {
		last = first
	}
	from, errFrom := strconv.Atoi(strings.TrimSpace(first))
	to, errTo := strconv.Atoi(strings.TrimSpace(last))
	if errFrom != nil || errTo != nil || from < 1 || to < from || to > maxSerial || to-from >= code.MaxPieces {
		bad["copies"] = fault.Msg("print.error.copies", "Max", code.MaxPieces)
		return
	}
	l.From, l.To = from, to
}

// Labels hands out sheets of labels as PDF: one label for each numbered copy,
// or the code itself as often as wanted. req: A04, C45
func (s *Service) Labels(ctx context.Context, by access.Actor, publicID string, l LabelLook) (File, error) {
	sheet, p, numbers, err := s.labels(ctx, by, publicID, l)
	if err != nil {
		return File{}, err
	}
	data, err := sheet.PDF()
	if err != nil {
		return File{}, gridFault(err)
	}
	err = s.codes.HandOut(ctx, by, publicID, code.Handing{Format: "labels", Details: map[string]any{"grid": l.GridName, "count": len(sheet.Labels)}, Serials: numbers})
	return File{Name: p.GroupName + "-" + p.Label, Data: data}, err
}

// LabelsFit says whether labels can be drawn, without drawing them.
func (s *Service) LabelsFit(ctx context.Context, by access.Actor, publicID string, l LabelLook) error {
	_, _, _, err := s.labels(ctx, by, publicID, l)
	return err
}

func (s *Service) labels(ctx context.Context, by access.Actor, publicID string, l LabelLook) (sheet paper.Labels, p code.Plate, numbers []int, err error) {
	from, to := l.From, l.To
	if to == 0 {
		from, to = 1, maxSerial
	}
	if p, err = s.codes.Plate(ctx, by, publicID, from, to); err != nil {
		return sheet, p, nil, err
	}
	if p.Now.Dead() {
		return sheet, p, nil, fault.Gone{Message: fault.Msg("codes.gone")}
	}
	pieces, err := l.pieces(p)
	if err != nil {
		return sheet, p, nil, err
	}
	sheet = paper.Labels{Lang: l.Lang, Organisation: p.Organisation, Path: strings.Join(p.Trail, " / "), Group: p.GroupName, Grid: l.Grid}
	for i, piece := range pieces {
		label := paper.Label{TypedCode: typed(piece.TypedCode), Place: piece.Place}
		if piece.Serial > 0 {
			label.Serial = serial(piece.Serial)
			numbers = append(numbers, piece.Serial)
		}
		if i > 0 && piece.Serial == 0 {
			label.Code = sheet.Labels[0].Code // all the same
		} else if label.Code, err = l.Grid.Code(piece.URL); err != nil {
			return sheet, p, nil, gridFault(err)
		}
		sheet.Labels = append(sheet.Labels, label)
	}
	return sheet, p, numbers, nil
}

// pieces are the prints that become labels.
func (l LabelLook) pieces(p code.Plate) ([]code.Piece, error) {
	if len(p.Pieces) > code.MaxPieces {
		return nil, fault.Invalid{"copies": fault.Msg("print.error.copies", "Max", code.MaxPieces)}
	}
	if len(p.Pieces) > 0 && !l.Plain {
		return p.Pieces, nil
	}
	if l.To > 0 {
		return nil, fault.Invalid{"copies": fault.Msg("print.error.nocopies")}
	}
	n := l.Count
	if n == 0 {
		n = l.Grid.Cells()
	}
	all := make([]code.Piece, n)
	for i := range all {
		all[i] = p.Itself()
	}
	return all, nil
}

// gridFault says in words why a grid cannot be drawn.
func gridFault(err error) error {
	var wrong paper.GridError
	if !errors.As(err, &wrong) {
		return err
	}
	if wrong.Field == "module" {
		return fault.Invalid{"grid": fault.Msg("print.error.module", "Size", fmt.Sprintf("%.2f", wrong.Module), "Least", fmt.Sprintf("%.1f", paper.LeastModule))}
	}
	return fault.Invalid{"grid": fault.Msg("print.error.grid")}
}

func serial(n int) string { return fmt.Sprintf("No. %03d", n) }

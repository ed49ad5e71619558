package press

import (
	"context"
	"slices"
	"strings"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/i18n"
	"doorplate/internal/paper"
	"doorplate/internal/qr"
)

// PosterLook is how a poster is to be drawn.
type PosterLook struct {
	Size string // of paper.Sizes
	Lang string
	Copy int
}

// ReadPoster reads a poster's look: size, lang, copy. fallback is the reader's language.
func ReadPoster(field func(string) string, fallback string) (PosterLook, error) {
	l, bad := PosterLook{Size: "a4"}, fault.Invalid{}
	if size := strings.ToLower(field("size")); size != "" {
		if l.Size = size; !slices.Contains(paper.Sizes, size) {
			bad["size"] = fault.Msg("print.error.paper")
		}
	}
	l.Lang = readLang(field, bad, fallback)
	number(field, bad, "copy", &l.Copy, 0, maxSerial, "print.error.serial")
	return l, bad.Or()
}

// readLang reads the language of a paper: zh, en, or the codes we use ourselves.
func readLang(field func(string) string, bad fault.Invalid, fallback string) string {
	switch strings.ToLower(field("lang")) {
	case "":
		return fallback
	case "zh", "zh-cn":
		return i18n.Chinese
	case "en":
		return i18n.English
	}
	bad["lang"] = fault.Msg("print.error.lang")
	return fallback
}

// Poster hands out a poster as PDF. req: A04, A08, C38
func (s *Service) Poster(ctx context.Context, by access.Actor, publicID string, l PosterLook) (File, error) {
	p, piece, err := s.living(ctx, by, publicID, l.Copy)
	if err != nil {
		return File{}, err
	}
	data, err := s.poster(p, piece, l)
	if err != nil {
		return File{}, err
	}
	err = s.codes.HandOut(ctx, by, publicID, code.Handing{Format: "poster", Details: map[string]any{"size": l.Size, "lang": l.Lang, "copy": l.Copy}, Serials: serials(piece)})
	return File{Name: name(p, piece), Data: data}, err
}

func (s *Service) poster(p code.Plate, piece code.Piece, l PosterLook) ([]byte, error) {
	m, err := qr.Encode(piece.URL, qr.Q)
	if err != nil {
		return nil, err
	}
	say := func(key string, args ...any) string { return i18n.In(l.Lang, key, args...) }
	sheet := paper.Poster{Size: l.Size, Lang: l.Lang, Organisation: p.Organisation, Path: strings.Join(p.Trail, " / "), Group: p.GroupName,
		Invite: say("print.paper.invite." + p.JoinMode), Benefit: p.Benefit, Purpose: p.Purpose, Validity: validity(p, l.Lang), Place: piece.Place, Code: m}
	if p.Official() {
		sheet.Seal = say("scan.plate.official")
	}
	if piece.TypedCode != "" {
		sheet.Typed, sheet.TypedCode = say("print.paper.typed", "Address", s.TypedAt()), typed(piece.TypedCode)
	}
	if piece.Serial > 0 {
		sheet.Serial = serial(piece.Serial)
	}
	return sheet.PDF()
}

// PosterModule is how large a module of a poster's code is, in millimetres.
func PosterModule(url, size string) float64 {
	m, err := qr.Encode(url, qr.Q)
	if err != nil {
		return 0
	}
	return paper.PosterModule(size, m)
}

// validity says how long a code holds, by the organisation's clock. Midnight
// reads as the last minute of the day before.
func validity(p code.Plate, lang string) string {
	if p.ValidUntil == nil {
		return i18n.In(lang, "print.paper.permanent")
	}
	at := p.ValidUntil.In(p.Location())
	if at.Hour() == 0 && at.Minute() == 0 && at.Second() == 0 {
		at = at.Add(-time.Minute)
	}
	return i18n.In(lang, "print.paper.until", "At", at.Format(i18n.In(lang, "print.paper.date")))
}

// typed is a typed code in two halves, which people copy with fewer mistakes.
func typed(text string) string {
	if len(text) != code.TypedLength {
		return text
	}
	return text[:code.TypedLength/2] + "-" + text[code.TypedLength/2:]
}

// ReadLang reads the field lang alone.
func ReadLang(field func(string) string, fallback string) (string, error) {
	bad := fault.Invalid{}
	lang := readLang(field, bad, fallback)
	return lang, bad.Or()
}

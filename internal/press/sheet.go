package press

import (
	"context"
	"errors"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/i18n"
	"doorplate/internal/paper"
)

// maxSheet is how many codes one list holds.
const maxSheet = 1200

// HasSheet reports whether a department's list has anything on it for by.
func (s *Service) HasSheet(ctx context.Context, by access.Actor, department int64) (bool, error) {
	if !access.Can(by, access.CodeDownload, access.Object{}) {
		return false, nil
	}
	some, err := s.codes.Any(ctx, by, code.Selection{Department: department, View: string(code.Live)})
	var no fault.Forbidden
	if errors.As(err, &no) {
		return false, nil // the right reaches other departments
	}
	return some, err
}

// Sheet hands out the list of all live codes of a department and below, for
// somebody's first day. One without a code is fault.Invalid. req: A24
func (s *Service) Sheet(ctx context.Context, by access.Actor, department int64, lang string) (File, error) {
	sel := code.Selection{Department: department, View: string(code.Live)}
	plates, err := s.codes.Plates(ctx, by, sel, false, maxSheet)
	if err != nil {
		return File{}, err
	}
	if len(plates) == 0 {
		return File{}, fault.Invalid{"": fault.Msg("print.error.empty")}
	}
	var d directory.Department
	if err := s.db.WithContext(ctx).Where("id = ?", department).Take(&d).Error; err != nil {
		return File{}, err
	}
	data, err := s.sheet(plates, d.Name, lang)
	if err != nil {
		return File{}, err
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return s.codes.HandOutMany(tx, by, sel, "sheet", len(plates), nil)
	})
	return File{Name: i18n.In(lang, "print.sheet.title", "Name", d.Name), Data: data}, err
}

func (s *Service) sheet(plates []code.Plate, department, lang string) ([]byte, error) {
	say := func(key string, args ...any) string { return i18n.In(lang, key, args...) }
	sheet := paper.Sheet{Lang: lang, Title: say("print.sheet.title", "Name", department),
		Lead: say("print.sheet.lead", "Organisation", plates[0].Organisation, "Address", s.TypedAt()),
		Page: func(n, of int) string { return say("print.sheet.page", "N", n, "Of", of) }}
	for _, p := range plates {
		m, err := paper.SheetCode(p.URL)
		if err != nil {
			return nil, err
		}
		e := paper.Entry{Code: m, Group: p.GroupName, Path: strings.Join(p.Trail, " / "), Purpose: p.Purpose, Validity: validity(p, lang)}
		if p.TypedCode != nil {
			e.Typed = typed(*p.TypedCode)
		}
		sheet.Entries = append(sheet.Entries, e)
	}
	return sheet.PDF()
}

package group

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// Preset is a set of starting values that a form offers, with where they come from.
type Preset struct {
	ID       int64
	NameZh   string
	NameEn   string
	Type     string
	Capacity int
	Validity string // of its codes: 7d, 30d, permanent
	TotalCap int    // scans a code takes in all; 0 = none
	DailyCap int    // scans a code takes a day; 0 = none
	Source   string
	SourceEn string
	Sort     int
	// ValidityFixed: the chat behind it does not let anybody move the end. req: B07
	ValidityFixed bool
}

// TableName is for gorm.
func (Preset) TableName() string { return "group_presets" }

// PresetValidities are the validities a preset can start a code with.
var PresetValidities = []string{"7d", "30d", "permanent"}

// Presets lists the presets in their order.
func (s *Service) Presets(ctx context.Context) ([]Preset, error) {
	var presets []Preset
	if err := s.db.WithContext(ctx).Order("sort, id").Find(&presets).Error; err != nil {
		return nil, fmt.Errorf("list presets: %w", err)
	}
	return presets, nil
}

// usualCapacity is the capacity of the first preset of a type; empty when there is none.
func usualCapacity(tx *gorm.DB, kind string) (string, error) {
	var p Preset
	err := tx.Where("type = ?", kind).Order("sort, id").Limit(1).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("read presets: %w", err)
	}
	return strconv.Itoa(p.Capacity), nil
}

// PresetDraft is what the form of one preset says.
type PresetDraft struct {
	Capacity, Validity, TotalCap, DailyCap, Source string
	ValidityFixed                                  bool
}

// SavePreset changes the numbers of a preset and the text that says where they come from.
// english says which of the two source texts the writer wrote.
func (s *Service) SavePreset(ctx context.Context, by access.Actor, id int64, d PresetDraft, english bool) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
			return err
		}
		var was Preset
		err := tx.Where("id = ?", id).Take(&was).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return fault.NotFound
		} else if err != nil {
			return fmt.Errorf("load preset: %w", err)
		}
		set, err := d.check(english)
		if err != nil {
			return err
		}
		if err := tx.Model(&Preset{}).Where("id = ?", id).Updates(set).Error; err != nil {
			return fmt.Errorf("save preset: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "preset.save", Object: audit.Object{Kind: "preset", ID: strconv.FormatInt(id, 10), Name: was.NameZh},
			Details: map[string]any{"capacity": set["capacity"], "capacity_was": was.Capacity, "validity": set["validity"], "validity_was": was.Validity,
				"total_cap": set["total_cap"], "daily_cap": set["daily_cap"], "validity_fixed": d.ValidityFixed}})
	})
}

func (d PresetDraft) check(english bool) (map[string]any, error) {
	bad := fault.Invalid{}
	set := map[string]any{"validity": d.Validity, "validity_fixed": d.ValidityFixed}
	set["capacity"] = number(bad, "capacity", d.Capacity, 1)
	set["total_cap"] = number(bad, "total_cap", d.TotalCap, 0)
	set["daily_cap"] = number(bad, "daily_cap", d.DailyCap, 0)
	if !slices.Contains(PresetValidities, d.Validity) {
		bad["validity"] = fault.Msg("settings.error.validity")
	} else if d.ValidityFixed && d.Validity == "permanent" {
		bad["validity"] = fault.Msg("terms.error.preset.fixed")
	}
	source := strings.TrimSpace(d.Source)
	checkText(bad, "source", source, MaxPurpose, "settings.error.source.")
	set["source"] = source
	if english {
		delete(set, "source")
		set["source_en"] = source
	}
	return set, bad.Or()
}

// number reads a whole number from least up; empty means least when that is 0.
func number(bad fault.Invalid, field, text string, least int) int {
	text = strings.TrimSpace(text)
	if text == "" && least == 0 {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > MaxCapacity {
		bad[field] = fault.Msg("settings.error.number", "Min", least, "Max", MaxCapacity)
	}
	return n
}

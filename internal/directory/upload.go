package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Upload is a file with what shall be done with it.
type Upload struct {
	FileName string
	Content  []byte
	DryRun   bool
	Whole    bool   // one refused row and nothing is changed
	Ask      bool   // a person waits who can say what the columns are
	Depart   string // path of a department: preview who of it and below is not in the file; only in a dry run

	table *sheet // once it is open
}

// Open reads the file as far as Receive needs it, and asks no database. Of a large
// workbook that takes seconds: whoever bounds how long the database may take opens
// it before. What cannot be read is fault.Invalid on "file".
func (u *Upload) Open(by access.Actor) (err error) {
	if err = access.Check(by, access.MembersEdit, access.Object{}); err == nil {
		u.table, err = openSheet(u.Content, sampled)
	}
	return err
}

// StartImport checks that the file can be read, stores it and leaves the work
// to the Importer. What cannot be read is fault.Invalid on "file".
func (s *Service) StartImport(ctx context.Context, by access.Actor, fileName string, content []byte, dryRun bool) (id int64, err error) {
	return s.Receive(ctx, by, Upload{FileName: fileName, Content: content, DryRun: dryRun})
}

// Receive is StartImport with everything a form can ask for. A file whose header
// nobody understands waits for MapColumns when somebody is there to ask.
func (s *Service) Receive(ctx context.Context, by access.Actor, u Upload) (id int64, err error) {
	if err := access.Check(by, access.MembersEdit, access.Object{}); err != nil {
		return 0, err
	}
	if u.table == nil {
		if err := u.Open(by); err != nil {
			return 0, err
		}
	}
	table := u.table
	header, err := json.Marshal(table.header)
	if err != nil {
		return 0, fmt.Errorf("keep the header: %w", err)
	}
	row := Import{CreatedBy: by.MemberID, FileName: fileLabel(u.FileName), Content: []byte{}, Header: storable(string(header)), State: Running,
		DryRun: u.DryRun, RowsTotal: table.total, Workbook: table.workbook, Whole: u.Whole, CreatedAt: s.now().UTC()}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := row.recall(tx, table, u.Ask); err != nil {
			return err
		}
		if err := row.departs(tx, by, u.Depart); err != nil {
			return err
		}
		if err := s.startImport(tx, by, &row); err != nil {
			return err
		}
		return storeFile(tx, &row, u.Content)
	})
	s.wakeImporter()
	return row.ID, err
}

// recall settles what the columns are: as the last time, as the header says, or
// by asking.
func (i *Import) recall(tx *gorm.DB, table *sheet, ask bool) error {
	fields, err := remembered(tx, i.CreatedBy, table.header)
	if err != nil {
		return err
	}
	if _, ok := mapped(fields, table.header); ok {
		text, err := json.Marshal(fields)
		if err != nil {
			return fmt.Errorf("keep the columns: %w", err)
		}
		i.Mapping, i.Remembered = string(text), true
	}
	err = table.usable(fields)
	if err != nil && table.unusable != nil && ask && table.mappable() {
		i.Waiting = true
		return nil
	}
	return err
}

// departs notes the department whose missing people shall leave. One that is
// not in by's hands is as good as none.
func (i *Import) departs(tx *gorm.DB, by access.Actor, path string) error {
	if path = line(path); path == "" {
		return nil
	}
	id, err := walkTo(tx, path)
	if err != nil {
		return err
	}
	at, err := departmentByID(tx, id)
	if errors.Is(err, fault.NotFound) || err == nil && !access.Can(by, access.MemberDepart, access.Object{Path: at.Path}) {
		return fault.Invalid{"depart": fault.Msg("mapping.error.depart_unknown")}
	} else if err != nil {
		return err
	}
	if !i.DryRun {
		return fault.Invalid{"depart": fault.Msg("mapping.error.depart_unchecked")}
	}
	titles, err := Lineages(tx, []string{at.Path})
	i.DepartID, i.DepartName = &at.ID, titles[at.Path]
	return err
}

// departableShown is how many departments a form still offers by name.
const departableShown = 200

// Departable lists the departments whose missing people by may let leave, as an
// import form takes them; none when they are too many to choose from.
func (s *Service) Departable(ctx context.Context, by access.Actor) ([]string, error) {
	all, err := few(s.db.WithContext(ctx), Within(access.MemberDepart).where(by), departableShown)
	paths := make([]string, len(all))
	for i, d := range all {
		paths[i] = strings.ReplaceAll(d.Title, " / ", "/")
	}
	return paths, err
}

func (s *Service) startImport(tx *gorm.DB, by access.Actor, row *Import) error {
	if err := tx.Create(row).Error; err != nil {
		return fmt.Errorf("store import: %w", err)
	}
	if row.Waiting {
		return nil // it starts when its columns are known
	}
	return s.trail.Record(tx, by, importEvent("import.start", *row, by))
}

// Consent is what somebody agrees to when they start the real run of a check.
type Consent struct {
	Depart bool   // those the check listed leave
	Reason string // why they leave
	Typed  string // how many leave, typed in when they are many
}

// ManyLeave reports whether so many people would leave that the number has to be
// typed in: more than twenty, or more than every twentieth.
func (i Import) ManyLeave() bool { return i.Departed > 20 || i.Departed*20 > i.DepartOf }

func (c *Consent) check(dry Import) error {
	if !c.Depart || dry.Departed == 0 {
		c.Depart, c.Reason = false, ""
		return nil
	}
	wrong := fault.Invalid{}
	c.Reason = prose(c.Reason)
	if c.Reason == "" {
		wrong["reason"] = fault.Msg("contacts.depart.reason.missing")
	} else if tooLong(c.Reason, reasonLimit) {
		wrong["reason"] = fault.Msg("contacts.depart.reason.long", "Limit", reasonLimit)
	}
	if dry.ManyLeave() && line(c.Typed) != strconv.Itoa(dry.Departed) {
		wrong["typed"] = fault.Msg("mapping.error.typed", "Count", dry.Departed)
	}
	return wrong.Or()
}

// ApplyImport starts the real run of a finished dry run's file. Pressed twice,
// it answers with the run already started.
func (s *Service) ApplyImport(ctx context.Context, by access.Actor, id int64) (started int64, err error) {
	return s.ApplyWith(ctx, by, id, Consent{})
}

// ApplyWith is ApplyImport that may let people leave. What is missing in the
// consent is fault.Invalid on "reason" or "typed".
func (s *Service) ApplyWith(ctx context.Context, by access.Actor, id int64, c Consent) (started int64, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		dry, err := loadImport(tx, by, id)
		if err != nil {
			return err
		}
		if !dry.DryRun || dry.State != Done {
			return fault.Conflict{Message: fault.Msg("import.apply.not")}
		}
		if err := c.check(dry); err != nil {
			return err
		}
		// The lock makes a second press wait for the first one's row.
		if err := tx.Exec("UPDATE imports SET rows_done = rows_done WHERE id = ?", id).Error; err != nil {
			return fmt.Errorf("lock import: %w", err)
		}
		var run Import
		err = tx.Select("id").Where("source_id = ?", id).Take(&run).Error
		if err == nil {
			started = run.ID
			return nil
		} else if !errors.Is(err, gorm.ErrRecordNotFound) {
			return fmt.Errorf("look for the run: %w", err)
		}
		started, err = s.startRun(tx, by, dry, c)
		return err
	})
	s.wakeImporter()
	return started, err
}

func (s *Service) startRun(tx *gorm.DB, by access.Actor, dry Import, c Consent) (int64, error) {
	if err := fileKept(tx, dry.FileID); err != nil {
		return 0, err
	}
	run := Import{CreatedBy: by.MemberID, FileName: dry.FileName, Content: []byte{}, FileID: dry.FileID, Header: dry.Header, State: Running, RowsTotal: dry.RowsTotal,
		Mapping: dry.Mapping, Remembered: dry.Remembered, Workbook: dry.Workbook, Whole: dry.Whole, SourceID: &dry.ID, CreatedAt: s.now().UTC()}
	if c.Depart {
		run.DepartID, run.DepartName, run.DepartReason, run.DepartOf = dry.DepartID, dry.DepartName, c.Reason, dry.DepartOf
	}
	err := s.startImport(tx, by, &run)
	return run.ID, err
}

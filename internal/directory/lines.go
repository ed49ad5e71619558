package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Kinds of lists that an import keeps beside the refused rows.
const (
	ListCreated   = "created"
	ListChanged   = "changed"
	ListMoved     = "moved"
	ListDeparted  = "departed"
	ListUnchanged = "unchanged"
	ListKept      = "kept" // those who are missing in the file and yet stay
)

// Lists are the kinds in the order of the page.
var Lists = []string{ListCreated, ListChanged, ListMoved, ListDeparted, ListKept, ListUnchanged}

const (
	// linesTogether is how many lines stand in one row of the database.
	linesTogether = 200
	// LinesPage is how many a page shows.
	LinesPage = 50
)

// Line is one person of a list. Row is their line of the file, or their number
// in the list when they are not in it.
type Line struct {
	Row    int          `json:"r"`
	Member int64        `json:"m,omitempty"`
	Name   string       `json:"n"`
	Job    string       `json:"j,omitempty"`
	Phone  string       `json:"p,omitempty"`
	Diffs  []Difference `json:"d,omitempty"`
	Cause  string       `json:"c,omitempty"` // a stored fault.Message
}

// Why says why somebody stays.
func (l Line) Why() fault.Message { return readMessage(l.Cause) }

// Difference is one field before and after. Head is "on" or "off" in After.
type Difference struct {
	Field  string `json:"f"`
	Before string `json:"b,omitempty"`
	After  string `json:"a,omitempty"`
}

type lineRow struct {
	ImportID    int64
	Kind        string
	First, Last int
	Lines       string
}

func (lineRow) TableName() string { return "import_lines" }

// line describes what a row did to somebody.
func (p *planner) line(row *plannedRow) Line {
	l := Line{Row: row.line, Member: row.who.id, Name: row.who.fields.Name, Job: row.who.fields.JobNumber}
	switch row.outcome {
	case rowCreated:
		l.Member, l.Phone = 0, row.who.fields.Phone
		l.Diffs = []Difference{{Field: "department", After: titles(row.nodes)}}
		if row.head == "on" {
			l.Diffs = append(l.Diffs, Difference{Field: "head", After: "on"})
		}
	case rowChanged:
		l.Diffs = p.differences(row)
	}
	return l
}

func (p *planner) differences(row *plannedRow) (all []Difference) {
	was, is := row.who.was, row.who.fields
	for _, field := range row.changed {
		d := Difference{Field: field}
		switch field {
		case "job_number":
			d.Before, d.After = was.fields.JobNumber, is.JobNumber
		case "name":
			d.Before, d.After = was.fields.Name, is.Name
		case "phone":
			d.Before, d.After = was.fields.Phone, is.Phone
		case "email":
			d.Before, d.After = was.fields.Email, is.Email
		case "department":
			d.Before, d.After = p.titlesOf(was.belongs), p.titlesOf(row.who.belongs)
		case "head":
			d.After = row.head
		}
		all = append(all, d)
	}
	return all
}

func (p *planner) titlesOf(ids idSet) string {
	var nodes []*Node
	for _, id := range ids {
		if n := p.tree.Node(id); n != nil {
			nodes = append(nodes, n)
		}
	}
	return titles(nodes)
}

func titles(nodes []*Node) string {
	all := make([]string, len(nodes))
	for i, n := range nodes {
		all[i] = n.Title()
	}
	slices.Sort(all)
	return strings.Join(all, "；")
}

// storeLines keeps a list, many lines in one row.
func storeLines(tx *gorm.DB, importID int64, kind string, lines []Line) error {
	var rows []lineRow
	for some := range slices.Chunk(lines, linesTogether) {
		text, err := json.Marshal(some)
		if err != nil {
			return fmt.Errorf("keep the list: %w", err)
		}
		rows = append(rows, lineRow{importID, kind, some[0].Row, some[len(some)-1].Row, storable(string(text))})
	}
	if len(rows) == 0 {
		return nil
	}
	if err := tx.CreateInBatches(rows, 100).Error; err != nil {
		return fmt.Errorf("store the list: %w", err)
	}
	return nil
}

// ImportLines reads one page of a list from behind a line on, those in which q
// is found; next is 0 on the last page.
func (s *Service) ImportLines(ctx context.Context, by access.Actor, id int64, kind, q string, after int) (page []Line, next int, err error) {
	db := s.db.WithContext(ctx)
	if _, err := loadImport(db, by, id); err != nil {
		return nil, 0, err
	}
	q = strings.ToLower(clip(line(q)))
	full := errPreview
	err = readLines(db, id, kind, after, func(l Line) error {
		if l.Row <= after || q != "" && !l.holds(q) {
			return nil
		}
		if len(page) == LinesPage {
			next = page[LinesPage-1].Row
			return full
		}
		page = append(page, l)
		return nil
	})
	if err == full {
		err = nil
	}
	return page, next, err
}

func (l Line) holds(q string) bool {
	texts := []string{l.Name, l.Job, l.Phone}
	for _, d := range l.Diffs {
		texts = append(texts, d.Before, d.After)
	}
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(strings.ToLower(text), q) })
}

// readLines visits a list from about a line on.
func readLines(tx *gorm.DB, id int64, kind string, after int, visit func(Line) error) error {
	const together = 10
	for begin, first := true, 0; ; begin = false {
		var rows []lineRow
		query := tx.Where("import_id = ? AND kind = ? AND first > ?", id, kind, first)
		if begin {
			query = tx.Where("import_id = ? AND kind = ? AND first >= coalesce((SELECT max(first) FROM import_lines WHERE import_id = ? AND kind = ? AND first <= ?), 0)",
				id, kind, id, kind, after)
		}
		if err := query.Order("first").Limit(together).Find(&rows).Error; err != nil {
			return fmt.Errorf("read the list: %w", err)
		}
		for _, row := range rows {
			var lines []Line
			if err := json.Unmarshal([]byte(row.Lines), &lines); err != nil {
				return fmt.Errorf("read the list: %w", err)
			}
			for _, l := range lines {
				if err := visit(l); err != nil {
					return err
				}
			}
		}
		if len(rows) < together {
			return nil
		}
		first = rows[len(rows)-1].First
	}
}

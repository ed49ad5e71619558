package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/testkit"
)

const (
	importRows   = 100_000 // members in one file
	importRounds = 5       // paired rounds
	importSample = 4_000   // rows of a round that the plain program writes one by one: their price does not fall with their number
	importPlaces = 200     // departments they are spread over
)

// importHall is an organisation that receives its address book.
type importHall struct {
	b       *testing.B
	db      *gorm.DB
	w       testkit.World
	members *directory.Service
	file    []byte
}

func newImportHall(b *testing.B, db *gorm.DB) *importHall {
	b.Helper()
	clock := testkit.NewClock()
	h := &importHall{b: b, db: db, w: testkit.Org(b, db, clock)}
	h.members = directory.New(db, audit.New(testkit.Keys(), clock.Now), clock.Now)
	var list strings.Builder
	list.WriteString("工号,姓名,手机,邮箱,部门\n")
	for i := range importRows {
		fmt.Fprintf(&list, "N%06d,员工%d,137%08d,p%d@example.com,研发中心/组%d\n", i, i, i, i, i%importPlaces)
	}
	h.file = []byte(list.String())
	return h
}

// ours uploads the file and works on it to its end, and returns how long both took.
func (h *importHall) ours(created, unchanged int) float64 {
	h.b.Helper()
	began, ctx := time.Now(), context.Background()
	id, err := h.members.StartImport(ctx, h.w.Super, "all.csv", h.file, false)
	if err != nil {
		h.b.Fatal(err)
	}
	if worked, err := directory.NewImporter(h.members, slog.New(slog.NewTextHandler(io.Discard, nil))).Next(ctx); !worked || err != nil {
		h.b.Fatal(worked, err)
	}
	took := time.Since(began).Seconds()
	i, err := h.members.ImportByID(ctx, h.w.Super, id)
	if err != nil || i.State != directory.Done || i.Created != created || i.Unchanged != unchanged {
		h.b.Fatalf("%+v, %v", i, err)
	}
	return took
}

// index makes everybody searchable, which the import left for later.
func (h *importHall) index() float64 {
	h.b.Helper()
	began := time.Now()
	if err := h.members.Reindex(context.Background()); err != nil {
		h.b.Fatal(err)
	}
	if some, err := h.members.Indexing(context.Background()); some || err != nil {
		h.b.Fatal("not everybody is indexed", err)
	}
	return time.Since(began).Seconds()
}

type plainMember struct {
	ID                         int64
	JobNumber                  *string
	Name, Phone, Email, Status string
	Sought, Grams              string
	CreatedAt, UpdatedAt       time.Time
}

func (plainMember) TableName() string { return "members" }

type plainPlace struct{ MemberID, DepartmentID int64 }

func (plainPlace) TableName() string { return "member_departments" }

func (h *importHall) plain(i int) plainMember {
	job, now := fmt.Sprintf("N%06d", i), time.Now().UTC()
	return plainMember{JobNumber: &job, Name: fmt.Sprint("员工", i), Phone: fmt.Sprintf("+86137%08d", i), Email: fmt.Sprintf("p%d@example.com", i),
		Status: "active", CreatedAt: now, UpdatedAt: now}
}

// rowByRow is the import as a plain program does it, of rows it has already read: each in a transaction of its own, looked
// up by job number, else by phone, as ours does; its department looked up by name below the one above it and created when it
// is new, each name once; then inserted or updated, and put into the department. It reads no file, refuses nothing, keeps no
// lists and checks no rights. Nor does it write the search index, which ours leaves to the sweep behind it too; with index
// it does, as a program has to whose people are found at once. It returns what all rows would take.
func (h *importHall) rowByRow(index bool) float64 {
	h.b.Helper()
	places := map[string]int64{}
	began := time.Now()
	for i := range importSample {
		if err := h.db.Transaction(func(tx *gorm.DB) error { return h.row(tx, i, index, places) }); err != nil {
			h.b.Fatal(err)
		}
	}
	return time.Since(began).Seconds() * importRows / importSample
}

func (h *importHall) row(tx *gorm.DB, i int, index bool, places map[string]int64) error {
	place, err := h.place(tx, fmt.Sprint("组", i%importPlaces), places)
	if err != nil {
		return err
	}
	m, known := h.plain(i), plainMember{}
	err = tx.Where("job_number = ? AND status = 'active'", m.JobNumber).Take(&known).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = tx.Where("phone = ? AND status = 'active'", m.Phone).Take(&known).Error
	}
	if index {
		found := directory.Member{JobNumber: m.JobNumber, Name: m.Name, Phone: m.Phone}
		found.Index()
		m.Sought, m.Grams = found.Sought, found.Grams
	}
	switch {
	case err == nil:
		m.ID = known.ID
		err = tx.Model(&known).Updates(m).Error
	case errors.Is(err, gorm.ErrRecordNotFound):
		err = tx.Create(&m).Error
	}
	if err != nil {
		return err
	}
	return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&plainPlace{m.ID, place}).Error
}

func (h *importHall) place(tx *gorm.DB, name string, places map[string]int64) (int64, error) {
	if id, known := places[name]; known {
		return id, nil
	}
	d := directory.Department{ParentID: &h.w.RD, Name: name, Depth: 2, CreatedAt: time.Now().UTC()}
	err := tx.Where("parent_id = ? AND name = ?", h.w.RD, name).Take(&d).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		if err = tx.Create(&d).Error; err == nil {
			err = tx.Model(&d).Update("path", fmt.Sprintf("%s%d/", h.w.RDPath, d.ID)).Error
		}
	}
	places[name] = d.ID
	return d.ID, err
}

// inBatches writes the same rows, people and their departments, with gorm's CreateInBatches.
func (h *importHall) inBatches() float64 {
	h.b.Helper()
	all := make([]plainMember, importRows)
	for i := range all {
		all[i] = h.plain(i)
	}
	began := time.Now()
	if err := h.db.CreateInBatches(&all, 1000).Error; err != nil {
		h.b.Fatal(err)
	}
	places := make([]plainPlace, importRows)
	for i := range places {
		places[i] = plainPlace{all[i].ID, h.w.RD}
	}
	if err := h.db.CreateInBatches(&places, 1000).Error; err != nil {
		h.b.Fatal(err)
	}
	return time.Since(began).Seconds()
}

// BenchmarkImport measures the import of 100,000 members from a CSV file, upload and all, against a plain program that writes row by row,
// both until everybody is there and until everybody is found by search, which ours leaves to a sweep that follows;
// and the same file again, when nothing has changed, against gorm's CreateInBatches of the same rows.
func BenchmarkImport(b *testing.B) {
	for _, store := range []struct {
		name string
		open func(testing.TB) *gorm.DB
	}{{"postgres", durableDB}, {"sqlite", testkit.SQLite}} {
		b.Run(store.name, func(b *testing.B) {
			var faster, found, again, first, second []float64
			for range importRounds {
				hall := func() *importHall { return newImportHall(b, store.open(b)) }
				slow, batches, h := hall().rowByRow(false), hall().inBatches(), hall()
				ours, unchanged := h.ours(importRows, 0), h.ours(0, importRows)
				index := h.index()
				slowest := hall().rowByRow(true)
				first, second = append(first, ours), append(second, unchanged)
				faster, found, again = append(faster, slow/ours), append(found, slowest/(ours+index)), append(again, batches/unchanged)
				b.Logf("row by row %.1f s, in batches %.2f s, ours %.2f s, again %.2f s; found by search: row by row %.1f s, ours %.2f s more", slow, batches, ours, unchanged, slowest, index)
			}
			report := func(name string, all []float64) {
				slices.Sort(all)
				b.ReportMetric(all[len(all)/2], name)
				b.ReportMetric(all[0], name+"-least")
				b.ReportMetric(all[len(all)-1], name+"-most")
			}
			report("x-row-by-row", faster)
			report("searchable-x-row-by-row", found)
			report("again-x-in-batches", again)
			report("seconds", first)
			report("again-seconds", second)
			b.ReportMetric(0, "ns/op")
		})
	}
}

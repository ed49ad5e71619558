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

type plainMember struct {
	ID                         int64
	JobNumber                  *string
	Name, Phone, Email, Status string
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

// rowByRow is the import as a plain program does it: each row in a transaction of its own, looked
// up, inserted and put into its department. It returns what all rows would take.
func (h *importHall) rowByRow() float64 {
	h.b.Helper()
	began := time.Now()
	for i := range importSample {
		err := h.db.Transaction(func(tx *gorm.DB) error {
			m, known := h.plain(i), plainMember{}
			err := tx.Where("job_number = ? AND status = 'active'", m.JobNumber).Take(&known).Error
			if err == nil {
				m.ID = known.ID
				return tx.Model(&known).Updates(m).Error
			} else if !errors.Is(err, gorm.ErrRecordNotFound) {
				return err
			}
			if err := tx.Create(&m).Error; err != nil {
				return err
			}
			return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&plainPlace{m.ID, h.w.RD}).Error
		})
		if err != nil {
			h.b.Fatal(err)
		}
	}
	return time.Since(began).Seconds() * importRows / importSample
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
// and the same file again, when nothing has changed, against gorm's CreateInBatches of the same rows.
func BenchmarkImport(b *testing.B) {
	for _, store := range []struct {
		name string
		open func(testing.TB) *gorm.DB
	}{{"postgres", testkit.Postgres}, {"sqlite", testkit.SQLite}} {
		b.Run(store.name, func(b *testing.B) {
			var faster, again, first, second []float64
			for range importRounds {
				hall := func() *importHall { return newImportHall(b, store.open(b)) }
				slow, batches, h := hall().rowByRow(), hall().inBatches(), hall()
				ours, unchanged := h.ours(importRows, 0), h.ours(0, importRows)
				first, second = append(first, ours), append(second, unchanged)
				faster, again = append(faster, slow/ours), append(again, batches/unchanged)
				b.Logf("row by row %.1f s, in batches %.2f s, ours %.2f s, again %.2f s", slow, batches, ours, unchanged)
			}
			report := func(name string, all []float64) {
				slices.Sort(all)
				b.ReportMetric(all[len(all)/2], name)
				b.ReportMetric(all[0], name+"-least")
				b.ReportMetric(all[len(all)-1], name+"-most")
			}
			report("x-row-by-row", faster)
			report("again-x-in-batches", again)
			report("seconds", first)
			report("again-seconds", second)
			b.ReportMetric(0, "ns/op")
		})
	}
}

package directory_test

import (
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/directory"
)

// Many people at once are left to the index behind the import: found by name, phone and job number from the start, by
// pinyin once it has caught up; and every department counts them from the start.
func TestALargeImportIsFoundBeforeItIsIndexed(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		if err := o.Reindex(ctx); err != nil {
			t.Fatal(err)
		}
		i, _ := o.importFile(o.w.Super, manyRows(600)+"N90000,欧阳锋,13700099999,,研发中心/组1;市场部,\n", false)
		wantFigures(t, i, "done created 601 changed 0 unchanged 0 refused 0 departments 50")
		found := func() string {
			t.Helper()
			var all []string
			for _, query := range []string{"欧阳", "13700099999", "N90000", "oyf"} {
				all = append(all, fmt.Sprint(o.found(o.w.Super, directory.Search{Query: query})))
			}
			return strings.Join(all, " ")
		}
		indexing := func(want bool) {
			t.Helper()
			if some, err := o.Indexing(ctx); some != want || err != nil {
				t.Errorf("indexing %v, %v", some, err)
			}
		}
		indexing(true)
		if got := found(); got != "[欧阳锋] [欧阳锋] [欧阳锋] []" {
			t.Errorf("before: %s", got)
		}
		if err := o.Reindex(ctx); err != nil {
			t.Fatal(err)
		}
		indexing(false)
		if got := found(); got != "[欧阳锋] [欧阳锋] [欧阳锋] [欧阳锋]" {
			t.Errorf("after: %s", got)
		}
		i, _ = o.importFile(o.w.Super, header+"N90000,欧阳克,13700099999,,,\n", false)
		wantFigures(t, i, "done created 0 changed 1 unchanged 0 refused 0 departments 0")
		indexing(false) // few are indexed as they are written
		if wrong := o.count(`SELECT count(*) FROM departments d WHERE d.members <> (SELECT count(*) FROM member_departments md JOIN departments b ON b.id = md.department_id
			JOIN members m ON m.id = md.member_id AND m.status = 'active' WHERE b.path LIKE d.path || '%')`); wrong != 0 {
			t.Errorf("%d departments are counted wrong", wrong)
		}
	})
}

// Whoever wants to write meanwhile gets in between two steps of the indexer.
func TestTheIndexerGivesWay(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		if err := o.Reindex(ctx); err != nil {
			t.Fatal(err)
		}
		const people = 3000
		o.importFile(o.w.Super, manyRows(people), false)
		done := make(chan error, 1)
		go func() { done <- o.Reindex(ctx) }()
		for between := 0; ; {
			var left int
			err := o.db.Transaction(func(tx *gorm.DB) error {
				if err := tx.Exec("UPDATE organisation SET name = name").Error; err != nil {
					return err
				}
				return tx.Raw("SELECT count(*) FROM members WHERE grams = ''").Scan(&left).Error
			})
			if err != nil {
				t.Fatal(err)
			}
			if left > 0 && left < people {
				between++
			}
			select {
			case err := <-done:
				if err != nil || between == 0 {
					t.Errorf("%d turns in between, %v", between, err)
				}
				return
			default:
			}
		}
	})
}

// Nobody is put where there is nothing, and a department with people in it stays.
func TestPlacesAreInDepartments(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		for _, wrong := range []string{
			"INSERT INTO member_departments (member_id, department_id) VALUES (1, 2), (1, 999999)",
			"INSERT INTO member_departments (member_id, department_id) VALUES (1, 999999)",
			"UPDATE member_departments SET department_id = 999999",
			fmt.Sprint("DELETE FROM departments WHERE id = ", o.w.Platform),
		} {
			if err := o.db.Exec(wrong).Error; err == nil {
				t.Errorf("taken: %s", wrong)
			}
		}
		empty, err := o.CreateDepartment(ctx, o.w.Super, "空", o.w.Platform)
		if err != nil {
			t.Fatal(err)
		}
		o.exec("DELETE FROM departments WHERE id = ?", empty)
	})
}

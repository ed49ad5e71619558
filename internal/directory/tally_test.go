package directory_test

import (
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"
)

// Twelve times as many people changed at once cost about twelve times as much, not 144 times: who keeps the
// departments' numbers must not compare each with each.
func TestManyChangedAtOnceAreNotComparedWithEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		o.crowd()
		changing := func(people int) float64 {
			began, enough := time.Now(), errors.New("enough")
			err := o.db.Transaction(func(tx *gorm.DB) error {
				if err := tx.Exec("UPDATE members SET email = 'a@example.com' WHERE id > 1000 AND id <= 1000 + ?", people).Error; err != nil {
					return err
				}
				return enough
			})
			if !errors.Is(err, enough) {
				t.Fatal(err)
			}
			return time.Since(began).Seconds()
		}
		changing(1000)
		few, many := changing(1000), changing(12_000)
		t.Logf("12,000 take %.1f times as long as 1,000", many/few)
		if many > 60*few {
			t.Errorf("12,000 people take %.1f times as long as 1,000", many/few)
		}
	})
}

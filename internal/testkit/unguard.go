package testkit

import (
	"testing"

	"gorm.io/gorm"
)

// Unguard drops the triggers that keep the audit trail append-only, as somebody
// with all rights on the database would before tampering with it.
func Unguard(t testing.TB, db *gorm.DB) {
	t.Helper()
	if db.Name() == "postgres" {
		for _, table := range []string{"audit_entries", "audit_seals", "audit_unsealed", "audit_checkpoints"} {
			must(t, db.Exec("ALTER TABLE "+table+" DISABLE TRIGGER ALL").Error)
		}
		return
	}
	var triggers []string
	must(t, db.Raw("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'audit_%'").Scan(&triggers).Error)
	for _, name := range triggers {
		must(t, db.Exec("DROP TRIGGER "+name).Error)
	}
}

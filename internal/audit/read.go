package audit

import (
	"database/sql"

	"gorm.io/gorm"

	"doorplate/internal/database"
)

// snapshot makes a transaction see one state throughout. SQLite's always do.
func snapshot(db *gorm.DB) *sql.TxOptions {
	if database.Postgres(db) {
		return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	return nil
}

// scanSealed reads one joined row; a deleted entry leaves UID empty.
func scanSealed(tx *gorm.DB, rows *sql.Rows) (sealed, error) {
	var s sealed
	err := tx.ScanRows(rows, &s)
	return s, err
}

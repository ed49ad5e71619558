package database

import (
	"errors"

	"gorm.io/gorm"
)

// Collided reports whether a statement failed because somebody else was first
// with a unique value, or took away what it refers to. gorm translates these
// errors only when no row was read yet, so the server's own code is asked too
// (PostgreSQL 23505 unique_violation, 23503 foreign_key_violation).
func Collided(err error) bool {
	if errors.Is(err, gorm.ErrDuplicatedKey) || errors.Is(err, gorm.ErrForeignKeyViolated) {
		return true
	}
	var coded interface{ SQLState() string }
	return errors.As(err, &coded) && (coded.SQLState() == "23505" || coded.SQLState() == "23503")
}

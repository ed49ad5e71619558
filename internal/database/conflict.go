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

// Contended reports whether PostgreSQL gave a transaction up so that another
// can go on (40P01 deadlock_detected, 40001 serialization_failure, 55P03
// lock_not_available): done again, it may well succeed.
func Contended(err error) bool {
	var coded interface{ SQLState() string }
	return errors.As(err, &coded) && (coded.SQLState() == "40P01" || coded.SQLState() == "40001" || coded.SQLState() == "55P03")
}

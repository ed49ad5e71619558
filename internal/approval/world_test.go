package approval_test

import (
	"gorm.io/gorm"

	"doorplate/internal/approval"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/group"
	"doorplate/internal/testkit"
)

func service(db *gorm.DB, clock *testkit.Clock) *approval.Service {
	trail := audit.New(testkit.Keys(), clock.Now)
	return approval.New(db, trail, group.New(db, trail, clock.Now), code.New(db, testkit.Keys(), trail, clock.Now, "http://door.example"), clock.Now)
}

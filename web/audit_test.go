package web_test

import (
	"context"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
)

// entry writes one entry about a department into the trail.
func (s *site) entry(department int64) (id int64) {
	s.t.Helper()
	var path string
	if err := s.db.Raw("SELECT path FROM departments WHERE id = ?", department).Scan(&path).Error; err != nil {
		s.t.Fatal(err)
	}
	err := s.db.Transaction(func(tx *gorm.DB) error {
		return s.deps.Trail.Record(tx, access.Background("test"), audit.Event{Action: "department.rename", Object: audit.Object{Kind: "department", ID: "x"}, DepartmentPath: path})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.seal()
	return s.count64("SELECT max(id) FROM audit_entries")
}

// seal does what the sealer of a running server does by itself.
func (s *site) seal() {
	s.t.Helper()
	if err := s.deps.Trail.SealAll(context.Background(), s.db, s.deps.Log); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) count64(sql string, args ...any) (n int64) {
	s.t.Helper()
	if err := s.db.Raw(sql, args...).Scan(&n).Error; err != nil {
		s.t.Fatal(err)
	}
	return n
}

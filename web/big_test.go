package web_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm/logger"

	"doorplate/internal/access"
	"doorplate/internal/paths"
	"doorplate/internal/testkit"
)

// Bounds of one page, however large the organisation is.
const (
	pageBytes      = 200 << 10
	pageOptions    = 300 // in all its selects
	pageStatements = 85
)

// deepOrganisation has far more departments than any page may show, on five levels.
var deepOrganisation = testkit.Crowd{Departments: 6000, Members: 3000, Groups: 50, Seats: 500, Requests: 50, Codes: 20, Copies: 1, Audit: 50, Days: 1, Levels: 5}

// counter is a logger that counts what is sent to the database.
type counter struct {
	logger.Interface
	mu    sync.Mutex
	sent  int
	whole []string // statements that read every department
}

func (c *counter) LogMode(logger.LogLevel) logger.Interface { return c }

func (c *counter) Trace(_ context.Context, _ time.Time, say func() (string, int64), _ error) {
	sql, rows := say()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent++
	if rows > 1000 {
		c.whole = append(c.whole, sql)
	}
}

func (c *counter) take() (sent int, whole []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sent, whole = c.sent, c.whole
	c.sent, c.whole = 0, nil
	return sent, whole
}

func (s *site) scan(into any, sql string, args ...any) {
	s.t.Helper()
	if err := s.db.Raw(sql, args...).Scan(into).Error; err != nil {
		s.t.Fatal(err)
	}
}

// No page grows with the organisation: not its bytes, nor what its forms offer, nor how often it asks the database and
// how much it reads, for whoever looks. req: D01, performance.md
func TestPagesStaySmallInALargeOrganisation(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		deepOrganisation.Fill(t, s.db, s.w)
		var top, deep, wide []int64
		for sql, into := range map[string]*[]int64{
			"SELECT id FROM departments WHERE name = '部门1'":              &top,
			"SELECT id FROM departments WHERE name = '部门0'":              &wide,
			"SELECT id FROM departments ORDER BY depth DESC, id LIMIT 1": &deep,
		} {
			if s.scan(into, sql); len(*into) != 1 {
				t.Fatalf("%s: %v", sql, *into)
			}
		}
		s.exec("INSERT INTO department_heads (department_id, member_id) VALUES (?, ?)", top[0], s.w.OtherHead.MemberID)
		s.exec("INSERT INTO department_heads (department_id, member_id) VALUES (?, ?)", deep[0], s.w.OtherStaff.MemberID)
		var open []string
		s.scan(&open, "SELECT CAST(id AS text) FROM departments WHERE depth BETWEEN 1 AND 2 ORDER BY depth, id LIMIT 20")
		var role int64
		s.scan(&role, "INSERT INTO roles (name, created_at, updated_at) VALUES ('助理', ?, ?) RETURNING id", s.clock.Now(), s.clock.Now())
		pages := []string{paths.Home, paths.Contacts, paths.With(paths.Contacts, "open", strings.Join(open, ",")), paths.With(paths.Contacts, "q", "成员"),
			paths.With(paths.To(paths.Department, deep[0]), "open", strings.Join(open, ",")), paths.To(paths.Department, s.w.Root), paths.To(paths.Department, wide[0]),
			paths.To(paths.Department, top[0]), paths.With(paths.To(paths.DepartmentMoveAsk, deep[0]), "parent_id", fmt.Sprint(top[0])), paths.With(paths.DepartmentFind, "q", "小组"),
			paths.MemberNew, paths.To(paths.Member, s.w.OtherHead.MemberID), paths.To(paths.MemberEdit, s.w.Staff.MemberID), paths.To(paths.MemberDepartAsk, s.w.Staff.MemberID),
			paths.To(paths.MemberAbsence, s.w.OtherHead.MemberID), paths.With(paths.BulkEdit, "q", "成员7", "all", "on", "action", "move"),
			paths.Import, paths.Groups, paths.GroupNew, paths.GroupBatches, paths.To(paths.SettingsRole, role), paths.SettingsRoles, paths.SettingsPolicies,
			paths.With(paths.Why, "right", string(access.MembersEdit), "department", fmt.Sprint(top[0]))}
		watch := &counter{Interface: logger.Discard}
		s.db.Config.Logger = watch
		defer func() { s.db.Config.Logger = logger.Discard }()
		for who, by := range map[string]access.Actor{"super": s.w.Super, "head": s.w.Head, "head of a top": s.w.OtherHead, "head of a leaf": s.w.OtherStaff, "staff": s.w.Staff} {
			b := s.as(by)
			for _, path := range pages {
				watch.take()
				rec := b.get(path)
				sent, whole := watch.take()
				if rec.Code >= 500 {
					t.Errorf("%s: %s answers %d", who, path, rec.Code)
				}
				body := rec.Body.String()
				if n := len(body); n > pageBytes {
					t.Errorf("%s: %s has %d bytes", who, path, n)
				}
				if n := strings.Count(body, "<option"); n > pageOptions {
					t.Errorf("%s: %s offers %d options", who, path, n)
				}
				if sent > pageStatements || len(whole) > 0 {
					t.Errorf("%s: %s sends %d statements, and reads whole tables: %.300q", who, path, sent, whole)
				}
			}
		}
	})
}

package testkit

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/secret"
)

// Clock is a clock that tests move. It is safe for concurrent use.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock starts at Sunday, 2026-11-22 09:00 in Shanghai.
func NewClock() *Clock { return &Clock{at: time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Add moves the clock.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Keys is a fixed secret key.
func Keys() secret.Keys {
	k, err := secret.New([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		panic(err)
	}
	return k
}

// World is a small set-up organisation:
//
//	晨星科技 (Root)
//	├── 研发中心 (RD), led by Head
//	│   └── 平台组 (Platform), with Staff
//	└── 市场部 (Marketing), led by OtherHead, with OtherStaff
type World struct {
	Root, RD, Platform, Marketing                      int64
	RootPath, RDPath, PlatformPath, MarketingPath      string
	Super, Super2, Head, OtherHead, Staff, OtherStaff  access.Actor
	SuperPhone, Super2Phone, HeadPhone, OtherHeadPhone string
	StaffPhone, OtherStaffPhone                        string
	now                                                time.Time
}

// Org fills db with a World, as plain rows.
func Org(t testing.TB, db *gorm.DB, clock *Clock) World {
	t.Helper()
	w := World{now: clock.Now(), SuperPhone: "+8613800000001", Super2Phone: "+8613800000002", HeadPhone: "+8613800000003",
		OtherHeadPhone: "+8613800000004", StaffPhone: "+8613800000005", OtherStaffPhone: "+8613800000006"}
	must(t, db.Exec(`INSERT INTO organisation (id, name, timezone, language, key_fingerprint, set_up_at, created_at)
		VALUES (1, '晨星科技', 'Asia/Shanghai', 'zh-CN', ?, ?, ?)`, Keys().Fingerprint(), w.now, w.now).Error)
	w.Root, w.RootPath = w.department(t, db, 0, "", "晨星科技")
	w.RD, w.RDPath = w.department(t, db, w.Root, w.RootPath, "研发中心")
	w.Platform, w.PlatformPath = w.department(t, db, w.RD, w.RDPath, "平台组")
	w.Marketing, w.MarketingPath = w.department(t, db, w.Root, w.RootPath, "市场部")
	w.Super = w.member(t, db, "周岚", w.SuperPhone, "DP0001", w.Root, w.RootPath, true)
	w.Super2 = w.member(t, db, "陆望", w.Super2Phone, "DP0002", w.Root, w.RootPath, true)
	w.Head = w.member(t, db, "许一诺", w.HeadPhone, "DP0003", w.RD, w.RDPath, false)
	w.OtherHead = w.member(t, db, "程远", w.OtherHeadPhone, "DP0004", w.Marketing, w.MarketingPath, false)
	w.Staff = w.member(t, db, "顾晓棠", w.StaffPhone, "DP0005", w.Platform, w.PlatformPath, false)
	w.OtherStaff = w.member(t, db, "卢嘉禾", w.OtherStaffPhone, "DP0006", w.Marketing, w.MarketingPath, false)
	w.lead(t, db, &w.Head, w.RD, w.RDPath)
	w.lead(t, db, &w.OtherHead, w.Marketing, w.MarketingPath)
	return w
}

func (w World) department(t testing.TB, db *gorm.DB, parent int64, parentPath, name string) (int64, string) {
	var id int64
	var up any
	if parent != 0 {
		up = parent
	}
	must(t, db.Raw(`INSERT INTO departments (parent_id, name, path, depth, created_at) VALUES (?, ?, '', 0, ?) RETURNING id`,
		up, name, w.now).Scan(&id).Error)
	path := fmt.Sprintf("%s%d/", cmp.Or(parentPath, "/"), id)
	must(t, db.Exec(`UPDATE departments SET path = ?, depth = ? WHERE id = ?`, path, strings.Count(path, "/")-2, id).Error)
	return id, path
}

func (w World) member(t testing.TB, db *gorm.DB, name, phone, job string, dept int64, path string, super bool) access.Actor {
	var id int64
	must(t, db.Raw(`INSERT INTO members (job_number, name, phone, super_admin, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id`,
		job, name, phone, super, w.now, w.now).Scan(&id).Error)
	must(t, db.Exec(`INSERT INTO member_departments (member_id, department_id) VALUES (?, ?)`, id, dept).Error)
	return access.Actor{Kind: access.Member, MemberID: id, Name: name, Super: super, Own: []string{path}, Duties: map[int64]access.Duty{}}
}

func (w World) lead(t testing.TB, db *gorm.DB, a *access.Actor, dept int64, path string) {
	must(t, db.Exec(`INSERT INTO department_heads (department_id, member_id) VALUES (?, ?)`, dept, a.MemberID).Error)
	a.Led = []string{path}
}

// Group inserts an active group and returns its row id and gid.
func (w World) Group(t testing.TB, db *gorm.DB, name, kind, mode string, department int64, capacity int) (int64, string) {
	t.Helper()
	var id int64
	gid := "G" + secret.Token(8)
	must(t, db.Raw(`INSERT INTO groups (gid, name, type, department_id, purpose, capacity, join_mode, created_by, created_at, updated_at)
		VALUES (?, ?, ?, ?, '测试', ?, ?, ?, ?, ?) RETURNING id`,
		gid, name, kind, department, capacity, mode, w.Super.MemberID, w.now, w.now).Scan(&id).Error)
	return id, gid
}

// Code inserts a code (validUntil nil = permanent) and returns its row id and public id.
func (w World) Code(t testing.TB, db *gorm.DB, groupID int64, label string, validUntil *time.Time, issuer int64) (int64, string) {
	t.Helper()
	var id int64
	validity := "permanent"
	if validUntil != nil {
		validity = "until"
	}
	public := secret.Token(9)[:11]
	must(t, db.Raw(`INSERT INTO codes (public_id, group_id, label, validity, valid_until, issued_by, issued_at) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		public, groupID, label, validity, validUntil, issuer, w.now).Scan(&id).Error)
	must(t, db.Exec(`INSERT INTO code_counters (code_id) VALUES (?)`, id).Error)
	return id, public
}

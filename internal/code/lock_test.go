package code_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/code"
	"doorplate/internal/database"
	"doorplate/internal/testkit"
)

// A scan is decided on columns that are listed by hand. One that is missing there
// would be empty only for scans, so no field may differ from what everybody else reads.
func TestAScanReadsWhatEverybodyReads(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		w := testkit.Org(t, db, clock)
		group, _ := w.Group(t, db, "任意", "external", "open", w.Platform, 10)
		until := clock.Now().Add(time.Hour)
		id, public := w.Code(t, db, group, "任意", &until, w.Super.MemberID)
		other, _ := w.Code(t, db, group, "接替", nil, w.Super.MemberID)
		run := func(sql string, args ...any) {
			if err := db.Exec(sql, args...).Error; err != nil {
				t.Fatal(err)
			}
		}
		run(`UPDATE codes SET valid_from = ?, daily_cap = 3, total_cap = 4, networks = '10.0.0.0/8', hours = '1', audience = '1', audience_roles = 'head', audience_people = '2',
			password_hash = 'x', benefit = 'y', validity_fixed = true, fallback = 'redirect', fallback_url = 'z', fallback_group_id = ?, route = 'least', generation = 5, refreshed_at = ?,
			version = 6, terms_by = ?, terms_at = ?, suspended_at = ?, suspended_by = ?, revoked_at = ?, revoked_by = ?, revoke_reason = 'why', replaced_by = ?, typed_code = 'ABCDEFGH', own_mode = 'open', own_asks = '+invite', fused_until = ? WHERE id = ?`,
			clock.Now(), group, clock.Now(), w.Super.MemberID, clock.Now(), clock.Now(), w.Super.MemberID, clock.Now(), w.Head.MemberID, other, clock.Now(), id)
		run("UPDATE groups SET owner_id = ?, member_count = 7, disbanded_at = ? WHERE id = ?", w.Staff.MemberID, clock.Now(), group)
		run("UPDATE code_counters SET total = 1, day = '2026-11-22', day_total = 2 WHERE code_id = ?", id)
		run("INSERT INTO recert_rounds (from_at, opens_at, due_at) VALUES (?, ?, ?)", clock.Now(), clock.Now().Add(time.Hour), clock.Now().Add(2*time.Hour))
		run("INSERT INTO policies (name, value, updated_at) VALUES ('joining_off', 'true', ?)", clock.Now())

		want, err := code.LoadFacts(db, public)
		if err != nil {
			t.Fatal(err)
		}
		got := locked(t, db, public)
		g, v := reflect.ValueOf(got), reflect.ValueOf(want)
		for _, field := range reflect.VisibleFields(g.Type()) {
			if field.Anonymous {
				continue
			}
			x, y := g.FieldByIndex(field.Index), v.FieldByIndex(field.Index)
			if a, b := text(x), text(y); a != b {
				t.Errorf("%s: a scan reads %s, everybody else %s", field.Name, a, b)
			}
			if x.IsZero() {
				t.Errorf("%s is empty: this test shows nothing about it", field.Name)
			}
		}
	})
}

// text is a value without what differs between two readings of the same time.
func text(v reflect.Value) string {
	switch at := v.Interface().(type) {
	case *time.Time:
		return at.UTC().String()
	case time.Time:
		return at.UTC().String()
	}
	out, _ := json.Marshal(v.Interface())
	return string(out)
}

func locked(t *testing.T, db *gorm.DB, public string) (f code.Facts) {
	t.Helper()
	ids, err := json.Marshal([]string{public})
	if err != nil {
		t.Fatal(err)
	}
	arg := string(ids)
	if database.Postgres(db) {
		arg = "{" + public + "}"
	}
	err = db.Transaction(func(tx *gorm.DB) error {
		rows, err := tx.Raw(code.LockSQL(database.Postgres(db)), arg).Rows()
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			got, err := code.ScanFacts(rows.Scan)
			if err != nil {
				return err
			}
			f = *got
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

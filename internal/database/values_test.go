package database_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/database"
	"doorplate/internal/testkit"
)

func TestTablesAsArguments(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		sql, args := database.Values(db, database.Texts("a", []string{"x", `"q\` + "'😀,{}\n", "", "NULL"}), database.Numbers("n", []int64{1, -2, 1 << 60, 0}))
		var got []struct {
			A string
			N int64
		}
		if err := db.Raw("SELECT a, n FROM "+sql+" ORDER BY n", args...).Scan(&got).Error; err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprint([]any{`{"q\'😀,{}` + "\n -2}", "{NULL 0}", "{x 1}", "{ 1152921504606846976}"}); fmt.Sprint(got) != want {
			t.Errorf("got %v, want %v", got, want)
		}
		var n int
		for _, c := range []struct {
			values database.Column
			column string
			want   int
		}{
			{database.Texts("", []string{"x", "", "y"}), "a", 2}, {database.Numbers("", []int64{0, -2, 5}), "n", 2}, {database.Texts("", nil), "a", 0},
			{database.Numbers("", []int64{}), "n", 0},
		} {
			where, arg := database.AnyOf(db, c.column, c.values)
			if err := db.Raw("SELECT count(*) FROM "+sql+" WHERE "+where, append(args, arg)...).Scan(&n).Error; err != nil || n != c.want {
				t.Errorf("%v: %d, %v", c, n, err)
			}
		}
	})
}

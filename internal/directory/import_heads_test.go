package directory_test

import "testing"

// A head's file removes no heads, whether its row names the department or not.
func TestAHeadRemovesNoHeadByImport(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		o.exec("INSERT INTO department_heads (department_id, member_id) VALUES (?, ?)", o.w.Platform, o.w.Staff.MemberID)
		i, got := o.importFile(o.w.Head, header+
			"DP0005,顾晓棠,13800000005,,,否\n"+
			"DP0003,许一诺,13800000003,,,否\n", false)
		wantFigures(t, i, "done created 0 changed 0 unchanged 0 refused 2 departments 0")
		wantProblems(t, got, "2 head import.cause.appoint", "3 head import.cause.appoint")
		if n := o.count("SELECT count(*) FROM department_heads WHERE member_id IN ?", []int64{o.w.Staff.MemberID, o.w.Head.MemberID}); n != 2 {
			t.Errorf("%d of two heads are left", n)
		}
		i, _ = o.importFile(o.w.Super, header+"DP0005,顾晓棠,13800000005,,,否\n", false)
		wantFigures(t, i, "done created 0 changed 1 unchanged 0 refused 0 departments 0")
	})
}

package spreadsheet_test

import (
	"testing"

	"doorplate/internal/spreadsheet"
)

func TestHarmless(t *testing.T) {
	for cell, want := range map[string]string{
		"": "", "王芳": "王芳", "=1+1": "'=1+1", "=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0", "@SUM(A1)": "'@SUM(A1)",
		"+A1": "'+A1", "-2+3+cmd|' /C calc'!A0": "'-2+3+cmd|' /C calc'!A0", "\tx": "'\tx", "\r=1": "'\r=1",
		"+86 138-0000-0005": "'+86 138-0000-0005", "-12.5": "'-12.5", "+8613800000005": "+8613800000005", "=1": "'=1",
	} {
		if got := spreadsheet.Harmless(cell); got != want {
			t.Errorf("Harmless(%q) = %q, want %q", cell, got, want)
		}
		if got := spreadsheet.Unguarded(want); got != cell {
			t.Errorf("Unguarded(%q) = %q, want %q", want, got, cell)
		}
	}
}

// Package spreadsheet makes text safe for programs that calculate with it.
package spreadsheet

import (
	"regexp"
	"strings"
)

var phone = regexp.MustCompile(`^\+[0-9]{8,15}$`)

// Harmless keeps a spreadsheet from running a cell as a formula: what begins
// like one gets an apostrophe in front. An E.164 phone number stays as it is.
func Harmless(cell string) string {
	if cell == "" || !strings.ContainsRune("=+-@\t\r", rune(cell[0])) || phone.MatchString(cell) {
		return cell
	}
	return "'" + cell
}

// Unguarded takes back the apostrophe that Harmless put in front, so that a
// file we handed out can be handed in again.
func Unguarded(cell string) string {
	if bare, ok := strings.CutPrefix(cell, "'"); ok && Harmless(bare) == cell {
		return bare
	}
	return cell
}

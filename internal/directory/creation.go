package directory

import (
	"regexp"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Choice is a policy that is one of several words.
type Choice string

// Choices are the words of each such policy, the standard one first.
var Choices = map[string][]string{
	"staff_groups":   {access.CreationOff, access.CreationApproval, access.CreationOn},
	"group_creation": {access.CreationOn, access.CreationApproval, access.CreationOff},
}

var phones = regexp.MustCompile(`(?i)\b(android|iphone|ipod|mobile|harmonyos|openharmony|windows phone)\b`)

// OnPhone reports whether a request says of itself that it comes from a phone.
// Anybody can make it say something else: it keeps honest people from slips, no
// more.
func OnPhone(by access.Actor) bool { return phones.MatchString(by.Device) }

// MayMake refuses new groups and codes from a phone where the policy says so. req: D39
func (p Policies) MayMake(by access.Actor) error {
	if p.NoMobileCreation && OnPhone(by) {
		return fault.Forbidden{Right: "create.phone"}
	}
	return nil
}

package code

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"doorplate/internal/fault"
)

const (
	maxLabel    = 60
	maxReason   = 500
	maxCap      = 1_000_000_000
	maxNetworks = 50
	maxAudience = 100
)

// Form is the issue form as it was typed.
type Form struct {
	Label            string
	Validity         string // empty means the expiring default
	ValidUntil       string
	ConfirmPermanent bool
	ValidFrom        string // empty = at once
	Opening          []Opening
	DailyCap         string
	TotalCap         string
	Networks         string
	Audience         []string // department ids; each counts with all below it
	Roles            []string // of Roles
	Kept             []string // ids of people named before who stay
	People           string   // more of them: job numbers, phones or names
	Password         string
	PasswordAsked    bool // the form had the field, be it empty
	PasswordRemove   bool
	Benefit          string
	Fallback         string
	FallbackURL      string
	FallbackGroup    string   // gid
	Mode             string   // a join mode of its own; "" or group = as the group
	Asks             []string // +invite, -question, …; see group.OwnAsks
	Preset           string   // id of the preset the form was filled from
	Version          int64    // of the terms the form was filled from; 0 = whatever they are
}

// oneLine is typed text without line breaks, control characters and outer spaces.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
	return strings.TrimSpace(text)
}

func checkLabel(text, unnamed string, wrong fault.Invalid) string {
	label := oneLine(text)
	switch {
	case label == "":
		return unnamed
	case utf8.RuneCountInString(label) > maxLabel:
		wrong["label"] = fault.Msg("codes.error.label.long", "Max", maxLabel)
	}
	return label
}

// checkReason returns the reason in one line; required decides about an empty one.
func checkReason(text string, required bool) (string, error) {
	reason := oneLine(text)
	switch {
	case reason == "" && required:
		return "", fault.Invalid{"reason": fault.Msg("codes.error.reason.empty")}
	case utf8.RuneCountInString(reason) > maxReason:
		return "", fault.Invalid{"reason": fault.Msg("codes.error.reason.long", "Max", maxReason)}
	}
	return reason, nil
}

// checkCap reads a cap: empty or 0 is none.
func checkCap(field, text string, wrong fault.Invalid) int {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxCap {
		wrong[field] = fault.Msg("codes.error.cap", "Max", maxCap)
		return 0
	}
	return n
}

// checkNetworks normalises addresses and CIDRs, separated by anything sensible. req: B35
func checkNetworks(text string, wrong fault.Invalid) string {
	fields := strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(",;，；、", r)
	})
	var out []string
	for _, field := range fields {
		prefix, err := netip.ParsePrefix(field)
		if addr, addrErr := netip.ParseAddr(field); addrErr == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil || prefix.Addr().Is4In6() {
			wrong["networks"] = fault.Msg("codes.error.network")
			return ""
		}
		if norm := prefix.Masked().String(); !slices.Contains(out, norm) {
			out = append(out, norm)
		}
	}
	if len(out) > maxNetworks {
		wrong["networks"] = fault.Msg("codes.error.networks", "Max", maxNetworks)
		return ""
	}
	return strings.Join(out, " ")
}

// AllowsNetwork reports whether a scan from address may pass.
func (c Code) AllowsNetwork(address string) bool {
	if c.Networks == "" {
		return true
	}
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	addr = addr.Unmap()
	for field := range strings.FieldsSeq(c.Networks) {
		if p, err := netip.ParsePrefix(field); err == nil && p.Contains(addr) {
			return true
		}
	}
	return false
}

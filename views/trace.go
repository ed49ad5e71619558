package views

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/paths"
	"doorplate/internal/scan"
)

// TraceForm is a question to the engine as it was typed.
type TraceForm struct {
	Ref, Code, Person, At, Address, Agent string
	SignedIn                              bool
}

// TraceProps is the page that shows each rule's verdict on a scan.
type TraceProps struct {
	Typed  TraceForm
	Errors map[string]string
	Trace  *scan.Trace // nil as long as nothing was asked
	Ahead  *join.View  // what comes after the scan; nil when it is not let through
	Now    time.Time
}

// TraceOf is the address that replays a recorded scan, TraceCode the one that asks about a code.
func TraceOf(ref string) string { return paths.With(paths.CodeTrace, "ref", ref) }

// TraceCode is the form with the code filled in.
func TraceCode(publicID string) string { return paths.With(paths.CodeTrace, "code", publicID) }

// traceIs is the value that a rule compared, in words.
func traceIs(ctx context.Context, r *scan.Trace, step scan.Step) string {
	is := func(key string, args ...any) string { return t(ctx, "trace.is."+key, args...) }
	switch step.Name {
	case "robot":
		return is("robot."+fmt.Sprint(r.Robot), "Device", t(ctx, "codes.device."+orElse(r.Device, "other")))
	case "address":
		return traceSpeed(ctx, r, r.Policies.AddressPer10s, max(r.Hits, 1))
	case "visitor":
		return traceSpeed(ctx, r, r.Policies.VisitorPer10s, 1)
	case "token":
		if r.Facts == nil {
			return is("token.none")
		}
		return is("token.ours", "Label", r.Facts.Label, "Group", r.Facts.GroupName)
	case "copy":
		if r.Serial == 0 {
			return is("copy.none")
		}
		return is("copy", "Serial", r.Serial)
	}
	if r.Facts == nil {
		return ""
	}
	return traceCodeIs(ctx, r, step, r.Facts, is)
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func traceSpeed(ctx context.Context, r *scan.Trace, limit, hits int) string {
	switch {
	case limit == 0:
		return t(ctx, "trace.is.speed.off")
	case r.Recorded != nil:
		return t(ctx, "trace.is.speed.unknown", "Limit", limit)
	}
	return t(ctx, "trace.is.speed", "Hits", hits, "Limit", limit)
}

func traceCodeIs(ctx context.Context, r *scan.Trace, step scan.Step, f *code.Facts, is func(string, ...any) string) string {
	at := func(key string, moment *time.Time) string {
		if moment == nil {
			return is(key + ".none")
		}
		text := is(key, "At", until(ctx, *moment))
		if moment.After(r.At) && key != "expired" && key != "notyet" {
			text += t(ctx, "trace.later")
		}
		return text
	}
	switch step.Name {
	case "disbanded":
		return at("disbanded", f.DisbandedAt)
	case "replaced":
		if f.ReplacedBy == nil {
			return is("replaced.none")
		}
		return at("replaced", f.RevokedAt)
	case "revoked":
		return at("revoked", f.RevokedAt)
	case "expired":
		return at("expired", f.ValidUntil)
	case "suspended":
		return at("suspended", f.SuspendedAt)
	case "issuer":
		return is("issuer."+fmt.Sprint(f.IssuerOK), "Name", f.IssuerName)
	case "unconfirmed":
		return at("unconfirmed", f.RecertDue)
	case "groupoff":
		if f.OwnMode != "" {
			return is("groupoff.own", "Mode", t(ctx, "groups.joinmode."+f.JoinMode))
		}
		return is("groupoff", "Mode", t(ctx, "groups.joinmode."+f.JoinMode))
	case "off":
		return is("off." + fmt.Sprint(f.JoiningOff))
	case "notyet":
		return at("notyet", f.ValidFrom)
	case "hours":
		return is("hours", "Hours", strings.ReplaceAll(hoursText(ctx, f.Hours), "\n", "; "), "At", when(ctx, r.At))
	}
	return traceWhoIs(ctx, r, step, f, is)
}

// traceWhoIs is about where and who, and how many.
func traceWhoIs(ctx context.Context, r *scan.Trace, step scan.Step, f *code.Facts, is func(string, ...any) string) string {
	switch step.Name {
	case "network":
		if f.Networks == "" {
			return is("network.none")
		}
		return is("network", "Address", dash(r.Address), "Networks", f.Networks)
	case "audience":
		switch {
		case !f.Narrow():
			return is("audience.none")
		case r.Member == nil || !r.SignedIn:
			return is("audience.later")
		}
		return is("audience", "Name", r.Member.Name)
	case "total":
		return traceCap(ctx, f.Total, f.TotalCap)
	case "daily":
		return traceCap(ctx, f.Today(r.At), f.DailyCap)
	}
	return ""
}

func traceCap(ctx context.Context, n int64, most int) string {
	if most == 0 {
		return t(ctx, "trace.is.cap.none", "Count", n)
	}
	return t(ctx, "trace.is.cap", "Used", n, "Cap", most)
}

// traceAgain is when to try again, "" when nobody knows.
func traceAgain(ctx context.Context, r *scan.Trace) string {
	if r.After <= 0 || r.Cause == scan.Speed {
		return ""
	}
	return t(ctx, "trace.again", "At", when(ctx, r.At.Add(r.After.Round(time.Second))), "Minutes", int(math.Ceil(r.After.Minutes())))
}

// aheadStep is one thing that comes after the scan.
type aheadStep struct{ Name, Text, Verdict string }

// aheadSteps says what the page behind the scan asks, in its order.
func aheadSteps(ctx context.Context, r *scan.Trace, v *join.View) []aheadStep {
	var all []aheadStep
	add := func(name, verdict, key string, args ...any) {
		all = append(all, aheadStep{name, t(ctx, "trace.after."+key, args...), verdict})
	}
	f, g := v.Code, v.Group
	switch {
	case v.Person != nil && r.SignedIn:
		add("who", "passed", "who.signed", "Name", v.Person.Name)
	case v.Person != nil:
		add("who", "asks", "who.phone", "Name", v.Person.Name)
	case v.Guests:
		add("who", "asks", "who.guests")
	default:
		add("who", "asks", "who.members")
	}
	switch {
	case !f.Narrow():
		add("audience", "passed", "audience.none")
	case v.Person == nil:
		add("audience", "asks", "audience.later")
	case v.Barred == join.Audience:
		add("audience", "stopped", "audience.out", "Name", v.Person.Name)
		return all
	default:
		add("audience", "passed", "audience.in", "Name", v.Person.Name)
	}
	if f.PasswordHash != "" {
		add("password", "asks", "password.asked")
	}
	if asked := askedNames(ctx, v.Asks); asked != "" {
		add("asks", "asks", "asks.named", "Names", asked)
	}
	mode := "mode." + g.JoinMode
	add("mode", traceMode(v), mode)
	if f.OwnMode != "" {
		all[len(all)-1].Text += t(ctx, "trace.after.mode.own")
	}
	seats := "passed"
	if v.State == join.StateFull {
		seats = "stopped"
	}
	add("seats", seats, "seats.count", "Group", g.Name, "Taken", g.MemberCount, "Seats", g.Capacity)
	add("then", traceEnd(v), "then."+traceState(v))
	return all
}

func traceMode(v *join.View) string {
	switch {
	case v.State == join.StateRefused || v.State == join.StateOff:
		return "stopped"
	case v.Group.JoinMode == group.Open:
		return "passed"
	}
	return "asks"
}

func traceState(v *join.View) string {
	switch {
	case v.State == join.StateBarred:
		return "barred"
	case v.State == join.StateForm && v.Group.JoinMode == group.Open:
		return "enter"
	}
	return string(v.State)
}

func traceEnd(v *join.View) string {
	switch v.State {
	case join.StateForm, join.StateIn:
		return "passed"
	case join.StatePending:
		return "asks"
	}
	return "stopped"
}

func departed(m *directory.Member) bool { return m != nil && m.Status != directory.Active }

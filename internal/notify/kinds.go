package notify

import (
	"doorplate/internal/events"
)

// whom says who hears of a kind of fact.
type whom uint8

const (
	nobody    whom = iota
	deciders       // who is expected to decide there: nearest heads, their deputies, review duty
	higher         // the heads above those
	inCharge       // deciders, and the group's owner
	superOnly      // super admins
	applicant      // whom it is about
)

// kind is what is made of one kind of fact. Unknown kinds are silent, but for
// webhooks that ask for all.
type kind struct {
	to     whom
	flood  bool // many in a row become one message with a count
	urgent bool // neither digest nor quiet hours hold it up
	sms    bool // may go as a text message where that is switched on
	open   bool // only while the request still waits
}

// kinds is everything that somebody hears of.
var kinds = map[string]kind{
	events.Submitted: {to: deciders, flood: true, sms: true, open: true},
	events.Moved:     {to: deciders, flood: true, open: true},
	events.Approved:  {to: applicant, sms: true},
	events.Rejected:  {to: applicant, sms: true},
	events.Expired:   {to: applicant, sms: true},
	events.Reopened:  {to: applicant},
	events.Joined:    {to: applicant}, // the welcome of a group that has one

	events.Due:       {to: deciders, flood: true, sms: true, open: true},
	events.Overdue:   {to: deciders, flood: true, urgent: true, sms: true, open: true},
	events.Escalated: {to: higher, flood: true, urgent: true, sms: true, open: true},

	events.Fused:    {to: inCharge, urgent: true, sms: true},
	events.Unfused:  {to: inCharge},
	events.Reported: {to: inCharge, flood: true, urgent: true},

	events.ApprovalWaiting:  {to: superOnly, flood: true},
	events.ApprovalApproved: {to: applicant},
	events.ApprovalRejected: {to: applicant},
	events.ApprovalExpired:  {to: applicant},

	events.Milestone:     {to: inCharge},
	events.EntryDying:    {to: inCharge, sms: true},
	events.NoticesFrozen: {to: superOnly, urgent: true},
	events.EndpointOff:   {to: superOnly},
}

// HookKinds are the facts that a webhook can ask for, in the order of the page.
var HookKinds = []string{
	events.Submitted, events.Approved, events.Rejected, events.Withdrawn, events.Expired, events.Cancelled, events.Reopened, events.Moved,
	events.Due, events.Overdue, events.Escalated, events.Joined, events.Milestone, events.Fused, events.Unfused, events.Reported, events.EntryDying,
	events.ApprovalWaiting, events.ApprovalApproved, events.ApprovalRejected, events.ApprovalExpired,
}

package group

import "doorplate/internal/fault"

// Nature is what a type of group forces, whoever made it and whatever its
// settings say. Form, checks and texts all read this one table. req: D05–D11, D19
type Nature struct {
	Type         string
	Guests       bool     // people outside the directory may be in it
	MayInvite    bool     // members may propose others: a switch, else off for good
	Archive      bool     // the mark that its chat is archived is always on
	CodePassword bool     // its codes need a password
	CodeEnd      bool     // and an end: none of them is permanent
	ByPolicy     bool     // permanent codes only where the organisation's policy allows them
	Forces       []string // the same for people: texts under "charter.force."
}

var natures = map[string]Nature{
	Internal: {Type: Internal, MayInvite: true, Forces: []string{"department", "staffonly"}},
	External: {Type: External, Guests: true, Archive: true, ByPolicy: true, Forces: []string{"department", "noinvite", "archive", "policy"}},
	Training: {Type: Training, Guests: true, MayInvite: true, CodePassword: true, CodeEnd: true, Forces: []string{"department", "password", "window"}},
}

// NatureOf is the nature of a type; an unknown one forces nothing.
func NatureOf(kind string) Nature { return natures[kind] }

// shape applies what the type forces to a plan. What is merely on is made so;
// what somebody asked for and may not have is refused.
func (n Nature) shape(p *Plan, bad fault.Invalid) {
	if n.Archive {
		p.Archive = true
	}
	if p.MembersInvite && !n.MayInvite {
		bad["members_invite"] = fault.Msg("charter.error.invite")
	}
}

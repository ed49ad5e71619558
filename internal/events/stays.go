package events

// Kinds of facts about stays that end by themselves. Data of the first two is
// when, RFC 3339; of StayRefused what was said.
const (
	StayEnded    = "stay.ended"    // the day came
	StayExtended = "stay.extended" // somebody moved the day; "" = there is none any more
	StayAsked    = "stay.asked"    // who is in asks for more time
	StayRefused  = "stay.refused"  // and does not get it
)

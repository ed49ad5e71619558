package events

// Kinds about seats and those who wait for one. The database writes the first
// four itself.
const (
	Seat      = "group.seat" // a group that people wait for has room again
	Disbanded = "group.disbanded"
	Queued    = "waiting.joined" // somebody waits for a seat
	Unqueued  = "waiting.ended"  // somebody waits no longer; Data says how: in, left, removed, over
	Added     = "request.added"  // who waits for a decision added a word
	Turned    = "waiting.turned" // a place on the waiting list became a request or an entry; Data says which
)

// Notice is about one member's own messages: the pages that member has open
// fetch the bell anew.
const Notice = "member.notice"

package events

// Kinds about requests that nobody decides. Data: {"due": RFC 3339}; of an
// escalation also {"to": [member ids], "department": id or 0 for super admins}.
const (
	Due       = "request.due"     // due soon
	Overdue   = "request.overdue" // due now and still not decided
	Escalated = "request.escalated"
)

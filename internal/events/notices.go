package events

// Kinds of facts that messages are made of beside those about requests.
const (
	// ApprovalWaiting is an action that needs a second person; the database writes
	// it and its outcome itself. Data: {"approval": id}.
	ApprovalWaiting  = "approval.waiting"
	ApprovalApproved = "approval.approved"
	ApprovalRejected = "approval.rejected"
	ApprovalExpired  = "approval.expired"
	// Milestone is a group that has so many members now. Data: {"members": n}. req: C35
	Milestone = "group.milestone"
	// EntryDying is a group whose last chat image ends soon. Data: {"until": RFC 3339}.
	EntryDying = "entry.dying"
	// NoticesFrozen is the day's limit of messages being passed. Data: {"sent": n}. req: D23
	NoticesFrozen = "notices.frozen"
	// EndpointOff is a webhook that was switched off after too many failures. Data: {"endpoint": id, "label": text}.
	EndpointOff = "webhook.off"
)

package events

// Kinds about codes that behave oddly. Data of Fused: {"why": burst, outside or
// refused, "seen": n, "until": RFC 3339}; of Reported: {"case": id}.
const (
	Fused    = "code.fused"
	Unfused  = "code.unfused"
	Reported = "code.reported"
)

package web

import "time"

// Pace changes how often streams beat and waiting pages load themselves again,
// until the returned function is called.
func Pace(beat, life, reload time.Duration) (back func()) {
	b, l, r := streamBeat, streamLife, pendingReload
	streamBeat, streamLife, pendingReload = beat, life, reload
	return func() { streamBeat, streamLife, pendingReload = b, l, r }
}

// StreamsPerSession is the limit of open streams per browser.
const StreamsPerSession = streamsPerSession

package web

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/events"
	"doorplate/internal/fault"
)

// Times of a stream of server-sent events.
var (
	streamBeat  = 20 * time.Second       // proxies close what is silent for longer
	streamLife  = 15 * time.Minute       // then the browser asks again, and everything is checked anew
	streamWrite = 30 * time.Second       // who takes longer to read is gone
	streamRest  = 300 * time.Millisecond // between two messages: the first goes out at once, a burst is two
)

// How many streams one process holds. Over it a page asks now and then instead.
const (
	streamsPerSession = 6    // tabs of one browser
	streamsPerAddress = 1000 // a whole organisation may come from one
	streamsInAll      = 8000
)

// streams counts what is open.
type streams struct {
	mu  sync.Mutex
	by  map[string]int
	all int
}

func newStreams() *streams { return &streams{by: map[string]int{}} }

// open takes a place for a session at an address, and says how to give it back.
func (st *streams) open(session, address string) (release func(), ok bool) {
	session, address = "s "+session, "a "+address
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.all >= streamsInAll || st.by[session] >= streamsPerSession || st.by[address] >= streamsPerAddress {
		return nil, false
	}
	st.all++
	st.by[session]++
	st.by[address]++
	return func() { st.close(session, address) }, true
}

func (st *streams) close(keys ...string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.all--
	for _, k := range keys {
		if st.by[k]--; st.by[k] == 0 {
			delete(st.by, k)
		}
	}
}

// wantsStream reports whether the client is one that keeps listening.
func wantsStream(c echo.Context) bool {
	return strings.Contains(c.Request().Header.Get(echo.HeaderAccept), "text/event-stream")
}

// stream is one open connection.
type stream struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	ctx context.Context // until the browser goes
}

// errTooManyStreams sends a page back to asking now and then.
var errTooManyStreams = fault.TooMany{Message: fault.Msg("live5.stream.many"), After: time.Minute}

// listen answers with a stream: hello first, then whatever tell makes of what was
// heard. It ends when the browser goes, when tell says so, when its life is over
// or when the process stops. Everything that can be refused was refused before.
func (s *server) listen(c echo.Context, session string, sub *events.Subscription, hello func(*stream) bool, tell func(*stream, []events.Told, bool) bool) error {
	release, ok := s.streams.open(session, c.RealIP())
	if !ok {
		return errTooManyStreams
	}
	defer release()
	st := &stream{w: c.Response(), rc: http.NewResponseController(c.Response()), ctx: wholeRequest(c)}
	_ = st.rc.SetReadDeadline(time.Time{}) // the request was read; its time must not end the answer's
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "text/event-stream; charset=utf-8")
	h.Set(echo.HeaderCacheControl, "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
	c.Response().WriteHeader(http.StatusOK)
	if !st.write("retry: 3000\n\n") || !hello(st) {
		return nil
	}
	st.follow(session, sub, tell)
	return nil
}

func (st *stream) follow(session string, sub *events.Subscription, tell func(*stream, []events.Told, bool) bool) {
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	life := time.NewTimer(lifeOf(session))
	defer life.Stop()
	wake, rested := sub.Wake(), (<-chan time.Time)(nil)
	for {
		select {
		case <-st.ctx.Done():
			return
		case <-sub.Done():
			return
		case <-life.C:
			return
		case <-beat.C:
			if !st.write(": \n\n") {
				return
			}
		case <-rested:
			wake, rested = sub.Wake(), nil
		case <-wake:
			heard, lost := sub.Take()
			if (len(heard) > 0 || lost) && !tell(st, heard, lost) {
				return
			}
			wake, rested = nil, time.After(streamRest)
		}
	}
}

// lifeOf spreads the ends, so that not all come again at once.
func lifeOf(session string) time.Duration {
	h := fnv.New32a()
	h.Write([]byte(session))
	return streamLife - streamLife*time.Duration(h.Sum32()%100)/500
}

// write sends bytes at once; false when nobody reads any more.
func (st *stream) write(text string) bool {
	_ = st.rc.SetWriteDeadline(time.Now().Add(streamWrite)) // a recorder has none
	if _, err := st.w.Write([]byte(text)); err != nil {
		return false
	}
	return st.rc.Flush() == nil
}

// send is one message. data has one line; id may be "".
func (st *stream) send(event, id, data string) bool {
	text := "event: " + event + "\n"
	if id != "" {
		text += "id: " + id + "\n"
	}
	return st.write(text + "data: " + data + "\n\n")
}

// short is a context for the database within a stream.
func (st *stream) short() (context.Context, context.CancelFunc) {
	return context.WithTimeout(st.ctx, databaseTimeout)
}

const wholeKey = "whole request"

// wholeRequest is the request's context without the time limit of its first answer.
func wholeRequest(c echo.Context) context.Context {
	if ctx, ok := c.Get(wholeKey).(context.Context); ok {
		return ctx
	}
	return c.Request().Context()
}

// lastEvent is where a browser that lost its connection left off, or what the
// page was made with.
func lastEvent(c echo.Context, query string) string {
	if id := c.Request().Header.Get("Last-Event-ID"); id != "" {
		return id
	}
	return c.QueryParam(query)
}

// oneStream is the subscription of a stream, refused while the database is away.
func (s *server) oneStream(c echo.Context, wants func(events.Told) bool) (*events.Subscription, error) {
	sub, err := s.Hub.Subscribe(c.Request().Context(), wants)
	if err != nil {
		return nil, fault.Unavailable{Err: fmt.Errorf("subscribe: %w", err)}
	}
	return sub, nil
}

func number(id int64) string { return strconv.FormatInt(id, 10) }

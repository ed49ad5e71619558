package views

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"doorplate/internal/join"
	"doorplate/internal/paths"
)

// Parts of the page of somebody who waits that stand alone: what is typed there
// must not be swept away by the page loading itself again.
const (
	PartWord     = "word"
	PartWithdraw = "withdraw"
)

type joinLiveKey struct{}

// WithJoinLive makes joinPage follow what happens: by script from the stream, else
// by loading itself again every so often.
func WithJoinLive(ctx context.Context, mark string, every time.Duration) context.Context {
	ctx = context.WithValue(ctx, joinLiveKey{}, paths.With(paths.JoinLive, "mark", mark))
	return WithJoinRefresh(ctx, every)
}

// joinLive is the stream's address, "" where there is nothing to follow.
func joinLive(ctx context.Context) string {
	at, _ := ctx.Value(joinLiveKey{}).(string)
	return at
}

// liveSince is the address of the stream that an open console page follows.
func liveSince(ctx context.Context) string {
	return paths.With(paths.Live, "since", strconv.FormatInt(zoneOf(ctx).now.UnixMilli(), 10))
}

// Count is a figure of the navigation as text, "" for none.
func Count(n int) string {
	if n <= 0 {
		return ""
	}
	return countText(n)
}

// span is a length of time as people say it, rounded up: nobody shall wait longer than was said.
func span(ctx context.Context, d time.Duration) string {
	up := func(unit time.Duration) int { return int(math.Ceil(float64(d) / float64(unit))) }
	switch {
	case d <= 50*time.Minute:
		return t(ctx, "live5.span.minutes", "Count", max(5, (up(time.Minute)+4)/5*5))
	case d <= 36*time.Hour:
		return t(ctx, "live5.span.hours", "Count", up(time.Hour))
	}
	return t(ctx, "live5.span.days", "Count", up(24*time.Hour))
}

// expectText is what others' waits say about this one.
func (p JoinProps) expectText(ctx context.Context) string {
	key := "live5.expect.all"
	if p.Expect.Group {
		key = "live5.expect.group"
	}
	return t(ctx, key, "Of", p.Expect.Of, "Half", span(ctx, p.Expect.Half), "Most", span(ctx, p.Expect.Most))
}

// late reports whether this one waits longer than most did.
func (p JoinProps) late() bool {
	return p.Expect != nil && p.Now.Sub(p.Request.CreatedAt) > max(p.Expect.Most, time.Hour)
}

// againText says when and how often somebody who was refused may ask again.
func (p JoinProps) againText(ctx context.Context) string {
	switch {
	case p.RetryAt.IsZero():
		return t(ctx, "live5.again.never")
	case p.AgainLeft > 0:
		return t(ctx, "live5.again.left", "At", when(ctx, p.RetryAt), "Count", p.AgainLeft)
	}
	return t(ctx, "live5.again.at", "At", when(ctx, p.RetryAt))
}

// told is what the decider said to somebody who was let in; "" for nothing.
func (p JoinProps) told() string {
	if p.Request == nil || p.Request.Status != join.Approved {
		return ""
	}
	return p.Request.Reason
}

func requestNumber(id int64) string { return fmt.Sprintf("R-%d", id) }

package neterr

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tracked is a context that has a Tracker's trace, as an attempt's has.
type tracked struct {
	context.Context
	tracker *Tracker
	add     func(*httptrace.ClientTrace)
}

func (c tracked) Value(key any) any {
	if trace := c.tracker.Trace(c.Context, c.add); IsTraceKey(key) && trace != nil {
		return trace
	}
	return c.Context.Value(key)
}

// TestHttptraceFindsTheTrace: the key is the one that it asks for.
func TestHttptraceFindsTheTrace(t *testing.T) {
	var tracker Tracker
	ctx := tracked{Context: t.Context(), tracker: &tracker}
	assert.Nil(t, httptrace.ContextClientTrace(ctx), "nothing is tracked")
	tracker.Track(false)
	trace := httptrace.ContextClientTrace(ctx)
	require.NotNil(t, trace)
	assert.Same(t, trace, httptrace.ContextClientTrace(ctx), "once made it stays")
	assert.Nil(t, trace.GotConn)
	assert.False(t, IsTraceKey(nil))
	assert.False(t, IsTraceKey(struct{}{}))
}

// TestUnsent is a line per distance that a request got.
func TestUnsent(t *testing.T) {
	lost := errors.New("the connection was lost")
	for _, c := range []struct {
		name            string
		err             error // if nil, lost
		timed, timedOut bool
		calls           func(*httptrace.ClientTrace)
		want            bool
	}{
		{name: "a base without httptrace proves nothing", calls: func(*httptrace.ClientTrace) {}},
		{name: "no headers written", calls: func(tr *httptrace.ClientTrace) { tr.GetConn("") }, want: true},
		{name: "headers written", calls: func(tr *httptrace.ClientTrace) { tr.GetConn(""); tr.WroteHeaders() }},
		{name: "timed out without a connection", timed: true, timedOut: true, want: true,
			calls: func(tr *httptrace.ClientTrace) { tr.GetConn("") }},
		{name: "timed out with a connection", timed: true, timedOut: true,
			calls: func(tr *httptrace.ClientTrace) { tr.GetConn(""); tr.GotConn(httptrace.GotConnInfo{}) }},
		{name: "a limit of the base's own, whose writer may be about to write", err: context.DeadlineExceeded,
			calls: func(tr *httptrace.ClientTrace) { tr.GetConn("") }},
		{name: "the same, canceled", err: context.Canceled, calls: func(tr *httptrace.ClientTrace) { tr.GetConn("") }},
		{name: "the same, without a connection", err: context.Canceled, timed: true, want: true,
			calls: func(tr *httptrace.ClientTrace) { tr.GetConn("") }},
		{name: "a dial that timed out", err: &net.OpError{Op: "dial", Err: context.DeadlineExceeded}, want: true,
			calls: func(tr *httptrace.ClientTrace) { tr.GetConn("") }},
		{name: "a handshake that timed out", err: errors.New("net/http: TLS handshake timeout"), want: true,
			calls: func(tr *httptrace.ClientTrace) { tr.GetConn("") }},
	} {
		var tracker Tracker
		tracker.Track(c.timed)
		c.calls(httptrace.ContextClientTrace(tracked{Context: t.Context(), tracker: &tracker}))
		assert.Equal(t, c.want, tracker.Unsent(cmp.Or(c.err, lost), c.timedOut), c.name)
	}
}

// TestOtherHooksAreCalledToo: what is added, and the caller's own.
func TestOtherHooksAreCalledToo(t *testing.T) {
	for _, on := range []bool{true, false} {
		var calls []string
		caller := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GetConn: func(string) { calls = append(calls, "the caller's") },
		})
		var tracker Tracker
		if on {
			tracker.Track(false)
		}
		ctx := tracked{Context: caller, tracker: &tracker, add: func(trace *httptrace.ClientTrace) {
			before := trace.GetConn
			trace.GetConn = func(addr string) {
				calls = append(calls, "added")
				if before != nil {
					before(addr)
				}
			}
		}}
		httptrace.ContextClientTrace(ctx).GetConn("")
		assert.Equal(t, []string{"added", "the caller's"}, calls)
		assert.Equal(t, on, tracker.Unsent(errors.New("lost"), false))
	}
}

// TestAllWhoAskGetOneTrace, under -race, too.
func TestAllWhoAskGetOneTrace(t *testing.T) {
	for range 100 {
		var tracker Tracker
		tracker.Track(true)
		ctx := tracked{Context: t.Context(), tracker: &tracker}
		var got [4]*httptrace.ClientTrace
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() { got[i] = httptrace.ContextClientTrace(ctx) })
		}
		all.Wait()
		for _, trace := range got {
			assert.Same(t, got[0], trace)
		}
	}
}

package neterr

import (
	"context"
	"errors"
	"net/http/httptrace"
	"sync/atomic"
)

const (
	sawGetConn uint32 = 1 << iota // the base supports httptrace
	sawGotConn
	sawWroteHeaders
)

// Tracker records by httptrace how much of an attempt's request was sent, over all tries
// that net/http itself makes within the attempt. The zero value tracks nothing.
//
// Its hooks are made when the base looks them up in the attempt's context. So they cost
// nothing if the base doesn't use httptrace.
type Tracker struct {
	trace atomic.Pointer[httptrace.ClientTrace]
	seen  atomic.Uint32
	on    bool
	timed bool
}

// traceKey is the key of the ClientTrace in a context. httptrace does not export it, but
// passes it to the Value method of any context.
var traceKey = func() any {
	var spy keySpy
	httptrace.ContextClientTrace(&spy)
	return spy.key
}()

// keySpy records the key that its Value method is called with.
type keySpy struct {
	context.Context
	key any
}

func (s *keySpy) Value(key any) any {
	s.key = key
	return nil
}

// IsTraceKey reports whether key is the key of the ClientTrace in a context.
func IsTraceKey(key any) bool { return key == traceKey }

// Track turns tracking on. timed means that the attempt has a time limit of our own.
func (t *Tracker) Track(timed bool) { t.on, t.timed = true, timed }

// Trace returns the ClientTrace of the attempt's context: t's hooks, the hooks that add
// adds, and those of parent, from which the attempt's context was made. If nothing is
// tracked or added, it returns nil. It may be called concurrently: all calls return the
// same trace. The hooks may be called after the attempt has ended.
func (t *Tracker) Trace(parent context.Context, add func(*httptrace.ClientTrace)) *httptrace.ClientTrace {
	if made := t.trace.Load(); made != nil || !t.on && add == nil {
		return made
	}
	trace := new(httptrace.ClientTrace)
	if t.on {
		trace.GetConn, trace.WroteHeaders = t.getConn, t.wroteHeaders
		if t.timed {
			trace.GotConn = t.gotConn
		}
	}
	if add != nil {
		add(trace)
	}
	if httptrace.ContextClientTrace(parent) != nil {
		httptrace.WithClientTrace(parent, trace) // it adds parent's hooks to trace
	}
	if t.trace.CompareAndSwap(nil, trace) {
		return trace
	}
	return t.trace.Load()
}

func (t *Tracker) getConn(string)                { t.seen.Or(sawGetConn) }
func (t *Tracker) gotConn(httptrace.GotConnInfo) { t.seen.Or(sawGotConn) }
func (t *Tracker) wroteHeaders()                 { t.seen.Or(sawWroteHeaders) }

// Unsent reports whether it is proven that the server can't have acted on an attempt that
// ended in err. net/http calls WroteHeaders before it flushes the headers: if it was not
// called, at most a part of the head was sent. If no hook was called at all, the base may
// not support httptrace, so only err can prove it; the same holds for a nil Tracker.
// timedOut means that our own time limit ended the attempt. At a time limit, ours or the
// base's own, and at a cancellation, HTTP/2 returns at once, while its writer may be about
// to send the headers. Then only an attempt without a connection is proven to be unsent
// or, if connections are not tracked, one whose err proves it.
func (t *Tracker) Unsent(err error, timedOut bool) bool {
	if IsUnprocessed(err) {
		return true
	}
	if t == nil || t.seen.Load() == 0 {
		return isUnsent(err)
	}
	if timedOut || IsTimeout(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		if !t.timed { // connections are not tracked
			return isUnsent(err)
		}
		return t.seen.Load()&sawGotConn == 0
	}
	return t.seen.Load()&sawWroteHeaders == 0
}

package neterr

import (
	"net/http/httptrace"
	"sync/atomic"
)

const (
	sawGetConn uint32 = 1 << iota // the base supports httptrace
	sawGotConn
	sawWroteHeaders
)

// Tracker finds out how far an attempt's request got, by httptrace, over all tries
// that net/http itself makes within the attempt. The zero value is ready for use.
type Tracker struct {
	trace httptrace.ClientTrace
	seen  atomic.Uint32
}

// Track sets the hooks. They may be called after the attempt has ended. timed means
// that the attempt has a time limit of our own.
func (t *Tracker) Track(timed bool) {
	if timed {
		t.trace.GotConn = t.gotConn
	}
	t.trace.GetConn = t.getConn
	t.trace.WroteHeaders = t.wroteHeaders
}

// Trace returns what to put into the attempt's context; other hooks than t's may be
// added to it.
func (t *Tracker) Trace() *httptrace.ClientTrace { return &t.trace }

func (t *Tracker) getConn(string)                { t.seen.Or(sawGetConn) }
func (t *Tracker) gotConn(httptrace.GotConnInfo) { t.seen.Or(sawGotConn) }
func (t *Tracker) wroteHeaders()                 { t.seen.Or(sawWroteHeaders) }

// Unsent reports whether it is proven that the server can't have acted on an attempt
// that ended in err. net/http calls WroteHeaders before it flushes them, so a request
// whose WroteHeaders was not called left at most a part of its head. A base that
// doesn't know httptrace proves nothing by its silence. timedOut means that err is
// the end of our own time limit: HTTP/2 returns at once then, and its writer may be
// just about to send the headers. A nil Tracker leaves it to the error.
func (t *Tracker) Unsent(err error, timedOut bool) bool {
	if IsUnprocessed(err) {
		return true
	}
	if t == nil || t.seen.Load() == 0 {
		return isUnsent(err)
	}
	if timedOut {
		return t.seen.Load()&sawGotConn == 0
	}
	return t.seen.Load()&sawWroteHeaders == 0
}

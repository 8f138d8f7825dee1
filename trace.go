package insist

import (
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// attempt is an attempt that is sent as a copy of the caller's request: one
// allocation holds the copy, the context's mark and the trace.
type attempt struct {
	request http.Request
	scope   scope
	trace   httptrace.ClientTrace
	source  source // of the body; nil if that is the caller's own, or none
	number  int32
	replays atomic.Int32  // of the body, by the base
	seen    atomic.Uint32 // what the trace has seen, over all of the base's own tries
}

const (
	sawGetConn uint32 = 1 << iota // the base supports httptrace
	sawGotConn
	sawWroteHeaders
)

// watch has the base report to the attempt how far the request got. A hook may
// be called after the attempt has ended; it then finds nobody that listens.
func (a *attempt) watch(timed bool) *httptrace.ClientTrace {
	if timed {
		a.trace.GotConn = a.gotConn
	}
	a.trace.GetConn = a.getConn
	a.trace.WroteHeaders = a.wroteHeaders
	return &a.trace
}

func (a *attempt) getConn(string)                { a.seen.Or(sawGetConn) }
func (a *attempt) gotConn(httptrace.GotConnInfo) { a.seen.Or(sawGotConn) }

func (a *attempt) wroteHeaders() { a.seen.Or(sawWroteHeaders) }

// sent reports whether r is the attempt's request, or the copy of it by which
// net/http tracks its body, and which it forgets in responses over HTTP/2.
func (a *attempt) sent(r *http.Request) bool {
	return r != nil && r.URL == a.request.URL && r.Context() == a.request.Context()
}

// unsent reports whether it is proven that the server can't have acted on this
// attempt, which ended in err. net/http calls WroteHeaders before it flushes
// them, so a request whose WroteHeaders was not called left at most a part of
// its head. A base that doesn't know httptrace proves nothing by its silence.
func (a *attempt) unsent(err error) bool {
	if isUnprocessed(err) {
		return true
	}
	if a == nil || a.seen.Load() == 0 {
		return isUnsent(err)
	}
	if err == errAttemptTimeout {
		// HTTP/2 returns at once; whoever writes the headers may be about to.
		return a.seen.Load()&sawGotConn == 0
	}
	return a.seen.Load()&sawWroteHeaders == 0
}

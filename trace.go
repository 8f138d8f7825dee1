package insist

import (
	"net/http/httptrace"
)

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

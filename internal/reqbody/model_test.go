//go:build !race

package reqbody

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/seed-552c89fc/insist/internal/chunk"
)

// A depth of d is a body of d bytes where there are up to three actors, and of d-1, but at
// least one, where there are four. More depth is also more of the casts below.
var (
	modelDepth = flag.Int("depth", 1, "how `deep` TestModel goes")
	modelMost  = flag.Int("schedules", 1<<30, "how many `schedules` of one kind of body and one cast TestModel takes at most")
)

// scenario is a kind of body, and who does what with it.
type scenario struct {
	name    string
	kind    modelBody
	waits   bool
	whole   bool // attempt 2, if it is made, sends the whole body
	actors  func(x *execution)
	replace func(stream) stream // makes a mutant of the source; nil for the source itself
	size    int
}

// model is what the actors of an execution share.
type model struct {
	body     Body
	request  *http.Request
	data     []byte
	piece    int // bytes that one Read of the caller's reader returns
	bodies   []*callerBody
	attempts []*modelAttempt
	opened2  bool // attempt 2 has begun, or never will
	over     bool // the call has ended
	unread   bool // the base closes what it resends
	resends  bool // the base has not returned the response: it still calls GetBody
	chunk    *byte
}

// modelAttempt is an attempt of the call's.
type modelAttempt struct {
	lease   *Lease
	cancel  func() // ends its context
	revoked bool
}

// view is what a base knows of a reader that it was given.
type view struct {
	of     *modelAttempt
	body   io.ReadCloser
	off    int
	closed bool
	err    error
}

func (s *scenario) start() *execution {
	x := &execution{scenario: s}
	x.data, x.piece = pattern(s.size), 1
	if s.kind.large {
		x.data, x.piece = pattern(chunk.Size+s.size), chunk.Size
	}
	req, _ := http.NewRequest("PUT", "http://x/", nil)
	s.kind.give(x, req)
	req.ContentLength = -1
	if s.kind.known {
		req.ContentLength = int64(len(x.data)) + s.kind.longer
	}
	limit := s.kind.limit
	if limit == tooFew {
		limit = int64(len(x.data)) - 1
	}
	x.body.Take(req, limit)
	if r, ok := x.body.stream.(*bufferedSource); ok {
		r.wake.L = gatedLock{x, &r.mu}
	}
	if s.replace != nil {
		x.body.stream = s.replace(x.body.stream)
	}
	ctx, cancel := context.WithCancel(context.Background())
	first := &modelAttempt{lease: &Lease{Request: *req.WithContext(ctx), Number: 1}, cancel: cancel}
	x.request, x.attempts = req, append(x.attempts, first)
	if err := x.body.Fill(first.lease); err != nil {
		x.fault("attempt 1: %v", err)
	}
	s.actors(x)
	return x
}

// read reads body to its end, as an actor, and closes it.
func (x *execution) read(a *actor, v *view) {
	x.readOn(a, v)
	a.step("close")
	v.body.Close()
	x.woken()
	v.closed = true
}

func (x *execution) readOn(a *actor, v *view) {
	a.view = v
	size := x.piece
	if x.kind.large {
		size = 40_000
	}
	for empty := 0; empty < 3; empty++ {
		a.step("read")
		if x.readOnce(a, v, make([]byte, size)) {
			empty = -1
		}
		if v.err != nil {
			return
		}
	}
	x.fault("%s: Read returns nothing", a.name)
}

func (x *execution) readOnce(a *actor, v *view, p []byte) (some bool) {
	late := v.of.revoked || v.closed || x.over
	n, err := v.body.Read(p)
	x.woken()
	v.err = err
	switch {
	case n == 0 || x.kind.memory:
	case late:
		x.fault("%s gets bytes after revoke, Close or the end", a.name)
	case err == nil && (v.of.revoked || v.closed || x.over): // with io.EOF it has all, and may have waited for the Close
		x.fault("%s gets bytes in a Read that was to be ended", a.name)
	case v.off+n > len(x.data) || !bytes.Equal(p[:n], x.data[v.off:v.off+n]):
		x.fault("%s gets wrong bytes at %d", a.name, v.off)
	}
	if v.off += n; err == io.EOF && !x.isWhole(v.off) {
		x.fault("%s gets io.EOF after %d of %d bytes", a.name, v.off, len(x.data))
	}
	if x.kind.large {
		x.poison()
	}
	return n > 0
}

// poison overwrites what is in the pool of chunks, and sees whether anything is in it
// twice.
func (x *execution) poison() {
	var buffers [3]chunk.Buffer
	var rooms [3][]byte
	for i := range buffers {
		rooms[i] = buffers[i].Room(chunk.Size+9, true)
		if i > 0 && &rooms[i][0] == &rooms[i-1][0] {
			x.fault("a chunk was returned to the pool twice")
		}
		for j := range 64 {
			rooms[i][j] = 0xEE
		}
	}
	for i := range buffers {
		buffers[i].Free()
	}
}

// The actors. The base of attempt 1 reads its body and closes it.
func first(x *execution) {
	x.actor("base 1", func(a *actor) { x.read(a, &view{of: x.attempts[0], body: x.attempts[0].lease.Request.Body}) })
}

// firstCloses: the base closes that body on another goroutine, as net/http's HTTP/2 does.
func firstCloses(x *execution) {
	x.actor("closer 1", func(a *actor) {
		v := x.actors[0].view
		a.step("close")
		v.body.Close()
		x.woken()
		v.closed = true
	})
}

// firstCopy: a signer, or a mirror, reads a copy within attempt 1.
func firstCopy(x *execution) { readCopy(x, "copy 1", 0) }

func readCopy(x *execution, name string, n int) {
	x.actor(name, func(a *actor) {
		a.stepIf("GetBody", func() bool { return n == 0 || x.opened2 })
		if n >= len(x.attempts) {
			return
		}
		body, err := x.attempts[n].lease.getBodyOf(x)
		x.woken()
		if err == nil {
			x.read(a, &view{of: x.attempts[n], body: body})
		}
	})
}

// getBodyOf is the request's GetBody: an attempt that sends the caller's own body has the
// caller's.
func (l *Lease) getBodyOf(x *execution) (io.ReadCloser, error) {
	if x.kind.memory {
		return l.Request.GetBody()
	}
	return l.getBody()
}

// firstResends: net/http closes the body, asks for a copy that it forgets, and for another
// one that it sends.
func firstResends(x *execution) {
	x.actor("base 1", func(a *actor) {
		at := x.attempts[0]
		x.resends = true
		a.step("close")
		at.lease.Request.Body.Close()
		x.woken()
		a.step("GetBody")
		at.lease.getBodyOf(x)
		x.woken()
		a.step("GetBody")
		body, err := at.lease.getBodyOf(x)
		x.woken()
		x.resends = false
		if err == nil && x.unread {
			a.step("close")
			body.Close()
		} else if err == nil {
			x.read(a, &view{of: at, body: body})
		}
	})
}

// firstResendsNothing: as firstResends, but the response comes before the copy is read.
func firstResendsNothing(x *execution) {
	x.unread = true
	firstResends(x)
}

// retries: the call revokes attempt 1, opens attempt 2, and keeps its response.
func retries(x *execution) {
	x.actor("call", func(a *actor) {
		a.step("revoke")
		x.body.Revoke()
		x.woken()
		x.attempts[0].revoked = true
		a.step("open 2")
		at := &modelAttempt{lease: &Lease{Number: 2, Request: *x.request}}
		opened := x.body.Whole() && x.body.Fill(at.lease) == nil
		x.woken()
		if opened {
			x.attempts = append(x.attempts, at)
		}
		x.opened2 = true
		if len(x.attempts) == 1 {
			a.step("end")
			x.body.End()
			x.woken()
			x.over = true
			return
		}
		x.keep(a)
	})
}

// hedges: the call opens attempt 2 beside attempt 1, if the body allows that, and keeps its
// response.
func hedges(x *execution) {
	x.actor("call", func(a *actor) {
		a.step("open 2")
		at := &modelAttempt{lease: &Lease{Number: 2, Request: *x.request}}
		x.body.Apart = true
		_, now := x.body.CanOverlap()
		opened := now && x.body.Fill(at.lease) == nil
		x.woken()
		if opened {
			x.attempts = append(x.attempts, at)
		}
		x.opened2 = true
		if opened {
			a.step("drop 1")
			x.body.RevokeLease(x.attempts[0].lease)
			x.woken()
			x.attempts[0].revoked = true
		}
		x.keep(a)
	})
}

// keeps: the call keeps attempt 1's response.
func keeps(x *execution) { x.actor("call", x.keep) }

func (x *execution) keep(a *actor) {
	a.stepIf("keep", func() bool { return !x.resends })
	if end := x.body.Keep(); end != nil {
		a.step("end")
		end()
		x.over = true
	}
}

// second: the base of attempt 2 reads its body and closes it.
func second(x *execution) {
	x.actor("base 2", func(a *actor) {
		a.stepIf("begin", func() bool { return x.opened2 })
		if len(x.attempts) > 1 {
			x.read(a, &view{of: x.attempts[1], body: x.attempts[1].lease.Request.Body})
		}
	})
}

// secondCloses: the base of attempt 2 closes its body at once.
func secondCloses(x *execution) {
	x.actor("base 2", func(a *actor) {
		a.stepIf("close", func() bool { return x.opened2 })
		if len(x.attempts) > 1 {
			x.attempts[1].lease.Request.Body.Close()
		}
	})
}

func secondCopy(x *execution) { readCopy(x, "copy 2", 1) }

// attemptEnds: the context of attempt 1 ends.
func attemptEnds(x *execution) {
	x.actor("timer", func(a *actor) {
		a.step("attempt 1 ends")
		x.attempts[0].cancel()
		if x.body.stream != nil {
			x.attempts[0].lease.abort(x.body.stream, context.Background())
			x.woken()
			x.attempts[0].revoked = true
		}
	})
}

// callEnds: the caller's context ends.
func callEnds(x *execution) {
	x.actor("caller", func(a *actor) {
		a.step("call ends")
		if x.body.stream != nil {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			x.attempts[0].cancel()
			x.attempts[0].lease.abort(x.body.stream, ctx)
			x.woken()
			x.over = true
		}
	})
}

func (x *execution) checkEnd() {
	for _, b := range x.bodies {
		if b.closes != b.opened {
			x.fault("reader %s was opened %d times, closed %d times", b.id, b.opened, b.closes)
		}
		if b.inRead || b.inClose {
			x.fault("reader %s is still in use", b.id)
		}
	}
	for _, a := range x.actors {
		if v := a.view; x.whole && v != nil && a.name == "base 2" && v.err != io.EOF {
			x.fault("attempt 2 sends %d bytes, and then %v", v.off, v.err)
		}
	}
	if x.kind.large {
		x.poison()
	}
}

type cast struct {
	name  string
	depth int // from which on it is tried
	whole bool
	who   []func(*execution)
}

var casts = []cast{
	{"2 attempts", 1, true, []func(*execution){first, retries, second}},
	{"2 attempts, Close during Read", 1, true, []func(*execution){first, firstCloses, retries, second}},
	{"2 attempts, the first one's context ends", 1, true, []func(*execution){first, attemptEnds, retries, second}},
	{"2 attempts side by side", 1, true, []func(*execution){first, hedges, second}},
	{"1 attempt, a copy", 1, false, []func(*execution){first, firstCopy, keeps}},
	{"1 attempt, resent by the base", 1, false, []func(*execution){firstResends, keeps}},
	{"1 attempt, resent by the base, unread", 1, false, []func(*execution){firstResendsNothing, keeps}},
	{"2 attempts, the call ends", 2, false, []func(*execution){first, retries, second, callEnds}},
	{"a copy in attempt 1, which is revoked", 2, false, []func(*execution){first, firstCopy, retries, secondCloses}},
	{"resent by the base, 2 attempts, the call ends", 2, false, []func(*execution){firstResends, retries, second, callEnds}},
	{"1 attempt, a copy, Close during Read", 2, false, []func(*execution){first, firstCloses, firstCopy, keeps}},
	{"1 attempt, a copy, the call ends", 2, false, []func(*execution){first, firstCopy, keeps, callEnds}},
	{"a copy in attempt 1, 2 attempts", 3, true, []func(*execution){first, firstCopy, retries, second}},
	{"2 attempts side by side, a copy in attempt 1", 2, true, []func(*execution){first, firstCopy, hedges, second}},
	{"a copy in attempt 2", 3, false, []func(*execution){first, retries, second, secondCopy}},
}

func (c cast) of(kind modelBody, size int) *scenario {
	return &scenario{name: c.name, kind: kind, waits: kind.waits, size: size,
		whole:  c.whole && !kind.once && kind.failAt == 0 && kind.longer == 0 && !kind.waits,
		actors: func(x *execution) { play(x, c.who) }}
}

func play(x *execution, who []func(*execution)) {
	for _, add := range who {
		add(x)
	}
}

// TestModel takes every schedule of the source of a request body, on the real code, and
// writes a table.
func TestModel(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that the same steps lead to the same state
	row := "%-47s %9s %9s %8s %8s  %s"
	t.Logf(row, "body", "schedules", "steps", "longest", "states", "faults")
	for _, kind := range modelBodies {
		var total explorer
		for _, c := range casts {
			if c.depth > *modelDepth {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				e := explore(c.of(kind, max(1, *modelDepth-len(c.who)+3)), *modelMost)
				total.add(e)
				if e.fault != "" {
					t.Errorf("%s, %s: %s", kind.name, c.name, e.fault)
				}
			})
		}
		faults := "none"
		switch {
		case total.fault != "":
			faults = "found"
		case total.cut:
			faults = "none, not all schedules"
		}
		assert.Zero(t, total.strayed, "schedules that could not be repeated")
		t.Logf(row, kind.name, fmt.Sprint(total.schedules), fmt.Sprint(total.steps), fmt.Sprint(total.longest), fmt.Sprint(total.found), faults)
	}
}

// add adds another explorer's numbers.
func (e *explorer) add(o *explorer) {
	e.schedules += o.schedules
	e.steps += o.steps
	e.strayed += o.strayed
	e.found += len(o.states)
	e.cut = e.cut || o.cut
	e.longest = max(e.longest, o.longest)
	if e.fault == "" {
		e.fault = o.fault
	}
}

//go:build !race

package reqbody

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Mutants of a source. Each has one fault, which the explorer has to find.

type noRevoke struct{ stream }

func (noRevoke) revoke(*Lease, error, time.Duration) {}

type noEnd struct{ stream }

func (noEnd) end() {}

type closesTwice struct{ stream }

func (m closesTwice) end() {
	m.stream.end()
	m.stream.(*bufferedSource).src.Close()
}

// wraps has open return a reader of another kind.
type wraps struct {
	stream
	with func(io.ReadCloser) io.ReadCloser
}

func (m wraps) open(l *Lease, isCopy bool) (io.ReadCloser, error) {
	body, err := m.stream.open(l, isCopy)
	if err != nil {
		return nil, err
	}
	return m.with(body), nil
}

// endsEarly takes a revoked reader's error for the end.
type endsEarly struct{ io.ReadCloser }

func (m endsEarly) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	if errors.Is(err, errRevoked) {
		err = io.EOF
	}
	return n, err
}

// locked holds a lock during Read, for which Close waits.
type locked struct {
	io.ReadCloser
	lock chan struct{}
}

func (m locked) Read(p []byte) (int, error) {
	m.lock <- struct{}{}
	defer func() { <-m.lock }()
	return m.ReadCloser.Read(p)
}

func (m locked) Close() error {
	m.lock <- struct{}{}
	defer func() { <-m.lock }()
	return m.ReadCloser.Close()
}

// sharedCopy has Body and its copies share one position.
type sharedCopy struct {
	stream
	body *io.ReadCloser
}

func (m sharedCopy) open(l *Lease, isCopy bool) (io.ReadCloser, error) {
	if isCopy {
		return *m.body, nil
	}
	body, err := m.stream.open(l, false)
	*m.body = body
	return body, err
}

// unguarded returns the caller's own reader for each attempt and copy.
type unguarded struct{ stream }

func (m unguarded) open(*Lease, bool) (io.ReadCloser, error) {
	return m.stream.(*bufferedSource).src, nil
}

// replays is how many libraries do it: what attempt 1 has read is recorded, and attempt 2
// reads the record and then the rest. Nobody waits for a Read in flight.
type replays struct {
	stream
	record *bytes.Buffer
}

func (m replays) open(*Lease, bool) (io.ReadCloser, error) {
	src := m.stream.(*bufferedSource).src
	before := bytes.NewReader(bytes.Clone(m.record.Bytes()))
	return io.NopCloser(io.MultiReader(before, io.TeeReader(src, m.record))), nil
}

func (replays) revoke(*Lease, error, time.Duration) {}
func (m replays) whole() bool                       { return true }

type freesEarly struct{ stream }

func (m freesEarly) keep() bool {
	r := m.stream.(*bufferedSource)
	chunks := r.buffer
	chunks.Free() // and r goes on with them
	return m.stream.keep()
}

// TestModelFindsFaults: it is a test only if it can fail.
func TestModelFindsFaults(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, c := range []struct {
		name, cast, kind string
		mutant           func(stream) stream
		want             string
	}{
		{"revoke does nothing", "2 attempts", "read once", func(s stream) stream { return noRevoke{s} }, "that was to be ended"},
		{"revoke does nothing, GetBody", "2 attempts", "GetBody, new readers", func(s stream) stream { return noRevoke{s} }, "that was to be ended"},
		{"the end closes nothing", "2 attempts, the call ends", "read once", func(s stream) stream { return noEnd{s} }, "closed 0 times"},
		{"the end closes twice", "2 attempts", "read once, longer than MaxReplayBytes", func(s stream) stream { return closesTwice{s} }, "closed twice"},
		{"a revoked reader ends", "2 attempts", "read once", func(s stream) stream {
			return wraps{s, func(body io.ReadCloser) io.ReadCloser { return endsEarly{body} }}
		}, "io.EOF after 0 of 1 bytes"},
		{"Close waits for Read", "2 attempts, Close during Read", "read once", func(s stream) stream {
			return wraps{s, func(body io.ReadCloser) io.ReadCloser { return locked{body, make(chan struct{}, 1)} }}
		}, "Close waits"},
		{"a copy shares Body's position", "1 attempt, a copy", "section", func(s stream) stream { return sharedCopy{s, new(io.ReadCloser)} }, "io.EOF after 0 of 1 bytes"},
		{"attempts share the caller's reader", "2 attempts", "read once", func(s stream) stream { return unguarded{s} }, "two Reads"},
		{"attempt 2 doesn't wait for attempt 1's Read", "2 attempts", "read once", func(s stream) stream { return replays{s, new(bytes.Buffer)} }, "two Reads"},
		{"a chunk is freed while it is read", "1 attempt, a copy", "read once, fills a pooled chunk", func(s stream) stream { return freesEarly{s} }, "wrong bytes"},
	} {
		s := find(t, c.cast, c.kind)
		s.replace = c.mutant
		var e *explorer
		synctest.Test(t, func(t *testing.T) { e = explore(s, 20_000) })
		assert.Contains(t, e.fault, c.want, c.name)
		what, _, _ := strings.Cut(e.fault, ", by")
		t.Logf("%-43s found by schedule %3d: %s", c.name, e.schedules, what)
	}
}

func find(t *testing.T, name, kindName string) *scenario {
	for _, cast := range casts {
		for _, kind := range modelBodies {
			if cast.name == name && kind.name == kindName {
				return cast.of(kind, 1)
			}
		}
	}
	require.FailNow(t, "no such scenario", "%s, %s", name, kindName)
	return nil
}

// TestModelStates: what is not taken because its state has been seen would lead to no
// state that has not been seen.
func TestModelStates(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, kind := range modelBodies {
		if kind.large || kind.waits {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			s := casts[0].of(kind, 1)
			s.actors = func(x *execution) { play(x, []func(*execution){first, keeps, firstCloses}) }
			pruned, all := explore(s, 1<<20), &explorer{scenario: s, most: 1 << 20, everything: true, states: make(map[uint64]bool), number: make(map[string]uint8)}
			all.run()
			assert.False(t, all.cut)
			assert.Empty(t, all.fault)
			assert.Equal(t, len(all.states), len(pruned.states), kind.name)
			t.Logf("%s: %d schedules, all: %d, states: %d", kind.name, pruned.schedules, all.schedules, len(all.states))
		})
	}
}

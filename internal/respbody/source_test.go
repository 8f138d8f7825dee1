package respbody

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-552c89fc/insist/internal/wait"
)

// read is one Read of a source.
type read func(p []byte) (int, error)

func gives(s string) read   { return func(p []byte) (int, error) { return copy(p, s), nil } }
func ends(s string) read    { return func(p []byte) (int, error) { return copy(p, s), io.EOF } }
func breaks(err error) read { return func([]byte) (int, error) { return 0, err } }
func panics(v any) read     { return func([]byte) (int, error) { panic(v) } }
func after(c <-chan struct{}, next read) read {
	return func(p []byte) (int, error) { <-c; return next(p) }
}

// source is a body that makes one read after the other, then returns io.EOF. It notes
// what a body must not be asked for.
type source struct {
	reads    []read
	close    func() // if any
	next     int
	reading  atomic.Bool
	closes   atomic.Int32
	mistakes atomic.Int32 // a Close or another Read during a Read, or a Read after Close
}

func (s *source) Read(p []byte) (int, error) {
	if s.reading.Swap(true) || s.closes.Load() > 0 {
		s.mistakes.Add(1)
	}
	defer s.reading.Store(false)
	if s.next == len(s.reads) {
		return 0, io.EOF
	}
	s.next++
	return s.reads[s.next-1](p)
}

func (s *source) Close() error {
	if s.reading.Load() {
		s.mistakes.Add(1)
	}
	s.closes.Add(1)
	if s.close != nil {
		s.close()
	}
	return nil
}

// response is a response to an attempt with a context of its own, which ends with
// the source's own.
func response(length int64, reads ...read) (*http.Response, *source) {
	s := &source{reads: reads}
	return &http.Response{StatusCode: 200, ProtoMajor: 1, Header: http.Header{}, ContentLength: length, Body: s}, s
}

// attempt returns an attempt with a context of its own.
func attempt(t testing.TB) (Attempt, context.Context) {
	ctx, cancel := context.WithCancelCause(t.Context())
	return Attempt{Waiter: wait.ForContext(t.Context()), Cancel: cancel}, ctx
}

// tidy checks that the source was closed, and nothing forbidden done to it.
func (s *source) tidy(t testing.TB, name ...any) {
	t.Helper()
	assert.EqualValues(t, 1, s.closes.Load(), name...)
	assert.Zero(t, s.mistakes.Load(), name...)
}

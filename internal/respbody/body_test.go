package respbody

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/internal/jsonscan"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// A field more is paid for by the first chunk, not by the next size class.
func TestABodyFillsItsSizeClass(t *testing.T) {
	assert.LessOrEqual(t, unsafe.Sizeof(Body{}), uintptr(896-8))
	assert.GreaterOrEqual(t, len(Body{}.start), 380)
}

var _ jsonscan.Source = new(Reader)

// TestALookCopiesNothing: what a condition gets is the memory that the source wrote to.
func TestALookCopiesNothing(t *testing.T) {
	var wrote []*byte
	note := func(s string) read {
		return func(p []byte) (int, error) {
			wrote = append(wrote, &p[0])
			return copy(p, s), nil
		}
	}
	resp, _ := response(-1, note("one"), note("two"), note(strings.Repeat("3", 1000)), note("four"))
	b := Open(resp, Attempt{Waiter: wait.ForContext(t.Context())})
	r := b.Look(1<<20, time.Second)
	defer r.Stop()
	var got []*byte
	for {
		piece, err := r.Next()
		if err != nil {
			assert.Equal(t, io.EOF, err)
			break
		}
		got = append(got, &piece[0])
	}
	assert.Equal(t, wrote, got)
	assert.Len(t, got, 4)
}

// look reads as much as comes within a second.
func look(b *Body) (string, error) {
	r := b.Look(1<<20, time.Second)
	defer r.Stop()
	data, err := io.ReadAll(r)
	return string(data), err
}

// TestClose is a line per state in which the caller closes.
func TestClose(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(*Body)
		reads  []read
		late   bool // the source closes when its Read has returned
	}{
		{name: "idle", reads: []read{gives("a"), ends("b")}, before: func(b *Body) {
			b.Look(1, time.Second).Read(make([]byte, 1))
		}},
		{name: "ended", reads: []read{gives("a")}, before: func(b *Body) { look(b) }},
		{name: "reading", reads: []read{gives("a"), nil}, before: func(b *Body) { look(b) }, late: true},
		{name: "reading, and the caller waits", reads: []read{gives("a"), nil}, before: func(b *Body) {
			look(b)
			go func() {
				n, err := io.Copy(io.Discard, b)
				assert.EqualValues(t, 1, n)
				assert.ErrorIs(t, err, http.ErrBodyReadAfterClose)
			}()
			synctest.Wait()
		}, late: true},
	} {
		for _, own := range []bool{true, false} { // has the attempt a context of its own?
			synctest.Test(t, func(t *testing.T) {
				a, ctx := attempt(t)
				server := make(chan struct{})
				ended := ctx.Done()
				if !own {
					a.Cancel, ended = nil, nil
				}
				resp, s := response(-1, slices.Clone(c.reads)...)
				for i := range s.reads {
					if s.reads[i] == nil {
						s.reads[i] = func([]byte) (int, error) {
							select {
							case <-ended:
								return 0, context.Canceled
							case <-server:
								return 0, io.ErrUnexpectedEOF
							}
						}
					}
				}
				b := Open(resp, a)
				c.before(b)
				assert.NoError(t, b.Close(), c.name)
				assert.Equal(t, own, ctx.Err() != nil, c.name)
				if synctest.Wait(); c.late && !own {
					assert.Zero(t, s.closes.Load(), c.name)
					n, err := b.Read(make([]byte, 10))
					assert.Zero(t, n, c.name)
					assert.Equal(t, http.ErrBodyReadAfterClose, err, c.name)
					assert.NoError(t, b.Close(), c.name)
				}
				close(server)
				synctest.Wait()
				s.tidy(t, c.name)
			})
		}
	}
}

// TestTheHeadIsTheCallers: while the base's own is written to.
func TestTheHeadIsTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := attempt(t)
		server := make(chan struct{})
		var resp *http.Response
		resp, s := response(-1, gives("a"), after(server, func(p []byte) (int, error) {
			cached := *resp // as a cache does
			cached.Header.Get("A")
			resp.Trailer = http.Header{"Announced": {"1"}, "Not-Announced": {"2"}} // as net/http does
			return copy(p, "b"), io.EOF
		}))
		resp.Header.Set("A", "1")
		resp.Trailer = http.Header{"Announced": nil}
		b := Open(resp, a)
		look(b)
		got := b.Response()
		close(server)
		for range got.Trailer {
			got.Trailer["Announced"] = nil
		}
		got.Header.Del("A")
		got.Body = struct{ io.ReadCloser }{got.Body}
		data, err := io.ReadAll(got.Body)
		require.NoError(t, err)
		assert.Equal(t, "ab", string(data))
		assert.Equal(t, http.Header{"Announced": {"1"}, "Not-Announced": {"2"}}, got.Trailer)
		got.Body.Close()
		s.tidy(t)
	})
}

// TestTrailersComeWithTheEnd of the caller's own reading, whatever was read before.
func TestTrailersComeWithTheEnd(t *testing.T) {
	for name, before := range map[string]func(*Body){
		"looked into in part": func(b *Body) { b.Look(1, time.Second).Next() },
		"looked into":         func(b *Body) { look(b) },
		"whole":               func(b *Body) { b.Buffer(100, time.Second) },
	} {
		for _, announced := range []http.Header{nil, {"A": nil}} {
			for _, anew := range []bool{false, true} {
				a, _ := attempt(t)
				resp, _ := response(-1)
				resp.Trailer = announced.Clone()
				resp.Body.(*source).reads = []read{gives("1"), gives("2"), func([]byte) (int, error) {
					if resp.Trailer == nil || anew {
						resp.Trailer = http.Header{}
					}
					resp.Trailer["A"], resp.Trailer["B"] = []string{"x"}, []string{"y"}
					return 0, io.EOF
				}}
				b := Open(resp, a)
				before(b)
				got := b.Response()
				for range 2 {
					assert.Equal(t, announced, got.Trailer, name)
					n, err := b.Read(make([]byte, 1))
					assert.Equal(t, 1, n, name)
					assert.NoError(t, err, name)
				}
				assert.Equal(t, announced, got.Trailer, name)
				_, err := b.Read(make([]byte, 1))
				assert.Equal(t, io.EOF, err, name)
				assert.Equal(t, http.Header{"A": {"x"}, "B": {"y"}}, got.Trailer, name)
				got.Trailer = nil // the caller's
				b.Read(make([]byte, 1))
				assert.Nil(t, got.Trailer, name)
			}
		}
	}
}

// outcome is how a function ended.
func outcome(do func() error) (panicked any, exited bool) {
	done := make(chan struct{})
	exited = true
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		do()
		exited = false
	}()
	<-done
	return panicked, exited && panicked == nil
}

// TestWhatAReadDoesReachesWhoAsked: a panic or an exit, at its place in the body.
func TestWhatAReadDoesReachesWhoAsked(t *testing.T) {
	boom := errors.New("boom")
	for name, fails := range map[string]read{
		"panic": panics(boom),
		"exit":  func([]byte) (int, error) { runtime.Goexit(); return 0, nil },
	} {
		check := func(what string, do func() error) {
			panicked, exited := outcome(do)
			if name == "panic" {
				assert.Equal(t, boom, panicked, what)
			} else {
				assert.True(t, exited, what)
			}
		}
		open := func(t *testing.T, last read) (*Body, *source) {
			resp, s := response(-1, gives("a"), last)
			return Open(resp, Attempt{Waiter: wait.ForContext(t.Context())}), s
		}
		b, s := open(t, fails)
		check("a look", func() error { _, err := look(b); return err })
		n, err := b.Read(make([]byte, 10))
		assert.Equal(t, 1, n)
		assert.NoError(t, err)
		check("the caller, after a look", func() error { _, err := b.Read(make([]byte, 10)); return err })
		check("the caller, again", func() error { _, err := b.Read(make([]byte, 10)); return err })
		b.Close()
		s.tidy(t)

		b, s = open(t, fails)
		check("whole", func() error { return b.Buffer(100, time.Second) })
		b.Close()
		s.tidy(t)

		synctest.Test(t, func(t *testing.T) {
			server := make(chan struct{})
			b, s := open(t, after(server, fails))
			look(b)
			close(server)
			check("the caller, whose first Read was in flight", func() error { _, err := io.ReadAll(b); return err })
			b.Close()
			s.tidy(t)

			server = make(chan struct{})
			b, s = open(t, after(server, fails))
			look(b)
			b.Close() // nobody asks any more
			close(server)
			synctest.Wait()
			s.tidy(t)
		})
	}
}

func TestAPanicInALateCloseIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := make(chan struct{})
		resp, s := response(-1, after(server, gives("a")))
		s.close = func() { panic("boom") }
		b := Open(resp, Attempt{Waiter: wait.ForContext(t.Context())})
		look(b)
		assert.NoError(t, b.Close())
		close(server)
		synctest.Wait()
		s.tidy(t)
	})
}

package integrationtests

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// slowFirst is a base whose first attempt reads a part of its request body, then is
// silent until it is canceled, and reads on. Further attempts get a response at once.
type slowFirst struct {
	reads int // bytes that the first attempt reads before it waits; negative means all

	mu     sync.Mutex
	bodies [][]byte // what each attempt read
	errs   []error  // and how that ended; nil means the end of the body
}

func (b *slowFirst) RoundTrip(req *http.Request) (*http.Response, error) {
	defer req.Body.Close()
	b.mu.Lock()
	n := len(b.bodies)
	b.bodies, b.errs = append(b.bodies, nil), append(b.errs, nil)
	b.mu.Unlock()
	var data, rest []byte
	var err error
	if n == 0 {
		data = make([]byte, max(b.reads, 0))
		if b.reads < 0 {
			data, err = io.ReadAll(req.Body)
		} else if _, err = io.ReadFull(req.Body, data); err == nil {
			<-req.Context().Done()
		}
		<-req.Context().Done()
	}
	if err == nil {
		rest, err = io.ReadAll(req.Body)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bodies[n], b.errs[n] = append(data, rest...), err
	if n == 0 {
		return nil, req.Context().Err()
	}
	return response(200), nil
}

// TestHedgedBodies: what of a request body must have been sent before another attempt
// begins, and which bodies are never in two attempts at the same time.
func TestHedgedBodies(t *testing.T) {
	const all, half, nothing = -1, 1000, 0
	for _, c := range []struct {
		name   string
		kind   bodyKind
		reads  int
		seeks  bool // the reader that GetBody rewinds
		limit  int64
		hedged bool
	}{
		{"none", noBody, nothing, false, 0, true},
		{"in memory", inMemory, all, false, 0, true},
		{"in memory, half sent", inMemory, half, false, 0, true},
		{"in memory, nothing sent", inMemory, nothing, false, 0, true},
		{"a file", osFile, all, false, 0, true},
		{"a file, half sent", osFile, half, false, 0, true},
		{"a file, nothing sent", osFile, nothing, false, 0, true},
		{"a section, half sent", section, half, false, 0, true},
		{"GetBody returns new readers", newReaders, all, false, 0, true},
		{"GetBody returns new readers, nothing sent", newReaders, nothing, false, 0, true},
		{"GetBody returns new readers, half sent", newReaders, half, false, 0, false},
		{"GetBody rewinds one reader", sharedReader, all, false, 0, false},
		{"GetBody rewinds one reader, nothing sent", sharedReader, nothing, false, 0, false},
		{"GetBody rewinds one reader that seeks", sharedReader, all, true, 0, false},
		{"a seeker", seekable, all, false, 0, false},
		{"a seeker, nothing sent", seekable, nothing, false, 0, false},
		{"read once, buffered", onceKnown, all, false, 0, true},
		{"read once, buffered, its length unknown", onceUnknown, all, false, 0, true},
		{"read once, half sent", onceUnknown, half, false, 0, false},
		{"read once, nothing sent", onceKnown, nothing, false, 0, false},
		{"read once, longer than the limit", onceKnown, all, false, 100, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &bodies{data: bytes.Repeat([]byte("0123456789"), 500), step: 300, seeks: c.seeks}
				req, err := http.NewRequestWithContext(t.Context(), "PUT", "http://x/", http.NoBody)
				require.NoError(t, err)
				if c.kind == noBody {
					b.data = nil
				}
				b.give(req, c.kind)
				base, budget := &slowFirst{reads: c.reads}, &insist.Budget{Reserve: 1, PerSuccess: -1}
				rt := &insist.RetryTransport{Base: base, Policy: insist.Policy{
					MaxAttempts: 2, MaxReplayBytes: c.limit, Budget: budget, PerAttemptTimeout: time.Minute,
					Backoff: insist.Constant(0), Hedge: &insist.Hedge{Delay: time.Second},
				}}
				start := time.Now()
				resp, err := rt.RoundTrip(req)
				if took := time.Since(start); c.hedged {
					assert.Equal(t, time.Second, took)
				} else {
					assert.Equal(t, time.Minute, took, "sent once at a time")
				}
				whole := c.limit == 0
				if whole { // the token of a hedge that was not made is left for the retry
					require.NoError(t, err)
					resp.Body.Close()
				} else {
					require.Error(t, err)
				}
				synctest.Wait()
				assert.Zero(t, b.left(), "readers that are open")
				for i, got := range base.bodies {
					assert.True(t, bytes.HasPrefix(b.data, got), "attempt %d: other bytes", i+1)
					if base.errs[i] == nil {
						assert.Len(t, got, len(b.data), "attempt %d", i+1)
					}
				}
				if whole {
					require.Len(t, base.bodies, 2)
					assert.NoError(t, base.errs[1])
				}
			})
		})
	}
}

// TestOneAttemptWaitsForTheOther: GetBody may rewind a reader that its results share
// without showing it. So a hedge's body is sent while the first attempt has not begun to
// read, and then the first attempt's own.
func TestOneAttemptWaitsForTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := bytes.Repeat([]byte("0123456789"), 500)
		shared := bytes.NewReader(data)
		req, err := http.NewRequestWithContext(t.Context(), "PUT", "http://x/", http.NoBody)
		require.NoError(t, err)
		wrapped := func() io.ReadCloser { return &struct{ io.ReadCloser }{io.NopCloser(io.LimitReader(shared, 1<<20))} }
		req.Body, req.ContentLength = wrapped(), int64(len(data))
		req.GetBody = func() (io.ReadCloser, error) {
			shared.Seek(0, io.SeekStart)
			return wrapped(), nil
		}
		var mu sync.Mutex
		attempts := 0
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			mu.Lock()
			attempts++
			first := attempts == 1
			mu.Unlock()
			if first {
				time.Sleep(1500 * time.Millisecond) // in the middle of the hedge's upload
			}
			for sent := 0; ; {
				p := make([]byte, 100)
				n, err := req.Body.Read(p)
				if !bytes.Equal(p[:n], data[sent:sent+n]) {
					t.Errorf("other bytes at %d", sent)
				}
				if sent += n; err == io.EOF && sent == len(data) {
					break
				} else if err != nil {
					return nil, err
				}
				time.Sleep(20 * time.Millisecond)
			}
			req.Body.Close()
			time.Sleep(200 * time.Millisecond)
			if !first {
				return nil, errors.New("lost")
			}
			return response(200), nil
		})
		rt := &insist.RetryTransport{Base: base, Policy: insist.Policy{MaxAttempts: 2, Hedge: &insist.Hedge{Delay: time.Second}}}
		start := time.Now()
		resp, err := rt.RoundTrip(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, 2, attempts)
		assert.Equal(t, 3200*time.Millisecond, time.Since(start), "1 s, an upload of 1 s, another one, and the response")
	})
}

// TestAResponseIsLookedInto although an attempt beside it has not sent the body: only the
// attempt that got the response must have.
func TestAResponseIsLookedInto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bodies{data: []byte("hello"), step: 3}
		req, err := http.NewRequestWithContext(t.Context(), "PUT", "http://x/", http.NoBody)
		require.NoError(t, err)
		b.give(req, newReaders)
		req.ContentLength = -1
		var attempts atomic.Int32
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			defer req.Body.Close()
			resp, n := response(200), attempts.Add(1)
			select { // the first responds while the hedge has read nothing
			case <-time.After(1500 * time.Millisecond):
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
			if data, err := io.ReadAll(req.Body); err != nil || string(data) != "hello" {
				t.Errorf("attempt %d: %q, %v", n, data, err)
			}
			resp.Body = io.NopCloser(strings.NewReader(`{"ok": ` + strconv.FormatBool(n == 2) + `}`))
			return resp, nil
		})
		rt := &insist.RetryTransport{Base: base, Policy: insist.Policy{
			Hedge: &insist.Hedge{Delay: time.Second}, RetryableBody: insist.JSONFieldNot("/ok", true),
		}}
		resp, err := rt.RoundTrip(req)
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		assert.NoError(t, err)
		assert.Equal(t, `{"ok": true}`, string(text))
		synctest.Wait()
		assert.Zero(t, b.left())
	})
}

// TestHedgesAgainstARealServer: a hedge brings the response, which is whole, and the server
// learns that the first attempt was given up. On HTTP/2 that ends a stream, and on HTTP/1 a
// connection.
func TestHedgesAgainstARealServer(t *testing.T) {
	for _, u := range servertest.Uploads {
		if strings.Contains(u.Name, "rewinds") || strings.Contains(u.Name, "seeker") {
			continue // sent once at a time
		}
		var n, canceled atomic.Int32
		servertest.EachInMemory(t, func(w http.ResponseWriter, r *http.Request) {
			sum := servertest.DigestOf(r.Body)
			if n.Add(1) == 1 {
				<-r.Context().Done()
				canceled.Add(1)
				return
			}
			io.WriteString(w, sum)
			w.Write(servertest.Megabyte)
		}, func(t *testing.T, base *http.Transport) {
			n.Store(0)
			canceled.Store(0)
			var opened atomic.Int32
			rt := &insist.RetryTransport{Base: base, Policy: insist.Policy{Hedge: &insist.Hedge{Delay: time.Second}}}
			data := servertest.Megabyte[:100_000]
			for i := range 3 {
				req := memRequest(t, t.Context())
				req.Method = "PUT"
				bodies := u.Give(req, data)
				start := time.Now()
				resp, err := rt.RoundTrip(newConns(req, &opened))
				require.NoError(t, err)
				if i == 0 {
					assert.Equal(t, time.Second, time.Since(start), u.Name)
				}
				assert.Equal(t, req.Header, resp.Request.Header)
				assert.NoError(t, resp.Request.Context().Err())
				assert.Equal(t, 1, insist.AttemptNumber(resp.Request.Context()))
				got := servertest.ReadAndClose(t, resp)
				require.True(t, got == servertest.Digest(data)+string(servertest.Megabyte), u.Name)
				synctest.Wait()
				bodies.Check(t)
			}
			assert.EqualValues(t, 4, n.Load())
			assert.EqualValues(t, 1, canceled.Load())
			want := 2
			if base.Protocols.UnencryptedHTTP2() {
				want = 1
			}
			assert.EqualValues(t, want, opened.Load(), "connections")
		})
	}
}

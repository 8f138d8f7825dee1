package integrationtests

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

const idleLimit = 30 * time.Second

// silent says nothing more, until the client has gone.
func silent(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(24 * time.Hour):
	}
}

// isIdleTimeout checks the error of a body that has brought nothing for idleLimit.
func isIdleTimeout(t *testing.T, err error) {
	t.Helper()
	assert.EqualError(t, err, "insist: the response body brought nothing for 30s")
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	timeout, ok := errors.AsType[net.Error](err)
	assert.True(t, ok && timeout.Timeout())
}

func TestASilentBodyEnds(t *testing.T) {
	const event = "data: {\"ok\": true}\n\n"
	ok := insist.JSONFieldNot("/ok", true)
	for name, edit := range map[string]func(*insist.Policy){
		"plain":       func(*insist.Policy) {},
		"one attempt": func(p *insist.Policy) { p.MaxAttempts = 1 },
		"timed":       func(p *insist.Policy) { p.PerAttemptTimeout = time.Second },
		"looked into": func(p *insist.Policy) { p.RetryableEvent = ok },
		"resumable":   func(p *insist.Policy) { p.ResumeDownloads = true },
		"hedged":      func(p *insist.Policy) { p.Hedge = &insist.Hedge{Delay: time.Second} },
		"everything": func(p *insist.Policy) {
			p.PerAttemptTimeout, p.Hedge = time.Second, &insist.Hedge{Delay: time.Second}
			p.RetryableEvent, p.RetryableBody, p.MaxWholeBytes, p.ResumeDownloads = ok, ok, 1000, true
		},
	} {
		servertest.EachInMemory(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, event)
			flush(w)
			silent(r)
		}, func(t *testing.T, base *http.Transport) {
			start, p := time.Now(), insist.Policy{BodyIdleTimeout: idleLimit}
			edit(&p)
			resp := get(t, &insist.RetryTransport{Base: base, Policy: p})
			data, err := io.ReadAll(resp.Body)
			assert.Equal(t, event, string(data), name)
			isIdleTimeout(t, err)
			assert.Equal(t, idleLimit, time.Since(start), name)
			_, err = resp.Body.Read(make([]byte, 1))
			isIdleTimeout(t, err)
			resp.Body.Close()
		})
	}
}

// TestATrickleIsNotSilent, nor is a caller that takes its time.
func TestATrickleIsNotSilent(t *testing.T) {
	servertest.EachInMemory(t, func(w http.ResponseWriter, r *http.Request) {
		for range 10 {
			io.WriteString(w, ".")
			flush(w)
			time.Sleep(idleLimit - 1)
		}
	}, func(t *testing.T, base *http.Transport) {
		rt := &insist.RetryTransport{Base: base, Policy: insist.Policy{BodyIdleTimeout: idleLimit}}
		start := time.Now()
		resp := get(t, rt)
		assert.Equal(t, "..........", servertest.ReadAndClose(t, resp))
		assert.Equal(t, 10*(idleLimit-1), time.Since(start))

		resp = get(t, rt)
		got := 0
		for err := error(nil); err != io.EOF; got++ {
			time.Sleep(time.Hour)
			_, err = io.ReadFull(resp.Body, make([]byte, 1))
		}
		assert.Equal(t, 11, got)
		resp.Body.Close()
	})
}

// TestASilentSmallResponseHasFailed where it is read before it is handed over.
func TestASilentSmallResponseHasFailed(t *testing.T) {
	var hits atomic.Int32
	for _, good := range []int32{2, 99} {
		servertest.EachInMemory(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			if hits.Add(1) == good {
				io.WriteString(w, "hello")
				return
			}
			io.WriteString(w, "he")
			flush(w)
			silent(r)
		}, func(t *testing.T, base *http.Transport) {
			hits.Store(0)
			p := insist.Policy{BodyIdleTimeout: idleLimit, MaxWholeBytes: 100, Backoff: insist.Constant(0)}
			ctx, record := insist.WithRecord(t.Context())
			start := time.Now()
			resp, err := (&insist.RetryTransport{Base: base, Policy: p}).RoundTrip(request(t, "GET", "http://example.com/", nil).WithContext(ctx))
			require.NoError(t, err)
			data, err := io.ReadAll(resp.Body)
			isIdleTimeout(t, record.Calls()[0][0].Err)
			assert.Equal(t, "timeout", record.Calls()[0][0].Class())
			if good == 2 {
				assert.NoError(t, err)
				assert.Equal(t, "hello", string(data))
				assert.Equal(t, idleLimit, time.Since(start).Truncate(time.Second))
			} else { // the last attempt is not read here
				isIdleTimeout(t, err)
				assert.Equal(t, "he", string(data))
				assert.Equal(t, 3*idleLimit, time.Since(start).Truncate(time.Second))
			}
			resp.Body.Close()
		})
	}
}

// TestALookIsBoundedByIdleness that is shorter than MaxPeekTime.
func TestALookIsBoundedByIdleness(t *testing.T) {
	servertest.EachInMemory(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"a": `)
		flush(w)
		silent(r)
	}, func(t *testing.T, base *http.Transport) {
		p := insist.Policy{BodyIdleTimeout: idleLimit, MaxPeekTime: time.Hour, RetryableBody: insist.JSONFieldNot("/ok", true)}
		start := time.Now()
		resp := get(t, &insist.RetryTransport{Base: base, Policy: p})
		assert.Equal(t, idleLimit, time.Since(start))
		data, err := io.ReadAll(resp.Body)
		assert.Equal(t, `{"a": `, string(data))
		isIdleTimeout(t, err)
		assert.Equal(t, idleLimit, time.Since(start))
		resp.Body.Close()
	})
}

// TestASilentDownloadGoesOn by further requests.
func TestASilentDownloadGoesOn(t *testing.T) {
	content := servertest.Megabyte[:100_000]
	var hits atomic.Int32
	servertest.EachInMemory(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if hits.Add(1)%4 == 0 {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
			return
		}
		http.ServeContent(&cutWriter{ResponseWriter: w, left: 20_000}, r, "", time.Time{}, bytes.NewReader(content))
		flush(w)
		silent(r)
	}, func(t *testing.T, base *http.Transport) {
		hits.Store(0)
		p := insist.Policy{BodyIdleTimeout: idleLimit, ResumeDownloads: true, Backoff: insist.Constant(0)}
		start := time.Now()
		resp := get(t, &insist.RetryTransport{Base: base, Policy: p})
		assert.Equal(t, servertest.Digest(content), servertest.DigestOf(resp.Body))
		assert.Equal(t, 3*idleLimit, time.Since(start).Truncate(time.Second))
		assert.EqualValues(t, 4, hits.Load())
		resp.Body.Close()
	})
}

// cutWriter takes as much as is left, and drops the rest.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	w.ResponseWriter.Write(p[:n])
	return len(p), nil
}

// TestTheCallersContextIsNoIdleness, if it ends first.
func TestTheCallersContextIsNoIdleness(t *testing.T) {
	servertest.EachInMemory(t, func(w http.ResponseWriter, r *http.Request) {
		flush(w)
		silent(r)
	}, func(t *testing.T, base *http.Transport) {
		ctx, cancel := context.WithTimeout(t.Context(), idleLimit-1)
		defer cancel()
		rt := &insist.RetryTransport{Base: base, Policy: insist.Policy{BodyIdleTimeout: idleLimit}}
		resp, err := rt.RoundTrip(request(t, "GET", "http://example.com/", nil).WithContext(ctx))
		require.NoError(t, err)
		_, err = io.ReadAll(resp.Body)
		assert.Equal(t, context.DeadlineExceeded, err)
		resp.Body.Close()
	})
}

// TestAnUpgradeIsNotBounded: 101 leaves HTTP, and its body stays what it is.
func TestAnUpgradeIsNotBounded(t *testing.T) {
	type pipe struct {
		insisttest.Body
		io.Writer
	}
	body := new(pipe)
	base := roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 101, Header: http.Header{}, Body: body}, nil
	})
	resp := get(t, &insist.RetryTransport{Base: base, Policy: insist.Policy{BodyIdleTimeout: time.Nanosecond}})
	assert.Same(t, body, resp.Body)
}

// TestNoBoundByDefault: a watch may be silent for a day.
func TestNoBoundByDefault(t *testing.T) {
	servertest.EachInMemory(t, func(w http.ResponseWriter, r *http.Request) {
		flush(w)
		time.Sleep(23 * time.Hour)
		io.WriteString(w, "event")
	}, func(t *testing.T, base *http.Transport) {
		for _, limit := range []time.Duration{0, -1, 24 * time.Hour} {
			resp := get(t, &insist.RetryTransport{Base: base, Policy: insist.Policy{BodyIdleTimeout: limit}})
			assert.Equal(t, "event", servertest.ReadAndClose(t, resp))
		}
	})
}

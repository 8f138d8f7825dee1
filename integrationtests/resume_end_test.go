package integrationtests

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
)

func TestPiecesAreOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, record := insist.WithRecord(t.Context())
		var told, numbers, failed []int
		p := resuming(func(p *insist.Policy) {
			p.OnAttempt = func(_ context.Context, a insist.Attempt) {
				if a.Amended {
					a.Number = -a.Number
				}
				told = append(told, a.Number)
			}
			p.Prepare = func(req *http.Request, _ *http.Response, _ error) error {
				numbers = append(numbers, insist.AttemptNumber(req.Context()))
				return nil
			}
			p.Backoff = func(n int) time.Duration { failed = append(failed, n); return time.Minute }
		})
		b := script(status(503), piece(5), fails(syscall.ECONNRESET), piece(9), piece(all, code(200)))
		resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		got, err := io.ReadAll(resp.Body)
		assert.Equal(t, alphabet[:14], string(got))
		assert.Equal(t, io.ErrUnexpectedEOF, err)
		resp.Body.Close()

		try := func(n, status int, err error) insist.Attempt {
			return insist.Attempt{Number: n, Method: "GET", Host: "x", Status: status, Err: err, Wait: time.Minute, Retry: true, Reason: insist.ReasonError}
		}
		want := []insist.Attempt{
			try(1, 503, nil), try(2, 200, io.ErrUnexpectedEOF), try(3, 0, syscall.ECONNRESET),
			try(4, 206, io.ErrUnexpectedEOF), try(5, 200, errors.New("insist: the answer does not go on where the body broke off")),
		}
		want[0].Reason = insist.ReasonStatus
		want[1].Amended, want[3].Amended, want[4].Amended = true, true, true
		want[4].Retry, want[4].Wait = false, 0
		assert.Equal(t, [][]insist.Attempt{want}, record.Calls())
		assert.Equal(t, []int{1, 2, -2, 3, 4, -4, 5, -5}, told)
		assert.Equal(t, []int{2, 3, 4, 5}, numbers)
		assert.Equal(t, []int{1, 1, 2, 1}, failed, "counted from the last progress on")
	})
}

// brokenDownload returns a download that has broken off, whose next Read asks for more.
func brokenDownload(t *testing.T, ctx context.Context, base http.RoundTripper, edits ...func(*insist.Policy)) io.ReadCloser {
	t.Helper()
	resp, err := (&insist.RetryTransport{Base: base, Policy: resuming(edits...)}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
	require.NoError(t, err)
	_, err = io.ReadFull(resp.Body, make([]byte, 5))
	require.NoError(t, err)
	return resp.Body
}

func TestTheContextEndsWhileADownloadWaits(t *testing.T) {
	cause := errors.New("the user went home")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		b, start := script(piece(5), piece(all)), time.Now()
		body := brokenDownload(t, ctx, b)
		time.AfterFunc(time.Second, func() { cancel(cause) })
		_, err := body.Read(make([]byte, 1))
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, cause)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, time.Second, time.Since(start))
		assert.Len(t, b.Arrivals(), 1)
		_, again := body.Read(make([]byte, 1))
		assert.Equal(t, err, again)
		assert.NoError(t, body.Close())
	})
}

func TestADownloadDoesNotWaitPastTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		b, start := script(piece(5), piece(all)), time.Now()
		body := brokenDownload(t, ctx, b)
		_, err := body.Read(make([]byte, 1))
		assert.Equal(t, io.ErrUnexpectedEOF, err)
		assert.Zero(t, time.Since(start))
		assert.NoError(t, body.Close())
	})
}

// TestClosingADownload: while it waits, while an attempt is under way, when its
// answer comes at that moment, and while that is read.
func TestClosingADownload(t *testing.T) {
	silent := func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, context.Cause(req.Context())
	}
	stubborn := func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return piece(all)(req.WithContext(context.Background()))
	}
	for _, c := range []struct {
		name  string
		next  step
		after time.Duration
	}{
		{"waiting", piece(all), 30 * time.Second},
		{"attempt under way", silent, 2 * time.Minute},
		{"answer comes all the same", stubborn, 2 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, start := script(piece(5), c.next), time.Now()
				body := brokenDownload(t, t.Context(), b)
				time.AfterFunc(c.after, func() { assert.NoError(t, body.Close()) })
				n, err := body.Read(make([]byte, 1))
				assert.Zero(t, n)
				assert.Equal(t, http.ErrBodyReadAfterClose, err)
				assert.Equal(t, c.after, time.Since(start))
				assert.NoError(t, body.Close(), "twice")
				for i, body := range b.Bodies() {
					assert.NotZero(t, body.Closes(), i)
				}
			})
		})
	}
}

// TestADownloadLeavesNothingBehind: no context that its parent would keep.
func TestADownloadLeavesNothingBehind(t *testing.T) {
	for name, last := range map[string]step{"whole": piece(all), "given up": piece(all, code(200)), "unread": piece(all)} {
		synctest.Test(t, func(t *testing.T) {
			var ended atomic.Bool
			b := script(piece(5), func(req *http.Request) (*http.Response, error) {
				context.AfterFunc(req.Context(), func() { ended.Store(true) })
				return last(req)
			})
			body := brokenDownload(t, t.Context(), b)
			body.Read(make([]byte, 1))
			if name != "unread" {
				io.ReadAll(body)
			} else {
				body.Close()
			}
			synctest.Wait()
			assert.True(t, ended.Load(), name)
		})
	}
}

func TestAContinuationIsWithinItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}
		b, start := script(piece(5), silent, piece(all)), time.Now()
		body := brokenDownload(t, t.Context(), b, func(p *insist.Policy) { p.PerAttemptTimeout = 7 * time.Second })
		got, err := io.ReadAll(body)
		assert.NoError(t, err)
		assert.Equal(t, alphabet[5:], string(got))
		assert.Equal(t, 2*time.Minute+7*time.Second, time.Since(start))
		body.Close()
	})
}

// TestTheBudgetAndPieces: a piece after progress is no retry; one after a failure
// is.
func TestTheBudgetAndPieces(t *testing.T) {
	for _, c := range []struct {
		steps []step
		want  string
	}{
		{[]step{piece(1)}, alphabet},
		{[]step{piece(1), fails(errLost), piece(all)}, alphabet[:6]},
		{[]step{piece(1), piece(0), piece(all)}, alphabet[:6]},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := script(append([]step{piece(5)}, c.steps...)...)
			body := brokenDownload(t, t.Context(), b, func(p *insist.Policy) { p.Budget = &insist.Budget{Reserve: -1, PerSuccess: -1} })
			got, err := io.ReadAll(body)
			assert.Equal(t, c.want, alphabet[:5]+string(got))
			assert.Equal(t, c.want == alphabet, err == nil)
			body.Close()
		})
	}
}

// TestAHookPanicsInTheReadOfADownload: what was read is not all, so that the end
// is an error for whoever recovers and reads on.
func TestAHookPanicsInTheReadOfADownload(t *testing.T) {
	for name, c := range map[string]struct {
		next step
		hook func(*insist.Policy)
	}{
		"Prepare":         {piece(all), func(p *insist.Policy) { p.Prepare = func(*http.Request, *http.Response, error) error { panic("") } }},
		"Backoff":         {piece(all), func(p *insist.Policy) { p.Backoff = func(int) time.Duration { panic("") } }},
		"RetryableError":  {piece(all), func(p *insist.Policy) { p.RetryableError = func(error) bool { panic("") } }},
		"RetryableStatus": {piece(all, code(404)), func(p *insist.Policy) { p.RetryableStatus = func(code int) bool { return code == 404 && panics() } }},
		"Classify": {piece(all), func(p *insist.Policy) {
			p.Classify = func(_ *http.Request, resp *http.Response, _ error, _ int) (d insist.Decision) {
				if resp == nil || resp.StatusCode != 200 {
					panic("")
				}
				return d
			}
		}},
		"OnAttempt, before": {piece(all), func(p *insist.Policy) {
			p.OnAttempt = func(_ context.Context, a insist.Attempt) { _ = a.Amended && panics() }
		}},
		"OnAttempt, after": {piece(all), func(p *insist.Policy) {
			p.OnAttempt = func(_ context.Context, a insist.Attempt) { _ = a.Number == 2 && panics() }
		}},
		"OnAttempt, after a wrong piece": {piece(all, code(200)), func(p *insist.Policy) {
			p.OnAttempt = func(_ context.Context, a insist.Attempt) { _ = a.Number == 2 && a.Amended && panics() }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := script(piece(5), c.next)
				body := brokenDownload(t, t.Context(), b, c.hook)
				assert.Panics(t, func() { body.Read(make([]byte, 1)) })
				n, err := body.Read(make([]byte, 1))
				assert.Zero(t, n)
				assert.Equal(t, io.ErrUnexpectedEOF, err)
				assert.NoError(t, body.Close())
				for i, body := range b.Bodies() {
					assert.NotZero(t, body.Closes(), i)
				}
			})
		})
	}
}

func panics() bool { panic("") }

// TestRedirectsAndDownloads: a validator is one resource's. Where the client above
// has followed a redirect the request is the last one's; what the base follows may
// lead elsewhere each time.
func TestRedirectsAndDownloads(t *testing.T) {
	to := func(place string) step { return status(302, "Location", place) }
	other := piece(all, holds(strings.ToUpper(alphabet[5:]))) // whose tag is the same by chance
	for _, c := range []struct {
		name  string
		below bool
		steps []step
		want  string
	}{
		{"above", false, []step{to("/v1"), piece(5), piece(all)}, alphabet},
		{"above, then a redirect", false, []step{to("/v1"), piece(5), to("/v2"), other}, alphabet[:5]},
		{"below", true, []step{to("/v1"), piece(5), to("/v2"), other}, alphabet[:5]},
		{"below, in the continuation", true, []step{piece(5), to("/v2"), other}, alphabet[:5]},
		{"below, no redirect", true, []step{piece(5), piece(all)}, alphabet},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := insisttest.NewScript(c.steps...)
				base := roundTripper(func(req *http.Request) (*http.Response, error) {
					resp, err := script.RoundTrip(req)
					resp.Request = req // as net/http's transport does
					return resp, err
				})
				if c.below {
					base = roundTripper((&http.Client{Transport: base}).Do)
				}
				client := &http.Client{Transport: &insist.RetryTransport{Base: base, Policy: resuming()}}
				resp, err := client.Get("http://x/latest")
				require.NoError(t, err)
				got, err := io.ReadAll(resp.Body)
				assert.Equal(t, c.want, string(got))
				if c.want != alphabet {
					assert.Equal(t, io.ErrUnexpectedEOF, err)
				}
				resp.Body.Close()
			})
		})
	}
}

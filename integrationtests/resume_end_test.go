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
	"github.com/seed-552c89fc/insist/internal/servertest"
)

func TestPartsAreOnRecord(t *testing.T) {
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
		b := script(status(503), part(5), fails(syscall.ECONNRESET), part(9), part(all, code(200)))
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
			try(4, 206, io.ErrUnexpectedEOF), try(5, 200, record.Calls()[0][4].Err),
		}
		want[0].Reason = insist.ReasonStatus
		want[1].Amended, want[3].Amended = true, true
		want[4].Retry, want[4].Wait, want[4].Reason = false, 0, insist.ReasonNotResumable
		assert.EqualError(t, want[4].Err, "insist: not resumable: bad_content_range")
		assert.Equal(t, "bad_content_range", want[4].Class())
		assert.Equal(t, [][]insist.Attempt{want}, record.Calls())
		assert.Equal(t, []int{1, 2, -2, 3, 4, -4, 5}, told)
		assert.Equal(t, []int{2, 3, 4, 5}, numbers)
		assert.Equal(t, []int{1, 1, 2, 1}, failed, "counted from the last progress on")
	})
}

// brokenDownload returns a download that was truncated, and whose next Read requests the rest.
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
		b, start := script(part(5), part(all)), time.Now()
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
		b, start := script(part(5), part(all)), time.Now()
		body := brokenDownload(t, ctx, b)
		_, err := body.Read(make([]byte, 1))
		assert.Equal(t, io.ErrUnexpectedEOF, err)
		assert.Zero(t, time.Since(start))
		assert.NoError(t, body.Close())
	})
}

// TestClosingADownload: while it waits, while an attempt is in flight, and when its
// response comes at that moment.
func TestClosingADownload(t *testing.T) {
	silent := func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, context.Cause(req.Context())
	}
	stubborn := func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return part(all)(req.WithContext(context.Background()))
	}
	known := func(req *http.Request) (*http.Response, error) {
		resp, err := part(all, code(200), declares(26))(req)
		resp.Body = &insisttest.Body{Reader: servertest.ReaderFunc(func([]byte) (int, error) {
			<-req.Context().Done()
			return 0, http.ErrBodyReadAfterClose
		})}
		return resp, err
	}
	for _, c := range []struct {
		name  string
		next  step
		after time.Duration
	}{
		{"waiting", part(all), 30 * time.Second},
		{"attempt in flight", silent, 2 * time.Minute},
		{"response comes all the same", stubborn, 2 * time.Minute},
		{"reading what is known", known, 2 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, start := script(part(5), c.next), time.Now()
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
	for name, last := range map[string]step{"whole": part(all), "given up": part(all, code(200)), "unread": part(all)} {
		synctest.Test(t, func(t *testing.T) {
			var ended atomic.Bool
			b := script(part(5), func(req *http.Request) (*http.Response, error) {
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
		b, start := script(part(5), silent, part(all)), time.Now()
		body := brokenDownload(t, t.Context(), b, func(p *insist.Policy) { p.PerAttemptTimeout = 7 * time.Second })
		got, err := io.ReadAll(body)
		assert.NoError(t, err)
		assert.Equal(t, alphabet[5:], string(got))
		assert.Equal(t, 2*time.Minute+7*time.Second, time.Since(start))
		body.Close()
	})
}

// TestASilentDownloadIsResumed: an error that is a timeout, though the caller's context
// is alive, is a truncation like any other, also one that matches
// context.DeadlineExceeded.
func TestASilentDownloadIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, record := insist.WithRecord(t.Context())
		silent := func(r *http.Response) {
			r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, 5), errReader{silence{}}))
		}
		b := script(part(all, silent), part(all))
		resp, err := (&insist.RetryTransport{Base: b, Policy: resuming()}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		got, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.Equal(t, alphabet, string(got))
		assert.Equal(t, "200 timeout after 0s (error), wait 1m0s", record.Calls()[0][0].String())
		resp.Body.Close()
	})
}

type silence struct{}

func (silence) Error() string        { return "nothing has come for 30s" }
func (silence) Timeout() bool        { return true }
func (silence) Is(target error) bool { return target == context.DeadlineExceeded }

// TestTheBudgetAndParts: a request for a part after progress is no retry; one after a
// failure is.
func TestTheBudgetAndParts(t *testing.T) {
	for _, c := range []struct {
		steps []step
		want  string
	}{
		{[]step{part(2)}, alphabet},
		{[]step{part(2), fails(errLost), part(all)}, alphabet[:7]},
		{[]step{part(2), part(0), part(all)}, alphabet[:7]},
		{[]step{part(1), part(all)}, alphabet[:6]},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := script(append([]step{part(5)}, c.steps...)...)
			body := brokenDownload(t, t.Context(), b, func(p *insist.Policy) { p.Budget = &insist.Budget{Reserve: -1, PerSuccess: -1} })
			got, err := io.ReadAll(body)
			assert.Equal(t, c.want, alphabet[:5]+string(got))
			assert.Equal(t, c.want == alphabet, err == nil)
			body.Close()
		})
	}
}

// TestAHookPanicsInTheReadOfADownload: what was read is not all, so that the end
// is an error for a caller that recovers and reads on.
func TestAHookPanicsInTheReadOfADownload(t *testing.T) {
	for name, c := range map[string]struct {
		next step
		hook func(*insist.Policy)
	}{
		"Prepare":         {part(all), func(p *insist.Policy) { p.Prepare = func(*http.Request, *http.Response, error) error { panic("") } }},
		"Backoff":         {part(all), func(p *insist.Policy) { p.Backoff = func(int) time.Duration { panic("") } }},
		"RetryableError":  {part(all), func(p *insist.Policy) { p.RetryableError = func(error) bool { panic("") } }},
		"RetryableStatus": {part(all, code(404)), func(p *insist.Policy) { p.RetryableStatus = func(code int) bool { return code == 404 && panics() } }},
		"Classify": {part(all), func(p *insist.Policy) {
			p.Classify = func(_ *http.Request, resp *http.Response, _ error, _ int) (d insist.Decision) {
				if resp == nil || resp.StatusCode != 200 {
					panic("")
				}
				return d
			}
		}},
		"OnAttempt, before": {part(all), func(p *insist.Policy) {
			p.OnAttempt = func(_ context.Context, a insist.Attempt) { _ = a.Amended && panics() }
		}},
		"OnAttempt, after": {part(all), func(p *insist.Policy) {
			p.OnAttempt = func(_ context.Context, a insist.Attempt) { _ = a.Number == 2 && panics() }
		}},
		"OnAttempt, after a wrong part": {part(all, code(200)), func(p *insist.Policy) {
			p.OnAttempt = func(_ context.Context, a insist.Attempt) { _ = a.Number == 2 && a.Err != nil && panics() }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := script(part(5), c.next)
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
	other := part(all, holds(strings.ToUpper(alphabet[5:]))) // whose tag is the same by chance
	for _, c := range []struct {
		name  string
		below bool
		steps []step
		want  string
	}{
		{"above", false, []step{to("/v1"), part(5), part(all)}, alphabet},
		{"above, then a redirect", false, []step{to("/v1"), part(5), to("/v2"), other}, alphabet[:5]},
		{"below", true, []step{to("/v1"), part(5), to("/v2"), other}, alphabet[:5]},
		{"below, in the continuation", true, []step{part(5), to("/v2"), other}, alphabet[:5]},
		{"below, no redirect", true, []step{part(5), part(all)}, alphabet},
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

// TestTheRequestForAPart starts from what the caller gave, whatever the base did to
// it, and is prepared as any retry is.
func TestTheRequestForAPart(t *testing.T) {
	short := part(all, header("Content-Range", "bytes 5-7/26"), declares(3), holds("fgh"))
	for _, h := range []http.Header{nil, {"Accept": {"x"}}} {
		synctest.Test(t, func(t *testing.T) {
			var prepared []string
			steps := script(part(5), short, part(9), part(all))
			base := roundTripper(func(req *http.Request) (*http.Response, error) {
				if req.Header != nil {
					req.Header.Add("Authorization", "y")
				}
				resp, err := steps.RoundTrip(req)
				return resp, err
			})
			p := resuming(func(p *insist.Policy) {
				p.Prepare = func(_ *http.Request, last *http.Response, err error) error {
					if last != nil {
						prepared = append(prepared, last.Header.Get("Content-Range"))
						assert.Equal(t, http.NoBody, last.Body)
					} else {
						prepared = append(prepared, "")
					}
					if err != nil {
						prepared = append(prepared, err.Error())
					}
					return nil
				}
			})
			req := request(t, "GET", "http://x/", nil)
			req.Header = h.Clone()
			resp, err := (&insist.RetryTransport{Base: base, Policy: p}).RoundTrip(req)
			require.NoError(t, err)
			assert.Equal(t, alphabet, text(t, resp))
			resp.Body.Close()
			assert.Equal(t, []string{
				"", "unexpected EOF", // the caller has the response
				"bytes 5-7/26",
				"bytes 8-25/26", "unexpected EOF",
			}, prepared)
			for _, a := range steps.Arrivals()[1:] {
				assert.Equal(t, []string{"y"}, a.Header["Authorization"])
				assert.Equal(t, h["Accept"], a.Header["Accept"])
				assert.NotEmpty(t, a.Header["Range"])
			}
		})
	}
}

// TestAPartBelongsToItsCall: it has the call's idempotency key, and the Cooldown's key is
// asked for once.
func TestAPartBelongsToItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, places := 0, 0
		cooldown := new(insist.Cooldown)
		p := resuming(func(p *insist.Policy) {
			p.Idempotent = func(*http.Request) bool { return false }
			p.IdempotencyKey = func(*http.Request) string { keys++; return "k" }
			cooldown.Key = func(req *http.Request) string { places++; return req.Host }
			p.Cooldown = cooldown
		})
		limited := insisttest.Status(429, "Retry-After", "1")
		b := script(limited, part(5), limited, part(9), part(all))
		resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		assert.Equal(t, alphabet, text(t, resp))
		resp.Body.Close()
		require.Len(t, b.Arrivals(), 5)
		for _, a := range b.Arrivals() {
			assert.Equal(t, []string{"k"}, a.Header["Idempotency-Key"])
		}
		assert.Equal(t, 1, keys)
		assert.Equal(t, 1, places)
	})
}

// TestAPartIsNotHedged: its response has to continue the one body.
func TestAPartIsNotHedged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		short := part(all, header("Content-Range", "bytes 5-7/26"), declares(3), holds("fgh"))
		slow := func(s step) step { return insisttest.After(time.Minute, s) }
		b := script(part(5), slow(short), slow(part(all)))
		p := resuming(func(p *insist.Policy) { p.Hedge = &insist.Hedge{Delay: time.Second} })
		resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		assert.Equal(t, alphabet, text(t, resp))
		resp.Body.Close()
		assert.Len(t, b.Arrivals(), 3)
	})
}

// TestAHedgedDownload: the attempts at parts are numbered after all attempts of the race
// that the first response has won.
func TestAHedgedDownload(t *testing.T) {
	slow := insisttest.After
	for _, n := range []int{0, 5} {
		synctest.Test(t, func(t *testing.T) {
			ctx, record := insist.WithRecord(t.Context())
			b := script(slow(2*time.Second, part(n)), slow(time.Hour, part(all)), part(9), part(all))
			p := resuming(func(p *insist.Policy) { p.Hedge, p.MaxAttempts = &insist.Hedge{Delay: time.Second}, 4 })
			resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
			require.NoError(t, err)
			assert.Equal(t, alphabet, text(t, resp))
			resp.Body.Close()
			numbers := map[int]bool{}
			for _, a := range record.Calls()[0] {
				numbers[a.Number] = true
			}
			assert.Equal(t, map[int]bool{1: true, 2: true, 3: true, 4: true}, numbers, "%v", record)
		})
	}
}

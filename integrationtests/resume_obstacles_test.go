package integrationtests

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

// TestWhyADownloadIsNotResumed: it is on record, once the body is truncated. The
// caller gets the error of the truncation.
func TestWhyADownloadIsNotResumed(t *testing.T) {
	yes := func(*http.Request) bool { return true }
	ignored := func(n int) step {
		return part(n, code(200), declares(26), holds(alphabet))
	}
	for _, c := range []struct {
		name   string
		method string
		steps  []step
		edit   func(*insist.Policy)
		want   string // what the record says of the last attempt
		got    string
	}{
		{"resumed", "GET", []step{part(5), part(all)}, nil, "206 after 0s (success)", alphabet},
		{"not truncated", "GET", []step{part(all, header("Etag"))}, nil, "200 after 0s (success)", alphabet},
		{"no download", "POST", []step{part(5)}, func(p *insist.Policy) { p.Idempotent = yes }, "200 after 0s (success)", alphabet[:5]},
		{"a GET that creates", "GET", []step{part(5)}, func(p *insist.Policy) {
			p.Idempotent = func(*http.Request) bool { return false }
		}, "200 not_idempotent after 0s (not_resumable)", alphabet[:5]},
		{"an error page", "GET", []step{part(5, code(404))}, func(p *insist.Policy) {
			p.RetryableStatus = insist.StatusAbove(499)
		}, "404 status after 0s (not_resumable)", alphabet[:5]},
		{"compressed", "GET", []step{part(5, header("Content-Encoding", "gzip"))}, nil, "200 compressed after 0s (not_resumable)", alphabet[:5]},
		{"trailers", "GET", []step{part(5, func(r *http.Response) { r.Trailer = http.Header{"X": nil} })}, nil, "200 trailers after 0s (not_resumable)", alphabet[:5]},
		{"no ranges", "GET", []step{part(5, header("Accept-Ranges", "none"))}, nil, "200 no_ranges after 0s (not_resumable)", alphabet[:5]},
		{"no ETag", "GET", []step{part(5, header("Etag"), header("Last-Modified"))}, nil, "200 no_validator after 0s (not_resumable)", alphabet[:5]},
		{"weak ETag", "GET", []step{part(5, header("Etag", "W/"+tag))}, nil, "200 weak_validator after 0s (not_resumable)", alphabet[:5]},

		{"another version", "GET", []step{part(5), partOf("0123456789", 10)}, nil, "200 changed after 0s (not_resumable)", alphabet[:5]},
		{"412", "GET", []step{part(5), status(412)}, nil, "412 changed after 0s (not_resumable)", alphabet[:5]},
		{"404", "GET", []step{part(5), status(404)}, func(p *insist.Policy) {
			p.RetryableStatus = insist.StatusAbove(499)
		}, "404 status after 0s (not_resumable)", alphabet[:5]},
		{"another range", "GET", []step{part(5), part(all, header("Content-Range", "bytes 6-25/26"))}, nil, "206 bad_content_range after 0s (not_resumable)", alphabet[:5]},
		{"Range ignored, again and again", "GET", []step{part(5), ignored(10), ignored(15), ignored(20)}, nil,
			"200 range_ignored after 0s (not_resumable)", alphabet[:15]},
		{"failures for ever", "GET", []step{part(5), status(503)}, nil, "503 after 0s (attempts_used_up)", alphabet[:5]},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, record := insist.WithRecord(t.Context())
				b, p := script(c.steps...), resuming()
				if c.edit != nil {
					c.edit(&p)
				}
				resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, c.method, "http://x/", nil).WithContext(ctx))
				require.NoError(t, err)
				got, err := io.ReadAll(resp.Body)
				assert.Equal(t, c.got, string(got))
				if c.got == alphabet {
					assert.NoError(t, err)
				} else {
					assert.Equal(t, io.ErrUnexpectedEOF, err)
				}
				resp.Body.Close()
				attempts := record.Calls()[0]
				last := attempts[len(attempts)-1]
				assert.Equal(t, c.want, last.String())
				assert.Equal(t, strings.Contains(c.want, "not_resumable"), last.Reason == insist.ReasonNotResumable)
				assert.Len(t, attempts, len(b.Arrivals()))
				for i, body := range b.Bodies() {
					assert.NotZero(t, body.Closes(), i)
				}
			})
		})
	}
}

// TestAnUnresumableBodyOfNobodysInterest is left alone: nobody would be told why.
func TestAnUnresumableBodyOfNobodysInterest(t *testing.T) {
	b := script(part(5, header("Etag")))
	resp, err := (&insist.RetryTransport{Base: b, Policy: resuming()}).RoundTrip(request(t, "GET", "http://x/", nil))
	require.NoError(t, err)
	assert.Same(t, b.Bodies()[0], resp.Body)
	resp.Body.Close()
}

// TestAnUnresumableBodyThatTheCallerEnds is not reported: it was not truncated.
func TestAnUnresumableBodyThatTheCallerEnds(t *testing.T) {
	for _, how := range []string{"close", "cancel"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ctx, record := insist.WithRecord(ctx)
		b := script(part(5, header("Etag")))
		resp, err := (&insist.RetryTransport{Base: b, Policy: resuming()}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		if how == "close" {
			resp.Body.Close()
		} else {
			cancel()
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		assert.Equal(t, insist.ReasonSuccess, record.Calls()[0][0].Reason, how)
	}
}

// TestAllHasCome: the first response, whose length is not known, lacks its end and
// nothing else. A 416 says so.
func TestAllHasCome(t *testing.T) {
	lost, digest := errors.New("the last chunk is lost"), func(h http.Header) string { return h.Get("Digest") }
	for _, c := range []struct {
		name   string
		length int64 // of the first response
		second []string
		edit   func(*insist.Policy)
		want   error
	}{
		{"so says a 416", -1, []string{"Content-Range", "bytes */26"}, nil, nil},
		{"with the ETag", -1, []string{"Content-Range", "bytes */26", "Etag", tag}, nil, nil},
		{"with another ETag", -1, []string{"Content-Range", "bytes */26", "Etag", `"v2"`}, nil, lost},
		{"another length", -1, []string{"Content-Range", "bytes */25"}, nil, lost},
		{"no length", -1, nil, nil, lost},
		{"not of what was asked with", -1, []string{"Content-Range", "bytes */26"}, func(p *insist.Policy) { p.ResumeValidator = digest }, lost},
		{"of what was asked with", -1, []string{"Content-Range", "bytes */26", "Digest", "x"}, func(p *insist.Policy) { p.ResumeValidator = digest }, nil},
		{"a rule that takes it for a failure", -1, []string{"Content-Range", "bytes */26"}, func(p *insist.Policy) {
			p.RetryableStatus = insist.StatusAbove(399)
		}, nil},
		{"known before: not asked", 26, []string{"Content-Range", "bytes */26"}, nil, lost},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broken := func(r *http.Response) { r.Body = io.NopCloser(io.MultiReader(r.Body, errReader{lost})) }
				b, p := script(part(all, declares(c.length), broken, header("Digest", "x")), status(416, c.second...)), resuming()
				if c.edit != nil {
					c.edit(&p)
				}
				ctx, record := insist.WithRecord(t.Context())
				resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
				require.NoError(t, err)
				got, err := io.ReadAll(resp.Body)
				assert.Equal(t, c.want, err)
				assert.Equal(t, alphabet, string(got))
				resp.Body.Close()
				if c.want == nil {
					assert.Equal(t, "416 after 0s (accepted)", record.Calls()[0][1].String())
				}
				if c.length > 0 {
					assert.Len(t, b.Arrivals(), 1)
				}
			})
		})
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// TestOwnValidator: a server can't be asked with it.
func TestOwnValidator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := func(n int, tag, digest string) step { return part(n, header("Etag", tag), header("Digest", digest)) }
		b := script(node(5, `"node1"`, "x"), node(5, `"node2"`, "x"), node(all, `"node2"`, "y"))
		p := resuming(func(p *insist.Policy) { p.ResumeValidator = func(h http.Header) string { return h.Get("Digest") } })
		req := request(t, "GET", "http://x/", nil)
		req.Header.Set("If-Range", `"mine"`)
		resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(req)
		require.NoError(t, err)
		got, err := io.ReadAll(resp.Body)
		assert.Equal(t, io.ErrUnexpectedEOF, err)
		assert.Equal(t, alphabet[:10], string(got), "nothing of another version")
		for _, a := range b.Arrivals()[1:] {
			assert.Empty(t, a.Header.Get("If-Range"))
			assert.NotEmpty(t, a.Header.Get("Range"))
		}
		resp.Body.Close()
	})
}

func TestOwnValidatorPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panicsAt := func(call int) func(*insist.Policy) {
			return func(p *insist.Policy) {
				calls := 0
				p.ResumeValidator = func(http.Header) string {
					if calls++; calls == call {
						panic("")
					}
					return "x"
				}
			}
		}
		b := script(part(5))
		assert.Panics(t, func() {
			(&insist.RetryTransport{Base: b, Policy: resuming(panicsAt(1))}).RoundTrip(request(t, "GET", "http://x/", nil))
		})
		assert.NotZero(t, b.Bodies()[0].Closes())
		b = script(part(5), part(all))
		body := brokenDownload(t, t.Context(), b, panicsAt(2))
		assert.Panics(t, func() { body.Read(make([]byte, 1)) })
		_, err := body.Read(make([]byte, 1))
		assert.Equal(t, io.ErrUnexpectedEOF, err)
		body.Close()
		for i, body := range b.Bodies() {
			assert.NotZero(t, body.Closes(), i)
		}
	})
}

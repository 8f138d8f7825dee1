package integrationtests

import (
	"context"
	"io"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
)

// asked counts the calls of a policy's hooks.
type asked struct {
	classify, status, err, body, idempotent, prepare, onAttempt, backoff int
}

// counting returns a policy whose hooks do nothing but count.
func (n *asked) counting() insist.Policy {
	return insist.Policy{
		ResumeDownloads: true,
		Classify: func(*http.Request, *http.Response, error, int) (d insist.Decision) {
			n.classify++
			return d
		},
		RetryableStatus: func(code int) bool { n.status++; return code >= 500 },
		RetryableError:  func(error) bool { n.err++; return true },
		RetryableBody: func(*http.Request, *http.Response, int, io.Reader) (d insist.Decision) {
			n.body++
			return d
		},
		Idempotent: func(*http.Request) bool { n.idempotent++; return true },
		Prepare: func(*http.Request, *http.Response, error) error {
			n.prepare++
			return nil
		},
		OnAttempt: func(context.Context, insist.Attempt) { n.onAttempt++ },
		Backoff:   func(int) time.Duration { n.backoff++; return time.Minute },
	}
}

// TestHowOftenHooksAreCalled: a rule is asked once about a response, and once about
// an error. A truncated response is both, one after the other: it is reported again,
// and Classify, which sees responses and errors, is asked again.
func TestHowOftenHooksAreCalled(t *testing.T) {
	failed := insisttest.JSON(503, "{}")
	for _, c := range []struct {
		name  string
		steps []step
		want  asked
	}{
		{"success at once", []step{part(all)},
			asked{classify: 1, status: 1, body: 1, idempotent: 1, onAttempt: 1}},
		{"a retry after a status", []step{failed, part(all)},
			asked{classify: 2, status: 2, body: 2, idempotent: 1, prepare: 1, onAttempt: 2, backoff: 1}},
		{"a retry after an error", []step{fails(syscall.ECONNRESET), part(all)},
			asked{classify: 2, status: 1, err: 1, body: 1, idempotent: 1, prepare: 1, onAttempt: 2, backoff: 1}},
		{"a resumed part", []step{part(5), part(all)},
			asked{classify: 3, status: 1, err: 1, body: 1, idempotent: 1, prepare: 1, onAttempt: 3, backoff: 1}},
		{"a resumed part after a status", []step{part(5), failed, part(all)},
			asked{classify: 4, status: 2, err: 1, body: 1, idempotent: 1, prepare: 2, onAttempt: 4, backoff: 2}},
		{"a response that is no part", []step{part(5), part(all, code(200))},
			asked{classify: 3, status: 2, err: 1, body: 1, idempotent: 1, prepare: 1, onAttempt: 3, backoff: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var n asked
				rt := &insist.RetryTransport{Base: script(c.steps...), Policy: n.counting()}
				resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
				require.NoError(t, err)
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				assert.Equal(t, c.want, n)
			})
		})
	}
}

// TestHowOftenRulesAreAskedOnTheFastPath: as often as in the loop.
func TestHowOftenRulesAreAskedOnTheFastPath(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []step
		want  asked
	}{
		{"success at once", []step{part(all)}, asked{status: 1, idempotent: 1}},
		{"a retry after a status", []step{status(503), part(all)}, asked{status: 2, idempotent: 1}},
		{"a retry after an error", []step{fails(syscall.ECONNRESET), part(all)}, asked{status: 1, err: 1, idempotent: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var n asked
				all := n.counting()
				p := insist.Policy{RetryableStatus: all.RetryableStatus, RetryableError: all.RetryableError, Idempotent: all.Idempotent}
				resp, err := (&insist.RetryTransport{Base: script(c.steps...), Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
				require.NoError(t, err)
				resp.Body.Close()
				assert.Equal(t, c.want, n)
			})
		})
	}
}

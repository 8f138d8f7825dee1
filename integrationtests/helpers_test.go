package integrationtests

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// Short names for what nearly each test has.
type (
	step         = insisttest.Step
	roundTripper = servertest.RoundTripper
)

var (
	script   = insisttest.NewScript
	status   = insisttest.Status
	fails    = servertest.Fails
	errLost  = servertest.ErrLost
	request  = servertest.Request
	text     = servertest.Text
	response = servertest.Response
)

// eager retries at once, four attempts in all.
var eager = insist.Policy{MaxAttempts: 4, Backoff: insist.Constant(0)}

// over returns a transport that retries over s, edited.
func over(s *servertest.Server, edits ...func(*insist.Policy)) *insist.RetryTransport {
	p := eager
	for _, edit := range edits {
		edit(&p)
	}
	return &insist.RetryTransport{Base: s.Base, Policy: p}
}

// requestTo returns a request to s, and the record of its attempts.
func requestTo(t testing.TB, s *servertest.Server, method, path string, body io.Reader) (*http.Request, *insist.Record) {
	t.Helper()
	ctx, record := insist.WithRecord(t.Context())
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	require.NoError(t, err)
	return req, record
}

// resumes allows for cuts so near to each other that nothing arrives between.
func resumes(p *insist.Policy) { p.ResumeDownloads, p.MaxAttempts = true, 30 }

// reasons returns the reasons on record for the only call.
func reasons(t testing.TB, r *insist.Record) (all []insist.Reason) {
	t.Helper()
	calls := r.Calls()
	require.Len(t, calls, 1)
	for _, a := range calls[0] {
		all = append(all, a.Reason)
	}
	return all
}

// quickly returns a transport that retries over b at once.
func quickly(b http.RoundTripper, edits ...func(*insist.Policy)) *insist.RetryTransport {
	rt := &insist.RetryTransport{Base: b, Policy: insist.Policy{Backoff: insist.Constant(0)}}
	for _, edit := range edits {
		edit(&rt.Policy)
	}
	return rt
}

func keepAtMost(n int64) func(*insist.Policy) {
	return func(p *insist.Policy) { p.MaxReplayBytes = n }
}

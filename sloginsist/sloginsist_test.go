package sloginsist_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/sloginsist"
)

const second = time.Second

var errLost = &url.Error{Op: "Get", URL: "http://x/?token=secret", Err: syscall.ECONNRESET}

func TestLines(t *testing.T) {
	all := sloginsist.Hook{Done: slog.LevelDebug}
	other := sloginsist.Hook{Retry: slog.LevelDebug, GiveUp: slog.LevelError}
	for _, c := range []struct {
		name    string
		hook    sloginsist.Hook
		attempt insist.Attempt
		want    string
	}{
		{"success at once", all, insist.Attempt{Number: 1, Status: 200, Reason: insist.ReasonSuccess}, ""},
		{"decision at once", all, insist.Attempt{Number: 1, Status: 403, Reason: insist.ReasonDecision}, ""},
		{"retry, status", all, insist.Attempt{Number: 1, Method: "GET", Host: "x:80", Status: 503, Duration: 2 * second, Wait: second, Retry: true, Reason: insist.ReasonStatus},
			`level=INFO msg="insist: retrying" attempt=1 method=GET host=x:80 status=503 duration=2s wait=1s reason=status`},
		{"retry, error, no wait", all, insist.Attempt{Number: 2, Method: "PUT", Host: "x", Err: errLost, Retry: true, Reason: insist.ReasonError},
			`level=INFO msg="insist: retrying" attempt=2 method=PUT host=x error=connection_reset duration=0s reason=error`},
		{"retry, function", all, insist.Attempt{Number: 1, Err: errors.New("secret"), Duration: second, Wait: second, Retry: true, Reason: insist.ReasonError},
			`level=INFO msg="insist: retrying" attempt=1 error=*errors.errorString duration=1s wait=1s reason=error`},
		{"retry, function with a name", all, insist.Attempt{Number: 1, Name: "publish", Err: errLost, Wait: second, Retry: true, Reason: insist.ReasonError},
			`level=INFO msg="insist: retrying" attempt=1 name=publish error=connection_reset duration=0s wait=1s reason=error`},
		{"retry, request with a name", all, insist.Attempt{Number: 1, Name: "search", Method: "GET", Host: "x", Status: 503, Retry: true, Reason: insist.ReasonStatus},
			`level=INFO msg="insist: retrying" attempt=1 name=search method=GET host=x status=503 duration=0s reason=status`},
		{"retry, other level", other, insist.Attempt{Number: 1, Retry: true, Reason: insist.ReasonCondition},
			`level=DEBUG msg="insist: retrying" attempt=1 duration=0s reason=condition`},
		{"error", all, insist.Attempt{Number: 1, Reason: insist.ReasonError}, gaveUp("WARN", "error")},
		{"may be done", all, insist.Attempt{Number: 1, Reason: insist.ReasonMaybeDone}, gaveUp("WARN", `maybe_done`)},
		{"body", all, insist.Attempt{Number: 1, Reason: insist.ReasonBody}, gaveUp("WARN", `body_not_replayable`)},
		{"attempts", all, insist.Attempt{Number: 1, Reason: insist.ReasonAttempts}, gaveUp("WARN", `attempts_used_up`)},
		{"wait", all, insist.Attempt{Number: 1, Reason: insist.ReasonWait}, gaveUp("WARN", `wait_too_long`)},
		{"budget", all, insist.Attempt{Number: 1, Reason: insist.ReasonBudget}, gaveUp("WARN", `budget_used_up`)},
		{"context", all, insist.Attempt{Number: 1, Reason: insist.ReasonContext, Amended: true}, gaveUp("WARN", `context_ended`)},
		{"give up, other level", other, insist.Attempt{Number: 1, Reason: insist.ReasonBudget}, gaveUp("ERROR", `budget_used_up`)},
		{"overtaken", all, insist.Attempt{Number: 1, Retry: true, Reason: insist.ReasonOvertaken}, `level=DEBUG msg="insist: overtaken" attempt=1 duration=0s reason=overtaken`},
		{"all that is rare", all, insist.Attempt{Number: 2, Beside: 1, Held: 2, Wait: 3, ConnRetired: true, Retry: true, Reason: insist.ReasonError},
			`level=INFO msg="insist: retrying" attempt=2 duration=0s beside=1ns held=2ns wait=3ns conn_retired=true reason=error`},
		{"success after a retry", all, insist.Attempt{Number: 2, Reason: insist.ReasonSuccess}, `level=DEBUG msg="insist: done" attempt=2 duration=0s reason=success`},
		{"decision after a retry", all, insist.Attempt{Number: 2, Reason: insist.ReasonDecision}, `level=DEBUG msg="insist: done" attempt=2 duration=0s reason=decision`},
		{"success after a retry, not asked for", other, insist.Attempt{Number: 2, Reason: insist.ReasonSuccess}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			c.hook.Logger = logger(&out, slog.LevelDebug)
			c.hook.OnAttempt(t.Context(), c.attempt)
			assert.Equal(t, c.want, strings.TrimSuffix(out.String(), "\n"))
		})
	}
}

func gaveUp(level, reason string) string {
	return "level=" + level + ` msg="insist: gave up" attempt=1 duration=0s reason=` + reason
}

func logger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: withoutTime}))
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// Code that sets slog's default later sees the lines, too.
func TestDefaultLogger(t *testing.T) {
	var out bytes.Buffer
	hook := sloginsist.Hook{}.OnAttempt
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(logger(&out, slog.LevelInfo))
	hook(t.Context(), insist.Attempt{Number: 1, Status: 503, Retry: true, Reason: insist.ReasonStatus})
	assert.Contains(t, out.String(), "insist: retrying")
}

// A level may change while the hook is in use.
func TestLevelVar(t *testing.T) {
	var out bytes.Buffer
	var level slog.LevelVar
	level.Set(slog.LevelDebug)
	hook := sloginsist.Hook{Logger: logger(&out, slog.LevelInfo), Retry: &level}.OnAttempt
	retry := insist.Attempt{Number: 1, Retry: true}
	hook(t.Context(), retry)
	assert.Empty(t, out.String())
	level.Set(slog.LevelInfo)
	hook(t.Context(), retry)
	assert.NotEmpty(t, out.String())
}

// The lines of whole calls: in virtual time, so that their durations are exact.
func TestCalls(t *testing.T) {
	for _, c := range []struct {
		name     string
		timeout  time.Duration
		statuses []int // 0 is an error
		want     []string
	}{
		{"success at once", 0, []int{200}, []string{}},
		{"success after two retries", 0, []int{503, 0, 200}, []string{
			`level=INFO msg="insist: retrying" attempt=1 method=GET host=x status=503 duration=1s wait=2s reason=status`,
			`level=INFO msg="insist: retrying" attempt=2 method=GET host=x error=connection_reset duration=1s wait=2s reason=error`,
		}},
		{"no wait that would end too late", 2 * second, []int{503}, []string{
			`level=WARN msg="insist: gave up" attempt=1 method=GET host=x status=503 duration=1s wait=2s reason=wait_too_long`,
		}},
		{"attempts used up", 0, []int{0}, []string{
			`level=INFO msg="insist: retrying" attempt=1 method=GET host=x error=connection_reset duration=1s wait=2s reason=error`,
			`level=INFO msg="insist: retrying" attempt=2 method=GET host=x error=connection_reset duration=1s wait=2s reason=error`,
			`level=WARN msg="insist: gave up" attempt=3 method=GET host=x error=connection_reset duration=1s reason=attempts_used_up`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if c.timeout > 0 {
					var cancel func()
					ctx, cancel = context.WithTimeout(ctx, c.timeout)
					defer cancel()
				}
				assert.Equal(t, c.want, lines(t, ctx, c.statuses))
			})
		})
	}
}

func TestWaitCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2*second, cancel)
		assert.Equal(t, []string{
			`level=INFO msg="insist: retrying" attempt=1 method=GET host=x status=503 duration=1s wait=2s reason=status`,
			`level=WARN msg="insist: gave up" attempt=1 method=GET host=x status=503 duration=1s wait=2s reason=context_ended`,
		}, lines(t, ctx, []int{503}))
	})
}

// lines sends a request whose attempts take a second each, and returns what was
// logged.
func lines(t *testing.T, ctx context.Context, statuses []int) []string {
	var steps []insisttest.Step
	for _, status := range statuses {
		step := insisttest.Status(status)
		if status == 0 {
			step = lost
		}
		steps = append(steps, insisttest.After(second, step))
	}
	var out bytes.Buffer
	rt := &insist.RetryTransport{
		Base:   insisttest.NewScript(steps...),
		Policy: insist.Policy{OnAttempt: sloginsist.Hook{Logger: logger(&out, slog.LevelDebug)}.OnAttempt},
	}
	req, err := http.NewRequestWithContext(ctx, "GET", "http://x/path?token=secret", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "secret")
	if resp, err := rt.RoundTrip(req); err == nil {
		resp.Body.Close()
	}
	assert.NotContains(t, out.String(), "secret")
	return strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' })
}

func lost(*http.Request) (*http.Response, error) { return nil, errLost }

// With the level disabled the hook costs no allocation; a line costs one
// beside the handler's, or two under the race detector.
func TestCost(t *testing.T) {
	retry := insist.Attempt{Number: 1, Name: "search", Method: "GET", Host: "x", Status: 503, Wait: second, Retry: true, Reason: insist.ReasonStatus}
	success := insist.Attempt{Number: 2, Method: "GET", Host: "x", Status: 200, Reason: insist.ReasonSuccess}
	for _, c := range []struct {
		name    string
		level   slog.Level
		attempt insist.Attempt
		most    float64
	}{
		{"retry, disabled", slog.LevelWarn, retry, 0},
		{"success, no line", slog.LevelDebug, success, 0},
		{"retry, logged", slog.LevelInfo, retry, 2},
	} {
		ctx := t.Context()
		hook := sloginsist.Hook{Logger: slog.New(quiet{Leveler: c.level})}.OnAttempt
		assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { hook(ctx, c.attempt) }), c.most, c.name)
	}
}

// quiet is a handler that does nothing.
type quiet struct {
	slog.Leveler
	slog.Handler
}

func (q quiet) Enabled(_ context.Context, l slog.Level) bool { return l >= q.Level() }
func (quiet) Handle(context.Context, slog.Record) error      { return nil }

package wait

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPause ends with the wait or with the caller's interest, whichever is first.
func TestPause(t *testing.T) {
	for name, c := range map[string]struct {
		pause, canceled time.Duration
		byChannel       bool
		took            time.Duration
		goesOn          bool
	}{
		"the wait":             {time.Second, time.Hour, false, time.Second, true},
		"no wait":              {0, time.Hour, false, 0, true},
		"negative":             {-time.Second, time.Hour, false, 0, true},
		"the context":          {time.Hour, time.Second, false, time.Second, false},
		"Request.Cancel":       {time.Hour, time.Second, true, time.Second, false},
		"canceled before":      {time.Hour, 0, false, 0, false},
		"canceled by channel":  {time.Hour, 0, true, 0, false},
		"no wait, canceled":    {0, 0, false, 0, false},
		"longest wait, ctx":    {1<<63 - 1, time.Minute, false, time.Minute, false},
		"shortest wait, alive": {-1 << 63, time.Minute, false, 0, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, "GET", "http://x/", nil)
			require.NoError(t, err)
			done := make(chan struct{})
			//lint:ignore SA1019 http.Client's Timeout closes it
			req.Cancel = done
			end := func() {
				if c.byChannel {
					close(done)
				} else {
					cancel()
				}
			}
			if c.canceled == 0 {
				end()
			} else {
				timer := time.AfterFunc(c.canceled, end)
				defer timer.Stop()
			}
			start := time.Now()
			w := ForRequest(req)
			assert.Equal(t, c.goesOn, w.Pause(c.pause), name)
			assert.Equal(t, c.took, time.Since(start), name)
			assert.Equal(t, !c.goesOn, w.Canceled(), name)
		})
	}
}

// TestLimit: stopped in time the context goes on; too late it has ended, with an error
// that says after which time.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimit(t.Context(), time.Second)
		time.Sleep(999 * time.Millisecond)
		assert.False(t, l.Stop())
		time.Sleep(time.Hour)
		assert.NoError(t, l.Context().Err())
		body := l.Body(io.NopCloser(strings.NewReader("x")))
		_, err := io.ReadAll(body)
		assert.NoError(t, err)
		assert.Error(t, l.Context().Err(), "the body has been read")

		l = NewLimit(t.Context(), time.Second)
		time.Sleep(2 * time.Second)
		assert.True(t, l.Stop())
		assert.True(t, l.Stop(), "asked twice")
		cause := context.Cause(l.Context())
		assert.Equal(t, AttemptTimeout{time.Second}, cause)
		assert.EqualError(t, cause, "insist: attempt timed out after 1s")
		assert.ErrorIs(t, cause, context.DeadlineExceeded)
		assert.ErrorIs(t, cause, ErrAttemptTimeout)

		var none Limit
		assert.False(t, none.IsSet())
		assert.False(t, none.Stop())
		none.End()
	})
}

// TestExplain says which limit ended a function, where the function does not.
func TestExplain(t *testing.T) {
	own := errors.New("own")
	for name, c := range map[string]struct {
		took time.Duration
		err  error
		is   []error
		not  error
	}{
		"no error":           {2 * time.Second, nil, nil, own},
		"in time":            {0, own, []error{own}, ErrAttemptTimeout},
		"its own error":      {2 * time.Second, own, []error{own, ErrAttemptTimeout, context.DeadlineExceeded}, context.Canceled},
		"a deadline":         {2 * time.Second, context.DeadlineExceeded, []error{ErrAttemptTimeout}, context.Canceled},
		"a cancellation":     {2 * time.Second, context.Canceled, []error{ErrAttemptTimeout}, context.Canceled},
		"canceled by itself": {0, context.Canceled, []error{context.Canceled}, ErrAttemptTimeout},
	} {
		for _, limit := range []func(context.Context, time.Duration) Limit{NewLimit, NewDeadline} {
			synctest.Test(t, func(t *testing.T) {
				l := limit(t.Context(), time.Second)
				defer l.End()
				time.Sleep(c.took)
				err := l.Explain(t.Context(), c.err)
				assert.Equal(t, c.err == nil, err == nil, name)
				for _, is := range c.is {
					assert.ErrorIs(t, err, is, name)
				}
				assert.NotErrorIs(t, err, c.not, name)
			})
		}
	}
}

package insisttest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"
)

func TestAfterEndsWithTheContext(t *testing.T) {
	var cancel context.CancelFunc
	hangs := func(req *http.Request) (*http.Response, error) {
		req.Body = &ending{req.Body, cancel}
		return insisttest.After(time.Hour, insisttest.Status(200))(req)
	}
	each(t, []insisttest.Step{hangs}, func(t *testing.T, s *insisttest.Script, base http.RoundTripper, url, _ string) {
		req := request(t, "POST", url, "hello")
		var ctx context.Context
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		_, err := base.RoundTrip(req.WithContext(ctx))
		assert.ErrorIs(t, err, context.Canceled)
		assert.True(t, s.Arrivals()[0].Whole, "read before")
	})
}

// ending is a body that says when it has been read to its end.
type ending struct {
	io.ReadCloser
	ended func()
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	if err == io.EOF {
		e.ended()
	}
	return n, err
}

func TestAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		resp, err := insisttest.After(time.Minute, insisttest.Status(200))(request(t, "GET", "http://x", ""))
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, time.Minute, time.Since(start))
	})
}

func TestAHeadComesBeforeItsBody(t *testing.T) {
	var release chan func()
	slow := func(*http.Request) (*http.Response, error) {
		r, w := io.Pipe()
		release <- func() { w.Write([]byte("x")); w.Close() }
		return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: -1, Body: r}, nil
	}
	each(t, []insisttest.Step{slow}, func(t *testing.T, s *insisttest.Script, base http.RoundTripper, url, _ string) {
		release = make(chan func(), 1)
		resp, err := base.RoundTrip(request(t, "GET", url, ""))
		require.NoError(t, err)
		go (<-release)()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, "x", string(body))
		resp.Body.Close()
	})
}

func TestAHeaderWithoutAValue(t *testing.T) {
	for _, odd := range [][]string{{"Retry-After"}, {"A", "1", "B"}} {
		assert.Panics(t, func() { insisttest.Status(200, odd...) })
		assert.Panics(t, func() { insisttest.JSON(200, "", odd...) })
	}
}

// A scripted base is a base to learn from: it closes what it is given.
func TestTheBaseAndItsBodies(t *testing.T) {
	broken := errors.New("disk on fire")
	whole, failing := func() io.Reader { return strings.NewReader("hello") }, func() io.Reader {
		return io.MultiReader(strings.NewReader("he"), iotest.ErrReader(broken))
	}
	for _, c := range []struct {
		name   string
		step   insisttest.Step
		body   func() io.Reader
		length int64
		err    error // nil: any
		got    string
		whole  bool
	}{
		{"whole", insisttest.Status(200), whole, -1, nil, "hello", true},
		{"whole, of known length", insisttest.Status(200), whole, 5, nil, "hello", true},
		{"shorter than declared", insisttest.Status(200), whole, 6, nil, "hello", false},
		{"lost", insisttest.Lost(), whole, -1, nil, "hello", true},
		{"reset", insisttest.Reset(), whole, -1, nil, "", false},
		{"fails", insisttest.Status(200), failing, -1, broken, "he", false},
		{"fails where the response was lost", insisttest.Lost(), failing, -1, broken, "he", false},
		{"fails after an early response", early, failing, -1, broken, "he", false},
	} {
		s, body := insisttest.NewScript(c.step), &insisttest.Body{Reader: c.body()}
		req := request(t, "PUT", "http://x/", "")
		req.Body, req.GetBody, req.ContentLength = body, nil, c.length
		before := *req
		resp, err := s.RoundTrip(req)
		assert.Equal(t, before, *req, "%s: the request is not changed", c.name)
		assert.Equal(t, 1, body.Closes(), c.name)
		assert.Equal(t, c.got, s.Arrivals()[0].Body, c.name)
		assert.Equal(t, c.whole, s.Arrivals()[0].Whole, c.name)
		if c.err != nil {
			assert.Equal(t, c.err, err, c.name)
		}
		if err != nil {
			assert.Nil(t, resp, c.name)
			continue
		}
		assert.Same(t, req, resp.Request, c.name)
		assert.Zero(t, s.Bodies()[0].Closes(), c.name)
		resp.Body.Close()
		assert.Equal(t, 1, s.Bodies()[0].Closes(), c.name)
	}
}

func TestBody(t *testing.T) {
	inner := &insisttest.Body{Reader: strings.NewReader("x")}
	outer := &insisttest.Body{Reader: inner}
	data, err := io.ReadAll(outer)
	require.NoError(t, err)
	assert.Equal(t, "x", string(data))
	outer.Close()
	outer.Close()
	assert.Equal(t, 2, outer.Closes())
	assert.Equal(t, 2, inner.Closes())

	var empty insisttest.Body
	data, err = io.ReadAll(&empty)
	assert.NoError(t, err)
	assert.Empty(t, data)
	assert.NoError(t, empty.Close())
}

package integrationtests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
)

// moodyFile is a server of one file. It truncates where it likes, sends less than it
// is asked for, or more than it says, and whatever else a request for a part may meet.
type moodyFile struct {
	*rand.Rand
	file, other []byte
	bodies      []*insisttest.Body
	ctxs        []context.Context // of the continuations
}

func newMoodyFile(seed uint64) *moodyFile {
	m := &moodyFile{Rand: rand.New(rand.NewPCG(seed, 0))}
	for i := range 1 + m.IntN(200) {
		m.file = append(m.file, byte(i))
	}
	m.other = bytes.Repeat([]byte{255}, len(m.file)+2)
	return m
}

func (m *moodyFile) oneIn(n int) bool { return m.IntN(n) == 0 }

func (m *moodyFile) RoundTrip(req *http.Request) (*http.Response, error) {
	h, code, data := http.Header{"Etag": {tag}, "Accept-Ranges": {"bytes"}}, 200, m.file
	from, to, goesOn := 0, len(m.file), req.Header.Get("If-Range") != ""
	if k, _ := fmt.Sscanf(req.Header.Get("Range"), "bytes=%d-%d", &from, &to); k > 0 {
		code, to = 206, min(to+k-1, len(m.file))
	}
	if goesOn && from == len(m.file) { // all had come of a first response without a length
		m.ctxs = append(m.ctxs, req.Context())
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", len(m.file)))
		m.bodies = append(m.bodies, &insisttest.Body{Reader: bytes.NewReader(m.other)})
		return &http.Response{StatusCode: 416, Header: h, ContentLength: int64(len(m.other)), Body: m.bodies[len(m.bodies)-1]}, nil
	}
	total, says, ignores := strconv.Itoa(len(m.file)), from, false
	if goesOn {
		m.ctxs = append(m.ctxs, req.Context())
		to -= m.IntN(to-from) * m.IntN(2)
		switch m.IntN(16) {
		case 0:
			return nil, errLost
		case 1:
			data, code = m.other, 503
		case 2:
			data, h["Etag"] = m.other, []string{`"v2"`}
		case 3:
			data, h["Etag"] = m.other, []string{"W/" + tag}
		case 4:
			data, code, from = m.other, 200, 0
			h["Etag"] = []string{`"v2"`}
		case 7:
			code, from, to, ignores = 200, 0, len(m.file), true
		case 5:
			data, says = m.other, from+1
		case 6:
			total = "*"
		}
	}
	if code == 206 {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", says, to-1, total))
	}
	resp := &http.Response{StatusCode: code, Header: h, ContentLength: int64(to - from), ProtoMajor: 1 + m.IntN(2)}
	// A discarded response is read by another goroutine: each body has chances of its own.
	body := &shaky{Rand: rand.New(rand.NewPCG(m.Uint64(), 0)), ctx: req.Context(), data: data[from:to], err: io.EOF}
	if m.oneIn(3) {
		resp.ContentLength = -1
	}
	n := m.IntN(to - from)
	if resp.ContentLength < 0 && code == 200 && m.oneIn(4) {
		n = to - from // all of it, without an end
	}
	switch {
	case ignores && m.oneIn(2): // all of it
	case m.oneIn(3) && goesOn && !ignores: // more than it says, or all of it
		body.data = append(bytes.Clone(body.data), m.other[:m.IntN(3)]...)
	case m.oneIn(2) && goesOn && !ignores:
		body.data = body.data[:n]
	default:
		body.data, body.err = body.data[:n], io.ErrUnexpectedEOF
	}
	m.bodies = append(m.bodies, &insisttest.Body{Reader: body})
	resp.Body = m.bodies[len(m.bodies)-1]
	return resp, nil
}

// shaky returns its data in runs of any size, also of none, and its error with the
// last of them or behind it.
type shaky struct {
	*rand.Rand
	ctx  context.Context
	data []byte
	err  error
}

func (s *shaky) Read(p []byte) (int, error) {
	if s.IntN(4) == 0 {
		time.Sleep(time.Second)
	}
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n := copy(p, s.data[:min(len(s.data), s.IntN(40))])
	if s.data = s.data[n:]; len(s.data) == 0 && s.IntN(2) == 0 {
		return n, s.err
	}
	return n, nil
}

// TestRandomDownloads: whatever comes, what is read is the file's start, a clean
// end is the file's, and nothing is left.
func TestRandomDownloads(t *testing.T) {
	var ends [2]int
	for seed := range uint64(2000) {
		synctest.Test(t, func(t *testing.T) {
			m := newMoodyFile(seed)
			ctx, cancel := context.WithCancel(t.Context())
			ctx, record := insist.WithRecord(ctx)
			req, want := request(t, "GET", "http://x/", nil).WithContext(ctx), m.file
			if m.oneIn(3) {
				from := m.IntN(len(m.file))
				want = m.file[from:]
				req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
			}
			p := insist.Policy{ResumeDownloads: true, MaxAttempts: 2 + m.IntN(4), PerAttemptTimeout: time.Minute * time.Duration(m.IntN(2))}
			resp, err := (&insist.RetryTransport{Base: m, Policy: p}).RoundTrip(req)
			require.NoError(t, err)
			switch after := time.Duration(m.IntN(20_000)) * time.Millisecond; m.IntN(3) {
			case 0:
				time.AfterFunc(after, cancel)
			case 1:
				time.AfterFunc(after, func() { resp.Body.Close() })
			}
			got, err := io.ReadAll(resp.Body)
			assert.True(t, bytes.HasPrefix(want, got), "seed %d: got %v of %v\n%v", seed, got, want, record)
			if err == nil {
				ends[0]++
				assert.Len(t, got, len(want), "seed %d: %v", seed, record)
				err = io.EOF
			}
			ends[1]++
			if _, again := resp.Body.Read(make([]byte, 1)); !errors.Is(again, err) {
				t.Errorf("seed %d: %v, then %v", seed, err, again)
			}
			resp.Body.Close()
			time.Sleep(time.Minute) // for the Reads that sleep
			m.check(t, seed, record)
			cancel()
		})
	}
	assert.Greater(t, ends[0], ends[1]/20, "else there is little to see")
	t.Logf("%d of %d downloads came to their end", ends[0], ends[1])
}

func (m *moodyFile) check(t *testing.T, seed uint64, record *insist.Record) {
	for i, b := range m.bodies {
		assert.NotZero(t, b.Closes(), "seed %d, body %d", seed, i)
	}
	for i, c := range m.ctxs {
		assert.Error(t, c.Err(), "seed %d, continuation %d", seed, i)
	}
	attempts := record.Calls()[0]
	assert.Len(t, attempts, 1+len(m.ctxs), "seed %d", seed)
	for i, a := range attempts {
		assert.Equal(t, i+1, a.Number, "seed %d: %v", seed, record)
	}
}

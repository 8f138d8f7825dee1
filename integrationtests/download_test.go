package integrationtests

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/leak"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// cutFile is a file on a server that cuts the line at certain places, once each.
type cutFile struct {
	mu      sync.Mutex
	content []byte
	tag     string
	cuts    []int64 // in order
	served  int
	whole   bool // it ignores Range
}

func (f *cutFile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	content := f.content
	f.served++
	w.Header().Set("ETag", f.tag)
	f.mu.Unlock()
	if f.whole {
		r.Header.Del("Range")
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		(&cutter{ResponseWriter: w, file: f, r: r}).Write(content)
		return
	}
	http.ServeContent(&cutter{ResponseWriter: w, file: f, r: r}, r, "", time.Time{}, bytes.NewReader(content))
}

// cutter hides the writer's ReadFrom, so that all bytes pass its Write.
type cutter struct {
	http.ResponseWriter
	file *cutFile
	r    *http.Request
	off  int64
}

func (c *cutter) WriteHeader(code int) {
	fmt.Sscanf(c.Header().Get("Content-Range"), "bytes %d-", &c.off)
	c.ResponseWriter.WriteHeader(code)
}

func (c *cutter) Write(p []byte) (int, error) {
	f := c.file
	f.mu.Lock()
	left := int64(len(p))
	if len(f.cuts) > 0 {
		left = min(left, f.cuts[0]-c.off)
	}
	f.mu.Unlock()
	n, err := c.ResponseWriter.Write(p[:left])
	if c.off += int64(n); err != nil || left == int64(len(p)) {
		return n, err
	}
	f.mu.Lock()
	f.cuts = f.cuts[1:]
	odd := len(f.cuts)%2 == 1
	f.mu.Unlock()
	http.NewResponseController(c).Flush()
	if c.r.ProtoMajor == 2 && odd {
		panic(http.ErrAbortHandler) // ends the stream alone
	}
	servertest.Cut(c.r, odd)
	return 0, nil
}

func (c *cutter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func TestALargeDownloadIsResumed(t *testing.T) {
	size, seed := int64(64<<20), rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	content := servertest.Pattern(int(size))
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		leak.Check(t)
		file := &cutFile{content: content, tag: `"1"`}
		for range 20 {
			file.cuts = append(file.cuts, random.Int64N(size))
		}
		slices.Sort(file.cuts)
		file.cuts = slices.Compact(file.cuts)
		cuts := len(file.cuts)
		s := p.Start(t, file.ServeHTTP)
		req, record := requestTo(t, s, "GET", "/", nil)
		resp, err := over(s, resumes).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, servertest.Digest(content), servertest.DigestOf(resp.Body))
		assert.NoError(t, resp.Body.Close())
		assert.Empty(t, file.cuts)
		// What has been written when the line is cut is not always read.
		assert.GreaterOrEqual(t, len(record.Calls()[0]), cuts+1)
		assert.Equal(t, file.served, len(record.Calls()[0]))
		s.Close()
		s.Base.CloseIdleConnections()
	})
}

// A server that ignores Range sends all of the file each time.
func TestARangeIsIgnored(t *testing.T) {
	content := servertest.Pattern(4 << 20)
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		leak.Check(t)
		file := &cutFile{content: content, tag: `"1"`, cuts: []int64{1_000_000, 2_500_000}, whole: true}
		s := p.Start(t, file.ServeHTTP)
		req, record := requestTo(t, s, "GET", "/", nil)
		resp, err := over(s, resumes).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, servertest.Digest(content), servertest.DigestOf(resp.Body))
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, file.served, len(record.Calls()[0]))
		assert.Equal(t, 3, file.served)
		s.Close()
		s.Base.CloseIdleConnections()
	})
}

func TestAFileThatIsReplacedIsNotResumed(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		file := &cutFile{content: servertest.Pattern(1 << 20), tag: `"1"`, cuts: []int64{700_000}}
		s := p.Start(t, file.ServeHTTP)
		req, _ := requestTo(t, s, "GET", "/", nil)
		resp, err := over(s, resumes).RoundTrip(req)
		require.NoError(t, err)
		first := make([]byte, 10_000)
		_, err = io.ReadFull(resp.Body, first)
		require.NoError(t, err)
		file.mu.Lock()
		old := file.content
		file.content, file.tag = bytes.Repeat([]byte("new "), 300_000), `"2"`
		file.mu.Unlock()
		rest, err := io.ReadAll(resp.Body)
		assert.Error(t, err)
		assert.True(t, bytes.HasPrefix(old, append(first, rest...)), "nothing of the new one")
		assert.NoError(t, resp.Body.Close())
	})
}

// A client that closes in the middle, while another goroutine reads, ends it all.
func TestClosingAResumedDownload(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		leak.Check(t)
		file := &cutFile{content: servertest.Pattern(1 << 20), tag: `"1"`, cuts: []int64{100_000}}
		s := p.Start(t, file.ServeHTTP)
		waits := make(chan struct{})
		req, _ := requestTo(t, s, "GET", "/", nil)
		resp, err := over(s, resumes, func(p *insist.Policy) {
			p.Backoff = func(int) time.Duration { close(waits); return time.Hour }
		}).RoundTrip(req)
		require.NoError(t, err)
		go func() {
			<-waits
			resp.Body.Close()
		}()
		servertest.Within(t, func() {
			_, err = io.ReadAll(resp.Body)
		})
		assert.ErrorIs(t, err, http.ErrBodyReadAfterClose)
		s.Close()
		s.Base.CloseIdleConnections()
	})
}

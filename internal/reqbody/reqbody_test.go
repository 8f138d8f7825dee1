package reqbody

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A Lease is part of what every attempt that is sent as a copy allocates, and one word
// more is the next size class: see the rows of TestCost in the root. What is here has to
// stay out of it.
func TestALeaseDoesNotGrow(t *testing.T) {
	const word = unsafe.Sizeof(uintptr(0))
	assert.LessOrEqual(t, unsafe.Sizeof(Lease{}), unsafe.Sizeof(http.Request{})+8+2*word)
}

// Neither the ends of int64 nor a length that is wrong panic, and what is sent of a body
// whose length is wrong ends in an error.
func TestLimitsAndLengthsAtTheirEnds(t *testing.T) {
	data := pattern(1000)
	for _, limit := range []int64{math.MinInt64, -1, 0, 1, 999, 1000, 1001, math.MaxInt64 - 1, math.MaxInt64} {
		for _, declared := range []int64{math.MinInt64, -2, -1, 0, 1, 999, 1000, 1001, math.MaxInt64 - 1, math.MaxInt64} {
			for _, k := range kinds {
				req := request(t, "PUT", "http://x/", nil)
				c := &call{closes: k.give(t, req, data), req: req}
				req.ContentLength = declared
				c.Take(req, limit)
				for attempt := range 3 {
					if !c.Whole() {
						break
					}
					l := c.lease()
					err := c.Fill(l)
					if err != nil {
						break
					}
					body := l.Request.Body
					got, err := io.ReadAll(body)
					body.Close()
					right := declared <= 0 || declared == int64(len(data))
					if !c.IsStream() {
						continue // the base holds it to its length
					}
					assert.Equal(t, right, err == nil, "%s, limit %d, length %d, attempt %d: %v", k.name, limit, declared, attempt+1, err)
					assert.True(t, !right || bytes.Equal(data, got))
					c.Revoke()
				}
				c.End()
				assert.Equal(t, c.given.Load(), c.closed.Load())
			}
		}
	}
}

// Without a bound a body of any length is kept.
func TestNoBound(t *testing.T) {
	data := strings.Repeat("0123456789", 100_000)
	req := request(t, "PUT", "http://x/", io.MultiReader(strings.NewReader(data)))
	c := &call{req: req}
	c.Take(req, math.MaxInt64)
	for range 3 {
		got, err := io.ReadAll(c.attempt(t).Body)
		require.NoError(t, err)
		require.True(t, data == string(got))
		c.Revoke()
	}
	c.End()
}

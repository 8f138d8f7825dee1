package retryafter

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var waits = []struct {
	name   string
	header http.Header
	want   time.Duration
	ok     bool
}{
	{"none", http.Header{}, 0, false},
	{"seconds", http.Header{"Retry-After": {"120"}}, 2 * time.Minute, true},
	{"zero", http.Header{"Retry-After": {"0"}}, 0, true},
	{"spaces around", http.Header{"Retry-After": {" 7 "}}, 7 * time.Second, true},
	{"negative", http.Header{"Retry-After": {"-1"}}, 0, false},
	{"plus sign", http.Header{"Retry-After": {"+1"}}, 0, false},
	{"fraction", http.Header{"Retry-After": {"1.5"}}, 0, false},
	{"empty", http.Header{"Retry-After": {""}}, 0, false},
	{"words", http.Header{"Retry-After": {"soon"}}, 0, false},
	{"hexadecimal", http.Header{"Retry-After": {"0x10"}}, 0, false},
	{"exponent", http.Header{"Retry-After": {"1e3"}}, 0, false},
	{"infinite", http.Header{"Retry-After": {"Inf"}}, 0, false},
	{"overflows Duration", http.Header{"Retry-After": {"9223372037"}}, math.MaxInt64, true},
	{"overflows int64", http.Header{"Retry-After": {"99999999999999999999999"}}, math.MaxInt64, true},
	{"overflows float64", http.Header{"Retry-After": {"1" + string(make9s(400))}}, math.MaxInt64, true},
	{"IMF-fixdate", http.Header{"Retry-After": {"Fri, 31 Dec 1999 23:59:59 GMT"}}, 59 * time.Second, true},
	{"RFC 850 date", http.Header{"Retry-After": {"Friday, 31-Dec-99 23:59:59 GMT"}}, 59 * time.Second, true},
	{"asctime date", http.Header{"Retry-After": {"Fri Dec 31 23:59:59 1999"}}, 59 * time.Second, true},
	{"past date", http.Header{"Retry-After": {"Fri, 31 Dec 1999 23:00:00 GMT"}}, 0, true},
	{"date by the server's clock", http.Header{"Retry-After": {"Fri, 31 Dec 2021 23:59:59 GMT"}, "Date": {"Fri, 31 Dec 2021 23:59:49 GMT"}}, 10 * time.Second, true},
	{"date and a bad Date", http.Header{"Retry-After": {"Fri, 31 Dec 1999 23:59:59 GMT"}, "Date": {"today"}}, 59 * time.Second, true},
	{"date without GMT", http.Header{"Retry-After": {"Fri, 31 Dec 1999 23:59:59 UTC"}}, 0, false},
	{"far date", http.Header{"Retry-After": {"Fri, 31 Dec 9999 23:59:59 GMT"}}, math.MaxInt64, true},
	{"the longest of several", http.Header{"Retry-After": {"3", "x", "5", "4"}}, 5 * time.Second, true},
	{"milliseconds", http.Header{"Retry-After-Ms": {"1500"}}, 1500 * time.Millisecond, true},
	{"milliseconds with fraction", http.Header{"Retry-After-Ms": {"0.5"}}, 500 * time.Microsecond, true},
	{"milliseconds go first", http.Header{"Retry-After-Ms": {"250"}, "Retry-After": {"1"}}, 250 * time.Millisecond, true},
	{"bad milliseconds", http.Header{"Retry-After-Ms": {"NaN"}, "Retry-After": {"1"}}, time.Second, true},
	{"two points", http.Header{"Retry-After-Ms": {"1.2.3"}}, 0, false},
	{"only a point", http.Header{"Retry-After-Ms": {"."}}, 0, false},
	{"milliseconds overflow", http.Header{"Retry-After-Ms": {"9223372036855"}}, math.MaxInt64, true},
}

func make9s(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = '9'
	}
	return b
}

var testNow = time.Date(1999, time.December, 31, 23, 59, 0, 0, time.UTC)

func TestWait(t *testing.T) {
	for _, c := range waits {
		got, ok := Wait(c.header, testNow)
		assert.Equal(t, c.want, got, c.name)
		assert.Equal(t, c.ok, ok, c.name)
	}
}

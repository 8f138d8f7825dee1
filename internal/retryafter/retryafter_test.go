package retryafter

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

const longest = time.Duration(math.MaxInt64)

func after(values ...string) http.Header { return http.Header{"Retry-After": values} }

var waits = []struct {
	name   string
	header http.Header
	want   time.Duration
	ok     bool
}{
	{"none", http.Header{}, 0, false},
	{"nil", nil, 0, false},
	{"seconds", after("120"), 2 * time.Minute, true},
	{"zero", after("0"), 0, true},
	{"zeros", after("0000000000000000000000000000000000005"), 5 * time.Second, true},
	{"spaces around", after(" 7 "), 7 * time.Second, true},
	{"the longest of several", after("3", "x", "5", "4"), 5 * time.Second, true},
	{"a list", after("3, 5,4"), 5 * time.Second, true},
	{"a list, one part malformed", after("3, x"), 3 * time.Second, true},
	{"a number and a date", after("3", "Fri, 31 Dec 1999 23:59:59 GMT"), 59 * time.Second, true},

	{"fraction (Shopify)", after("2.0"), 2 * time.Second, true},
	{"fraction", after("1.5"), 1500 * time.Millisecond, true},
	{"fraction, rounded up", after("1.2340000001"), 1235 * time.Millisecond, true},
	{"fraction of 0.1", after("0.1"), 100 * time.Millisecond, true},
	{"least fraction", after("0." + strings.Repeat("0", 400) + "1"), time.Millisecond, true},
	{"zero fraction", after("0." + strings.Repeat("0", 400)), 0, true},
	{"nothing after the point", after("3."), 3 * time.Second, true},
	{"nothing before the point", after(".5"), 0, false},
	{"only a point", after("."), 0, false},
	{"two points", after("1.2.3"), 0, false},
	{"comma", after("1,5"), 5 * time.Second, true},

	{"Go's duration", after("2.0s"), 2 * time.Second, true},
	{"Go's duration, long", after("1h2m3.5s"), time.Hour + 2*time.Minute + 3500*time.Millisecond, true},
	{"Go's duration, least", after("1ns"), time.Millisecond, true},

	{"empty", after(""), 0, false},
	{"no value", after(), 0, false},
	{"words", after("soon"), 0, false},
	{"number and words", after("5 seconds"), 0, false},
	{"negative", after("-1"), 0, false},
	{"negative zero", after("-0"), 0, false},
	{"plus sign", after("+5"), 0, false},
	{"exponent", after("1e9"), 0, false},
	{"exponent, negative", after("1e-9"), 0, false},
	{"hexadecimal", after("0x10"), 0, false},
	{"hexadecimal digits", after("1f"), 0, false},
	{"underscore", after("1_000"), 0, false},
	{"infinite", after("Inf"), 0, false},
	{"not a number", after("NaN"), 0, false},
	{"other digits", after("٣"), 0, false},
	{"null", after("null"), 0, false},

	{"most seconds", after("9223372036"), 9223372036 * time.Second, true},
	{"overflows Duration", after("9223372037"), longest, true},
	{"overflows Duration by its fraction", after("9223372036.9"), longest, true},
	{"wraps around to little", after("18446744074"), longest, true}, // ·1e9 is 290 ms modulo 2⁶⁴
	{"overflows uint64", after("18446744073709551616"), longest, true},
	{"overflows uint64, a digit more", after("99999999999999999999999"), longest, true},
	{"overflows float64", after("1" + strings.Repeat("9", 400)), longest, true},

	{"milliseconds", http.Header{"Retry-After-Ms": {"1500"}}, 1500 * time.Millisecond, true},
	{"milliseconds with fraction", http.Header{"Retry-After-Ms": {"0.5"}}, time.Millisecond, true},
	{"milliseconds with spaces", http.Header{"Retry-After-Ms": {" 20 "}}, 20 * time.Millisecond, true},
	{"milliseconds, two lines", http.Header{"Retry-After-Ms": {"20", "30"}}, 30 * time.Millisecond, true},
	{"milliseconds go first", http.Header{"Retry-After-Ms": {"250"}, "Retry-After": {"1"}}, 250 * time.Millisecond, true},
	{"zero milliseconds don't", http.Header{"Retry-After-Ms": {"0"}, "Retry-After": {"1"}}, time.Second, true},
	{"zero milliseconds alone", http.Header{"Retry-After-Ms": {"0"}}, 0, true},
	{"bad milliseconds", http.Header{"Retry-After-Ms": {"NaN"}, "Retry-After": {"1"}}, time.Second, true},
	{"negative milliseconds", http.Header{"Retry-After-Ms": {"-5"}}, 0, false},
	{"a date for milliseconds", http.Header{"Retry-After-Ms": {"Fri, 31 Dec 1999 23:59:59 GMT"}}, 0, false},
	{"milliseconds overflow", http.Header{"Retry-After-Ms": {"9223372036855"}}, longest, true},
	{"Azure Cosmos DB", http.Header{"X-Ms-Retry-After-Ms": {"53"}}, 53 * time.Millisecond, true},
	{"Azure Cosmos DB and Retry-After", http.Header{"X-Ms-Retry-After-Ms": {"53"}, "Retry-After": {"1"}}, 53 * time.Millisecond, true},
	{"Azure Cosmos DB, by its Gremlin", http.Header{"X-Ms-Retry-After-Ms": {"00:00:09.0530000"}}, 0, false},
	{"AWS", http.Header{"X-Amz-Retry-After": {"1500"}}, 1500 * time.Millisecond, true},
	{"AWS, malformed", http.Header{"X-Amz-Retry-After": {"invalid"}}, 0, false},
	{"two of them", http.Header{"X-Amz-Retry-After": {"1500"}, "Retry-After-Ms": {"15"}}, 1500 * time.Millisecond, true},
}

var testNow = time.Date(1999, time.December, 31, 23, 59, 0, 0, time.UTC)

func TestWait(t *testing.T) {
	for _, c := range waits {
		got, ok := Wait(c.header, testNow)
		assert.Equal(t, c.want, got, c.name)
		assert.Equal(t, c.ok, ok, c.name)
	}
}

// dates have the time until each; -1 means that it is ignored. The first ones are
// what RFC 9110, section 5.6.7, allows.
var dates = []struct {
	value string
	want  time.Duration
}{
	{"Fri, 31 Dec 1999 23:59:59 GMT", 59 * time.Second},
	{"Friday, 31-Dec-99 23:59:59 GMT", 59 * time.Second},
	{"Fri Dec 31 23:59:59 1999", 59 * time.Second},
	{"Sat Jan  1 00:00:05 2000", 65 * time.Second},
	{"Fri, 31 Dec 1999 23:59:60 GMT", time.Minute},
	{"Friday, 31-Dec-99 23:59:60 GMT", time.Minute},
	{"Fri Dec 31 23:59:60 1999", time.Minute},
	{"Fri, 31 Dec 1999 23:00:00 GMT", 0},
	{"Fri, 31 Dec 9999 23:59:59 GMT", longest},
	{"Mon, 31 Dec 1999 23:59:59 GMT", 59 * time.Second}, // a wrong day of the week
	{"Thursday, 31-Dec-48 23:59:00 GMT", time.Date(2048, time.December, 31, 23, 59, 0, 0, time.UTC).Sub(testNow)},
	{"Friday, 31-Dec-50 23:59:59 GMT", 0}, // 1950, since 2050 is more than 50 years ahead

	{"Fri, 31 Dec 1999 23:59:59 UTC", 59 * time.Second}, // time.RFC1123
	{"Fri, 31 Dec 1999 23:59:59 UT", 59 * time.Second},
	{"Fri, 31 Dec 1999 23:59:59 Z", 59 * time.Second},
	{"Fri, 31 Dec 1999 23:59:59 +0000", 59 * time.Second}, // time.RFC1123Z
	{"Fri, 31 Dec 1999 23:59:59 -0000", 59 * time.Second},
	{"Sat, 01 Jan 2000 00:59:59 +0100", 59 * time.Second},
	{"Fri, 31 Dec 1999 18:59:59 -0500", 59 * time.Second},
	{"Sat, 1 Jan 2000 00:00:05 GMT", 65 * time.Second},
	{"Sat, 1 Jan 2000 00:00:05 UTC", 65 * time.Second},
	{"fri, 31 dec 1999 23:59:59 gmt", 59 * time.Second},
	{"FRI, 31 DEC 1999 23:59:59 utc", 59 * time.Second},
	{"friday, 31-dec-99 23:59:59 gmt", 59 * time.Second},
	{"Friday, 31-Dec-99 23:59:59 UTC", 59 * time.Second}, // time.RFC850
	{"31 Dec 1999 23:59:59 GMT", 59 * time.Second},
	{"Fri, 31-Dec-1999 23:59:59 GMT", 59 * time.Second},
	{"Fri Dec 31 23:59:59 UTC 1999", 59 * time.Second}, // time.UnixDate
	{"1999-12-31T23:59:59Z", 59 * time.Second},
	{"1999-12-31t23:59:59z", 59 * time.Second},
	{"2000-01-01T00:59:59+01:00", 59 * time.Second},
	{"1999-12-31T23:59:58.999001Z", 59 * time.Second},
	{"1999-12-31T23:59Z", time.Minute},

	{"Fri, 31 Dec 1999 23:59:59", -1},
	{"Fri, 31 Dec 1999 23:59:59 EST", -1},
	{"Fri, 31 Dec 1999 23:59:59 CET", -1},
	{"Friday, 31-Dec-99 23:59:59 EST", -1},
	{"Fri, 31 Dec 1999 23:59:61 GMT", -1},
	{"Fri, 31 Dec 1999 24:00:00 GMT", -1},
	{"Fri, 32 Dec 1999 23:59:59 GMT", -1},
	{"Fri, 30 Feb 1999 23:59:59 GMT", -1},
	{"Fri, 31 Dez 1999 23:59:59 GMT", -1},
	{"Fri, 31 Dec 1999 23:59:59 GMT, Fri, 31 Dec 1999 23:59:59 GMT", -1},
	{"1999-12-31T23:59:59", -1},
	{"1999-12-31", -1},
	{"23:59:59", -1},
	{":60", -1},
	{"x:", -1},
	{"Fri, 31 Dec 1999 23:59:59 GMT" + strings.Repeat(" ", 1<<20) + "x", -1},
}

func TestDates(t *testing.T) {
	for _, c := range dates {
		got, ok := Wait(after(c.value), testNow)
		if !ok {
			assert.Zero(t, got, c.value)
			got = -1
		}
		assert.Equal(t, c.want, got, c.value)
	}
}

// A date counts from the server's own, in whatever form that comes.
func TestServersClock(t *testing.T) {
	const at = "Fri, 31 Dec 2021 23:59:59 GMT"
	for date, want := range map[string]time.Duration{
		"Fri, 31 Dec 2021 23:59:49 GMT":   10 * time.Second,
		"Fri, 31 Dec 2021 23:59:49 UTC":   10 * time.Second,
		"Friday, 31-Dec-21 23:59:49 GMT":  10 * time.Second,
		" fri, 31 dec 2021 23:59:49 gmt ": 10 * time.Second,
		"Fri, 31 Dec 2021 23:59:59 GMT":   0,
		"Sat, 01 Jan 2022 00:00:09 GMT":   0,
	} {
		got, ok := Wait(http.Header{"Retry-After": {at}, "Date": {date}}, testNow)
		assert.True(t, ok, date)
		assert.Equal(t, want, got, date)
	}
	for _, date := range []string{"", "today", "Fri, 31 Dec 2021 23:59:49 EST"} {
		got, ok := Wait(http.Header{"Retry-After": {"Fri, 31 Dec 1999 23:59:59 GMT"}, "Date": {date}}, testNow)
		assert.True(t, ok, date)
		assert.Equal(t, 59*time.Second, got, date)
	}
	// The clock here has more digits than the server's dates.
	got, _ := Wait(after("Fri, 31 Dec 1999 23:59:59 GMT"), testNow.Add(999_999_999))
	assert.Equal(t, 58*time.Second+time.Millisecond, got)
}

// A response without such headers costs nothing.
func TestWaitCost(t *testing.T) {
	plain := http.Header{"Date": {"Fri, 31 Dec 1999 23:59:59 GMT"}, "Content-Type": {"text/plain"}}
	asking := http.Header{"Retry-After": {"1.5"}}
	assert.Zero(t, testing.AllocsPerRun(100, func() { Wait(plain, testNow) }))
	assert.Zero(t, testing.AllocsPerRun(100, func() { Wait(asking, testNow) }))
}

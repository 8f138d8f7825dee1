package retryafter

import (
	"math/big"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// FuzzWait holds the wait to one in exact arithmetic.
func FuzzWait(f *testing.F) {
	for _, c := range waits {
		second := ""
		if lines := c.header["Retry-After"]; len(lines) > 1 {
			second = lines[1]
		}
		f.Add(c.header.Get("Retry-After"), second, c.header.Get("Retry-After-Ms"), c.header.Get("Date"))
	}
	f.Add("3", "5", "", "")
	f.Add("", "", "0.3", "")
	f.Add("", "", "0.0000015", "") // 1.5 ns
	f.Fuzz(func(t *testing.T, first, second, ms, date string) {
		h := http.Header{"Retry-After": {first, second}, "Retry-After-Ms": {ms}, "Date": {date}}
		got, ok := Wait(h, testNow)
		want, wantOK := slowWait(h, testNow)
		if ok != wantOK || !near(got, want) {
			t.Fatalf("%q: got %v %v, want %s ns %v", h, got, ok, want.FloatString(3), wantOK)
		}
		h["Retry-After"] = []string{second, first}
		if other, otherOK := Wait(h, testNow); other != got || otherOK != ok {
			t.Fatalf("%q: got %v %v, and %v %v in the other order", h, got, ok, other, otherOK)
		}
	})
}

// near reports whether got is want rounded up, as far as a float64 can tell. It
// may be less than a part in 2⁵² too early.
func near(got time.Duration, want *big.Rat) bool {
	off := new(big.Rat).SetInt64(int64(got))
	off.Sub(off, want)
	room := new(big.Rat).Mul(want, big.NewRat(1, 1<<52))
	latest := new(big.Rat).Add(room, big.NewRat(1, 1))
	return got >= 0 && off.Cmp(room.Neg(room)) >= 0 && off.Cmp(latest) < 0
}

var (
	milliseconds = regexp.MustCompile(`\A[0-9]+(\.[0-9]*)?\z`)
	onlyDigits   = regexp.MustCompile(`\A[0-9]+\z`)
)

// slowWait returns the wait that h asks for, in nanoseconds and at most the
// longest Duration, and whether it asks for one.
func slowWait(h http.Header, now time.Time) (longest *big.Rat, found bool) {
	longest = new(big.Rat)
	note := func(wait *big.Rat, unit time.Duration) {
		found = true
		most := big.NewRat(1<<63-1, 1)
		if wait.Mul(wait, big.NewRat(int64(unit), 1)); wait.Cmp(most) > 0 {
			wait = most
		}
		if wait.Cmp(longest) > 0 {
			longest = wait
		}
	}
	if ms := h.Get("Retry-After-Ms"); milliseconds.MatchString(ms) {
		wait, _ := new(big.Rat).SetString(strings.TrimSuffix(ms, "."))
		note(wait, time.Millisecond)
		return longest, found
	}
	for _, v := range h["Retry-After"] {
		v = strings.TrimSpace(v)
		if onlyDigits.MatchString(v) {
			wait, _ := new(big.Rat).SetString(v)
			note(wait, time.Second)
		} else if at, err := http.ParseTime(v); err == nil {
			from, err := http.ParseTime(h.Get("Date"))
			if err != nil {
				from = now
			}
			wait := new(big.Rat).SetInt64(at.Unix() - from.Unix())
			note(wait.Add(wait, big.NewRat(int64(at.Nanosecond()-from.Nanosecond()), 1e9)), time.Second)
		}
	}
	return longest, found
}

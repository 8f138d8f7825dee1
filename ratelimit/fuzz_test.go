package ratelimit

import (
	"context"
	"math/big"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/retryafter"
)

// FuzzUsedUp holds the grammar to a parser that goes byte by byte.
func FuzzUsedUp(f *testing.F) {
	for _, c := range fields {
		f.Add(c.field)
	}
	f.Fuzz(func(t *testing.T, field string) {
		got, found := usedUp(field)
		want, wantFound := slowUsedUp(field)
		if found != wantFound || got != nanoseconds(new(big.Rat).SetInt64(want), time.Second) {
			t.Fatalf("%q: got %v %v, want %d s %v", field, got, found, want, wantFound)
		}
	})
}

// FuzzLimit holds the wait to one in exact arithmetic, and what counts as a
// Retry-After to what insist obeys.
func FuzzLimit(f *testing.F) {
	for _, c := range limits {
		get := c.header.Get
		f.Add(get("RateLimit"), get("X-RateLimit-Remaining"), get("X-RateLimit-Reset"), get("Retry-After"), get("Retry-After-Ms"), get("Date"))
	}
	f.Fuzz(func(t *testing.T, field, remaining, reset, after, ms, date string) {
		h := http.Header{
			"Ratelimit": {field}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset},
			"Retry-After": {after}, "Retry-After-Ms": {ms}, "Date": {date},
		}
		wait, limited := limit(h, now)
		if wait < 0 || wait > 0 && !limited {
			t.Fatalf("got %v %v", wait, limited)
		}
		obeyed := obeyedWait(t, http.Header{"Retry-After": {after}, "Retry-After-Ms": {ms}})
		if _, has := retryafter.Wait(h, now); obeyed > 0 && !has {
			t.Fatalf("insist obeys a Retry-After that is not seen: %q %q", after, ms)
		} else if has {
			if wait != 0 || !limited {
				t.Fatalf("got %v %v beside a Retry-After", wait, limited)
			}
			return
		}
		if want, wantLimited := slowLimit(field, remaining, reset, date); wait != want || limited != wantLimited {
			t.Fatalf("%q: got %v %v, want %v %v", h, wait, limited, want, wantLimited)
		}
	})
}

// obeyedWait is the wait that insist itself reads in a header; it is not begun.
func obeyedWait(t *testing.T, h http.Header) (wait time.Duration) {
	transport := insist.RetryTransport{
		Base: &answers{{StatusCode: 503, Header: h}, {StatusCode: 200}},
		Policy: insist.Policy{
			MaxRetryAfter: -1, MaxAttempts: 2, Backoff: insist.Constant(0),
			OnAttempt: func(_ context.Context, a insist.Attempt) { wait = max(wait, a.Wait) },
		},
	}
	req, err := http.NewRequest("GET", "http://api.example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = transport.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	return wait
}

var decimal = regexp.MustCompile(`\A[0-9]+(\.[0-9]*)?\z`)

// slowLimit reads the numbers in exact arithmetic. The other forms of a reset are
// read as in the package itself.
func slowLimit(field, remaining, reset, date string) (wait time.Duration, limited bool) {
	if n, ok := slowUsedUp(field); ok {
		wait, limited = nanoseconds(new(big.Rat).SetInt64(n), time.Second), true
	}
	count, negative := strings.CutPrefix(strings.TrimSpace(remaining), "-")
	if !decimal.MatchString(count) || !negative && strings.Trim(count, "0.") != "" {
		return wait, limited
	}
	other, ok := slowReset(strings.TrimSpace(reset), strings.TrimSpace(date))
	if !ok || negative && other == 0 {
		return wait, limited
	}
	return max(wait, other), true
}

func slowReset(reset, date string) (time.Duration, bool) {
	from, ok := retryafter.Date(date, now)
	if !ok {
		from = now
	}
	if !decimal.MatchString(reset) {
		if wait, ok := retryafter.Span(reset); ok {
			return wait, true
		}
		at, ok := retryafter.Date(reset, now)
		return nanoseconds(big.NewRat(max(0, int64(at.Sub(from))), 1), 1), ok
	}
	n, _ := new(big.Rat).SetString(strings.TrimSuffix(reset, "."))
	n.Mul(n, big.NewRat(1000, 1))
	n.SetInt(up(n)) // in milliseconds
	start := big.NewRat(from.UnixNano(), 1e6)
	switch {
	case n.Cmp(big.NewRat(1e9*1000, 1)) <= 0:
	case nanoseconds(n, time.Millisecond) < longest:
		n.Sub(n, start)
	case n.Cmp(big.NewRat(1e11*1000, 1)) <= 0:
		return longest, true
	default:
		n.Quo(n, big.NewRat(1000, 1))
		n.SetInt(up(n))
		if nanoseconds(n, time.Millisecond) == longest {
			return longest, true // as in seconds: the year 2262 and later
		}
		n.Sub(n, start)
	}
	if n.Sign() < 0 {
		n.SetInt64(0)
	}
	return nanoseconds(n, time.Millisecond), true
}

// nanoseconds returns n units, rounded up to the millisecond, or the longest Duration.
func nanoseconds(n *big.Rat, unit time.Duration) time.Duration {
	ms := up(new(big.Rat).Mul(n, big.NewRat(int64(unit), 1e6)))
	if ms.Mul(ms, big.NewInt(1e6)); !ms.IsInt64() {
		return longest
	}
	return time.Duration(ms.Int64())
}

func up(n *big.Rat) *big.Int {
	whole, rest := new(big.Int).QuoRem(n.Num(), n.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	return whole
}

// fieldReader parses a list as RFC 9651, section 4.2, tells it.
type fieldReader struct{ rest string }

func slowUsedUp(field string) (longest int64, found bool) {
	r := fieldReader{field}
	r.skip(" ")
	for r.rest != "" {
		left, window, ok := r.limit()
		if !ok {
			return 0, false
		}
		if left == 0 && window >= 0 {
			longest, found = max(longest, window), true
		}
		if r.skip(" \t"); r.rest == "" {
			break
		}
		if !r.take(",") {
			return 0, false
		}
		if r.skip(" \t"); r.rest == "" {
			return 0, false
		}
	}
	return longest, found
}

func (r *fieldReader) limit() (left, window int64, ok bool) {
	left, window = -1, -1
	if _, ok := r.bareItem(); !ok {
		return 0, 0, false
	}
	for r.take(";") {
		r.skip(" ")
		if r.rest == "" || !strings.Contains(lower+"*", r.rest[:1]) {
			return 0, 0, false
		}
		key, n := r.run(lower+digits+"_-.*"), int64(-1)
		if r.take("=") {
			if n, ok = r.bareItem(); !ok {
				return 0, 0, false
			}
		}
		if key == "r" {
			left = n
		} else if key == "t" {
			window = n
		}
	}
	return left, window, true
}

const (
	digits = "0123456789"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// bareItem returns a number that is not negative; any other value is -1.
func (r *fieldReader) bareItem() (n int64, ok bool) {
	switch {
	case r.rest == "":
		return 0, false
	case r.take(`%"`):
		return -1, r.text(func() bool { return !r.take("%") || r.hex() }, `"%`)
	case r.take(`"`):
		return -1, r.text(func() bool { return !r.take(`\`) || r.one(`"\`) }, `"\`)
	case r.take(":"):
		r.run(upper + lower + digits + "+/=")
		return -1, r.take(":")
	case r.take("?"):
		return -1, r.one("01")
	case strings.Contains(upper+lower+"*", r.rest[:1]):
		r.run(upper + lower + digits + "!#$%&'*+-.^_`|~:/")
		return -1, true
	}
	date := r.take("@")
	negative := r.take("-")
	whole := r.run(digits)
	switch {
	case whole == "":
		return 0, false
	case !date && r.take("."):
		fraction := r.run(digits)
		return -1, len(whole) <= 12 && len(fraction) >= 1 && len(fraction) <= 3
	case len(whole) > 15:
		return 0, false
	}
	n, _ = strconv.ParseInt(whole, 10, 64)
	if date || negative && n > 0 {
		n = -1
	}
	return n, true
}

// text takes printable ASCII up to a quote; escape takes what except stands for.
func (r *fieldReader) text(escape func() bool, except string) bool {
	for !r.take(`"`) {
		before := len(r.rest)
		if !escape() {
			return false
		}
		if len(r.rest) < before {
			continue
		}
		if r.rest == "" || r.rest[0] < ' ' || r.rest[0] > '~' || strings.Contains(except, r.rest[:1]) {
			return false
		}
		r.rest = r.rest[1:]
	}
	return true
}

func (r *fieldReader) take(s string) (ok bool) {
	r.rest, ok = strings.CutPrefix(r.rest, s)
	return ok
}

func (r *fieldReader) skip(set string) { r.rest = strings.TrimLeft(r.rest, set) }

func (r *fieldReader) one(set string) bool {
	if r.rest == "" || !strings.Contains(set, r.rest[:1]) {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *fieldReader) hex() bool {
	const set = digits + "abcdef"
	first := r.one(set)
	return r.one(set) && first
}

func (r *fieldReader) run(set string) string {
	left := strings.TrimLeft(r.rest, set)
	took := r.rest[:len(r.rest)-len(left)]
	r.rest = left
	return took
}

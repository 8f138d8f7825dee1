package insist

import (
	"math/big"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzServerWait holds the wait to one in exact arithmetic.
func FuzzServerWait(f *testing.F) {
	for _, c := range serverWaits {
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
		got, ok := serverWait(h, testNow)
		want, wantOK := slowWait(h, testNow)
		if ok != wantOK || !near(got, want) {
			t.Fatalf("%q: got %v %v, want %s ns %v", h, got, ok, want.FloatString(3), wantOK)
		}
		h["Retry-After"] = []string{second, first}
		if other, otherOK := serverWait(h, testNow); other != got || otherOK != ok {
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

var rangeSyntax = regexp.MustCompile(`\A(?i:bytes) ([0-9]+)-([0-9]+)/([0-9]+|\*)\z`)

// FuzzContentRange holds the range to RFC 9110's grammar and to exact arithmetic.
func FuzzContentRange(f *testing.F) {
	for _, value := range []string{"bytes 0-9/10", "bytes 3-3/*", "BYTES 3-5/10", "bytes 5-3/10", "bytes 0-10/10",
		"bytes */10", "bytes 0-9", "bytes -9/10", "bytes 0-9/-1", "bytes +1-9/10", "bytes 0-9/", "bytes  0-9/10",
		"bytes=0-9/10", "items 0-9/10", "bytes 0-4611686018427387903/*", "bytes 0-4611686018427387904/*", ""} {
		f.Add(value)
	}
	limit := new(big.Int).Lsh(big.NewInt(1), 62)
	f.Fuzz(func(t *testing.T, value string) {
		got, ok := contentRange(http.Header{"Content-Range": {value}})
		parts := rangeSyntax.FindStringSubmatch(value)
		if parts == nil {
			if ok {
				t.Fatalf("%q: got %v", value, got)
			}
			return
		}
		first, _ := new(big.Int).SetString(parts[1], 10)
		last, _ := new(big.Int).SetString(parts[2], 10)
		total, known := new(big.Int).SetString(parts[3], 10)
		valid := first.Cmp(last) <= 0 && last.Cmp(limit) < 0 && (!known || last.Cmp(total) < 0 && total.Cmp(limit) < 0)
		if ok != valid {
			t.Fatalf("%q: got %v %v, want valid %v", value, got, ok, valid)
		}
		if !ok {
			return
		}
		want := span{first.Int64(), last.Int64() + 1, -1}
		if known {
			want.total = total.Int64()
		}
		if got != want {
			t.Fatalf("%q: got %v, want %v", value, got, want)
		}
	})
}

// FuzzIsStream holds the reading of a Content-Type to package mime's, where that
// can read it. Neither parameters nor case matter, whether it can or not.
func FuzzIsStream(f *testing.F) {
	for _, media := range append(streams, "application/json", "text/plain", "application/jsonp", "application/octet-stream") {
		f.Add(media, "")
		f.Add(strings.ToUpper(media), "; charset=utf-8")
		f.Add(" "+media+"\t", `;a="b;c" ; A=d`)
	}
	f.Fuzz(func(t *testing.T, media, parameters string) {
		media, _, _ = strings.Cut(media, ";")
		parameters = ";" + parameters
		got := isStream(media)
		if isStream(media+parameters) != got {
			t.Fatalf("%q: %v, but not with %q", media, got, parameters)
		}
		if isStream(asciiUpper(media)) != got {
			t.Fatalf("%q: %v, but not in upper case", media, got)
		}
		parsed, _, err := mime.ParseMediaType(media + parameters)
		if err != nil {
			return
		}
		want := slices.Contains(streams, parsed)
		for _, kind := range streamKinds {
			want = want || strings.HasPrefix(parsed, kind)
		}
		if got != want {
			t.Fatalf("%q: got %v, want %v", media+parameters, got, want)
		}
	})
}

var (
	streams = []string{"text/event-stream", "application/x-ndjson", "application/ndjson", "application/jsonl",
		"application/json-seq", "application/stream+json"}
	streamKinds = []string{"multipart/", "application/grpc", "application/connect+", "audio/", "video/", "image/"}
)

func asciiUpper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

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
	for _, c := range dates {
		f.Add(c.value, "", "", "Fri, 31 Dec 1999 23:59:49 UTC")
	}
	f.Add("3", "5", "", "")
	f.Add("", "", "0.3", "")
	f.Add("", "", "0.0000015", "") // 1.5 ns
	f.Fuzz(func(t *testing.T, first, second, ms, date string) {
		h := http.Header{"Retry-After": {first, second}, "Retry-After-Ms": {ms}, "Date": {date}}
		got, ok := Wait(h, testNow)
		want, wantOK := slowWait(h, testNow)
		if ok != wantOK || got != want {
			t.Fatalf("%q: got %v %v, want %v %v", h, got, ok, want, wantOK)
		}
		h["Retry-After"] = []string{second, first}
		if other, otherOK := Wait(h, testNow); other != got || otherOK != ok {
			t.Fatalf("%q: got %v %v, and %v %v in the other order", h, got, ok, other, otherOK)
		}
	})
}

// FuzzDate writes a time in each form and reads it back.
func FuzzDate(f *testing.F) {
	f.Add(int64(946684799), uint8(0), false)
	f.Add(int64(1767225600), uint8(3), true)
	f.Fuzz(func(t *testing.T, unix int64, form uint8, lower bool) {
		at := time.Unix(unix, 0).UTC()
		if at.Year() < 0 || at.Year() > 9999 {
			return
		}
		layouts := []string{
			http.TimeFormat, time.RFC850, time.ANSIC, time.RFC1123, time.RFC1123Z, time.UnixDate, time.RFC3339,
			"Mon, 2 Jan 2006 15:04:05 MST", "Mon, 02-Jan-2006 15:04:05 GMT", "2 Jan 2006 15:04:05 MST",
		}
		layout := layouts[int(form)%len(layouts)]
		v := at.Format(layout)
		if lower {
			v = strings.ToLower(v)
		}
		got, ok := Date(v, at)
		if !ok || !got.Equal(at) {
			t.Fatalf("%q: got %v %v, want %v", v, got, ok, at)
		}
	})
}

var (
	decimal = regexp.MustCompile(`\A[0-9]+(\.[0-9]*)?\z`)
	span    = regexp.MustCompile(`\A(?:[0-9]+(?:\.[0-9]*)?(?:h|m|s|ms|us|µs|μs|ns))+\z`)
	part    = regexp.MustCompile(`([0-9]+(?:\.[0-9]*)?)([a-zµμ]+)`)
)

var units = map[string]int64{"h": 3600e9, "m": 60e9, "s": 1e9, "ms": 1e6, "us": 1e3, "µs": 1e3, "μs": 1e3, "ns": 1}

// slowWait returns the wait that h asks for, and whether it asks for one.
func slowWait(h http.Header, now time.Time) (wait time.Duration, found bool) {
	most := new(big.Rat)
	note := func(ns *big.Rat) {
		if found = true; ns.Cmp(most) > 0 {
			most = ns
		}
	}
	if ms := strings.TrimSpace(h.Get("Retry-After-Ms")); decimal.MatchString(ms) {
		if note(product(ms, 1e6)); most.Sign() > 0 {
			return up(most), true
		}
	}
	for _, v := range h["Retry-After"] {
		number := false
		for _, p := range strings.Split(strings.TrimSpace(v), ",") {
			switch p = strings.TrimSpace(p); {
			case decimal.MatchString(p):
				note(product(p, 1e9))
				number = true
			case span.MatchString(p):
				sum := new(big.Rat)
				for _, m := range part.FindAllStringSubmatch(p, -1) {
					ns, rest := new(big.Int), new(big.Int)
					p := product(m[1], units[m[2]])
					if ns.QuoRem(p.Num(), p.Denom(), rest); rest.Sign() > 0 {
						ns.Add(ns, big.NewInt(1))
					}
					sum.Add(sum, new(big.Rat).SetInt(ns))
				}
				note(sum)
				number = true
			}
		}
		if at, ok := Date(strings.TrimSpace(v), now); ok && !number {
			from, ok := Date(strings.TrimSpace(h.Get("Date")), now)
			if !ok {
				from = now
			}
			ns := big.NewRat(at.Unix()-from.Unix(), 1)
			ns.Mul(ns, big.NewRat(1e9, 1)).Add(ns, big.NewRat(int64(at.Nanosecond()-from.Nanosecond()), 1))
			note(ns)
		}
	}
	return up(most), found
}

func product(number string, unit int64) *big.Rat {
	n, ok := new(big.Rat).SetString(strings.TrimSuffix(number, "."))
	if !ok {
		panic(number)
	}
	return n.Mul(n, big.NewRat(unit, 1))
}

// up rounds up to the millisecond, or down to the longest Duration.
func up(ns *big.Rat) time.Duration {
	ms := new(big.Rat).Quo(ns, big.NewRat(1e6, 1))
	whole, rest := new(big.Int).QuoRem(ms.Num(), ms.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	if whole.Mul(whole, big.NewInt(1e6)); !whole.IsInt64() {
		return longest
	}
	return time.Duration(whole.Int64())
}

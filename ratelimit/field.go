package ratelimit

import (
	"math"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// The grammar of structured fields (RFC 9651, section 3), as far as a list of
// items with parameters needs it.
const (
	bareItem = `(?:-?\d{1,12}\.\d{1,3}` + // decimal
		`|@?-?\d{1,15}` + // integer, date
		`|"(?:[ !#-\[\]-~]|\\["\\])*"` + // string
		`|%"(?:[ !#$&-~]|%[0-9a-f]{2})*"` + // display string
		"|[A-Za-z*][!#$%&'*+.^_`|~\\w:/-]*" + // token
		`|:[A-Za-z0-9+/=]*:|\?[01])` // bytes, boolean
	parameter = `; *([a-z*][a-z0-9_.*-]*)(?:=(` + bareItem + `))?`
	item      = bareItem + `(?:` + parameter + `)*`
)

// grammar compiles the grammar when the first field is parsed.
var grammar = sync.OnceValue(func() (g struct{ list, item, bareItem, parameter *regexp.Regexp }) {
	g.list = regexp.MustCompile(`\A *` + item + `(?:[ \t]*,[ \t]*` + item + `)*[ \t]*\z`)
	g.item = regexp.MustCompile(item)
	g.bareItem = regexp.MustCompile(`\A` + bareItem)
	g.parameter = regexp.MustCompile(parameter)
	return g
})

// usedUp reads a RateLimit field. It returns the longest window of the limits that have
// nothing left (r=0), and whether there is such a limit. If a field does not match the
// grammar, it is ignored completely.
func usedUp(field string) (longest time.Duration, found bool) {
	if field == "" || !grammar().list.MatchString(field) {
		return 0, false
	}
	for _, limit := range grammar().item.FindAllString(field, -1) {
		left, window := int64(-1), int64(-1)
		parameters := limit[len(grammar().bareItem.FindString(limit)):]
		for _, p := range grammar().parameter.FindAllStringSubmatch(parameters, -1) {
			switch p[1] { // of several with the same name the last one counts
			case "r":
				left = integer(p[2])
			case "t":
				window = integer(p[2])
			}
		}
		if left == 0 && window >= 0 {
			longest, found = max(longest, seconds(window)), true
		}
	}
	return longest, found
}

// integer returns the number that value is, or -1 if it is not an integer.
func integer(value string) int64 {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// seconds returns n seconds, at most the longest Duration. An absurdly long wait must be
// refused; if it overflowed, it would become no wait at all.
func seconds(n int64) time.Duration {
	if n > math.MaxInt64/int64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(n) * time.Second
}

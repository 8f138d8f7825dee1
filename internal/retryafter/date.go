package retryafter

import (
	"net/http"
	"strings"
	"time"
)

const rfc850 = "Monday, 2-Jan-06 15:04:05 -0700"

// Date parses an HTTP-date (RFC 9110, section 5.6.7) in each of its three forms, and these
// variants, which servers send instead:
//
//   - UTC, UT or Z for GMT (time.RFC1123 prints UTC), or an offset (+0000);
//   - a day of one digit, no day of the week, lower case;
//   - hyphens as in a cookie's date, with a year of four digits;
//   - the output of date -u (time.UnixDate);
//   - a timestamp of RFC 3339, with seconds or without.
//
// Other names of time zones are refused, since their offset is not known. (So
// http.ParseTime can't be used: it reads "Friday, 31-Dec-99 23:59:59 EST" as GMT.)
func Date(v string, now time.Time) (time.Time, bool) {
	if at, err := time.Parse(http.TimeFormat, v); err == nil {
		return at, true
	}
	if len(v) > 64 || !strings.Contains(v, ":") {
		return time.Time{}, false
	}
	v, leap := leapSecond(offset(strings.ToUpper(v)))
	for _, layout := range [...]string{
		"Mon, 2 Jan 2006 15:04:05 -0700",
		rfc850,
		time.ANSIC,
		"2 Jan 2006 15:04:05 -0700",
		"Mon, 2-Jan-2006 15:04:05 -0700",
		"Mon Jan _2 15:04:05 UTC 2006",
		"Mon Jan _2 15:04:05 GMT 2006",
		time.RFC3339,
	} {
		if at, err := time.Parse(layout, v); err == nil {
			if layout == rfc850 {
				at = century(at, now)
			}
			return at.Add(leap), true
		}
	}
	// Jira sends no seconds. The time may be anywhere in that minute, so use its end.
	if at, err := time.Parse("2006-01-02T15:04Z07:00", v); err == nil {
		return at.Add(time.Minute), true
	}
	return time.Time{}, false
}

// offset replaces a name of UTC at the end of v by +0000.
func offset(v string) string {
	for _, zone := range [...]string{" GMT", " UTC", " UT", " Z"} {
		if date, ok := strings.CutSuffix(v, zone); ok {
			return date + " +0000"
		}
	}
	return v
}

// leapSecond replaces second 60 by 59, and returns the difference. An HTTP-date may have a
// second 60, but package time refuses it.
func leapSecond(v string) (string, time.Duration) {
	i := strings.Index(v, ":")
	if i < 0 || !strings.HasPrefix(v[min(i+3, len(v)):], ":60") {
		return v, 0
	}
	return v[:i+3] + ":59" + v[i+6:], time.Second
}

// century corrects the century of a year of two digits. Package time always chooses a year
// from 1969 to 2068, but an HTTP-date means the latest such year that is not more than 50
// years in the future.
func century(at, now time.Time) time.Time {
	latest := now.AddDate(50, 0, 0)
	for ; at.After(latest); at = at.AddDate(-100, 0, 0) {
	}
	for next := at.AddDate(100, 0, 0); !next.After(latest); next = next.AddDate(100, 0, 0) {
		at = next
	}
	return at
}

package insist

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// String tells of the attempt in one line, safe to log:
//
//	503 after 12ms (status), wait 1s
func (a Attempt) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s after %v (%s)", a.result(), rounded(a.Duration), a.Reason)
	switch {
	case a.Retry:
		fmt.Fprintf(&b, ", wait %v", rounded(a.Wait))
	case a.Wait > 0 && a.Amended:
		fmt.Fprintf(&b, ", wait of %v cut short", rounded(a.Wait))
	case a.Wait > 0:
		fmt.Fprintf(&b, ", no wait of %v", rounded(a.Wait))
	}
	return b.String()
}

// result says what came of the attempt: a status, the class of its error, or
// both where a body broke off.
func (a Attempt) result() string {
	switch {
	case a.Status != 0 && a.Err != nil:
		return fmt.Sprintf("%d %s", a.Status, a.Class())
	case a.Status != 0:
		return fmt.Sprint(a.Status)
	case a.Err != nil:
		return a.Class()
	}
	return "value"
}

// String tells of all calls in one line, safe to log, for whoever asks why a call
// took so long:
//
//	GET api.example.com: 2 attempts in 1.092s: 503 after 12ms (status), wait 1s; 200 after 80ms (success)
//
// It has method and host of a request, but no path, query, header or body. Calls
// are separated by " | ".
func (r *Record) String() string {
	var calls []string
	for _, attempts := range r.Calls() {
		var took time.Duration
		var each []string
		for _, a := range attempts {
			took += a.Duration
			if a.Retry {
				took += a.Wait
			}
			each = append(each, a.String())
		}
		name, plural := "", "s"
		if a := attempts[0]; a.Method != "" {
			name = a.Method + " " + a.Host + ": "
		}
		if len(attempts) == 1 {
			plural = ""
		}
		calls = append(calls, fmt.Sprintf("%s%d attempt%s in %v: %s",
			name, len(attempts), plural, rounded(took), strings.Join(each, "; ")))
	}
	return cmp.Or(strings.Join(calls, " | "), "no attempts")
}

// rounded keeps of d what a reader cares for.
func rounded(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Microsecond)
}

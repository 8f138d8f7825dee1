package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// books is the result of comparing what callers saw with what servers did.
type books struct {
	calls, good, failed, canceled int
	done                          int // requests that servers carried out
	twice                         int // calls that were carried out more than once, as they may be
	refused                       int // POSTs that were, since HAProxy said that they were not; see one
	wrong                         []string
}

// deed is what servers did for a call.
type deed struct {
	times int
	other string // the sum of a body that is not as those before
	sum   string
}

// compare compares the two ledgers.
func compare(dir string) (*books, error) {
	deeds := map[int]deed{}
	b := new(books)
	err := lines(filepath.Join(dir, "done"), func(f []string) error {
		id, err := strconv.Atoi(f[0])
		if err != nil || len(f) != 2 {
			return fmt.Errorf("%q in the servers' ledger", f)
		}
		d := deeds[id]
		if d.times > 0 && d.sum != f[1] {
			d.other = f[1]
		}
		d.times++
		d.sum = f[1]
		deeds[id] = d
		b.done++
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = lines(filepath.Join(dir, "seen"), func(f []string) error {
		id, err := strconv.Atoi(f[0])
		if err != nil || len(f) < 4 {
			return fmt.Errorf("%q in the callers' ledger", f)
		}
		b.one(f[0], f[1], f[2], f[3], strings.Join(f[4:], " "), deeds[id])
		delete(deeds, id)
		return nil
	})
	if len(deeds) > 0 {
		b.fault("%d requests were carried out that nobody made", len(deeds))
	}
	return b, err
}

// haproxyRefuses is what HAProxy says over HTTP/2 of a request whose server closed a kept
// connection without a response, also if the server has carried it out. RFC 9113 (8.7) has
// it mean that nothing was done, so insist resends the request, and so does net/http.
const haproxyRefuses = "REFUSED_STREAM"

// one compares one call.
func (b *books) one(id, kind, outcome, want, how string, d deed) {
	b.calls++
	switch outcome {
	case "good":
		b.good++
		if d.times == 0 {
			b.fault("%s %s succeeded, but no server carried it out", id, kind)
		}
	case "canceled":
		b.canceled++
	default:
		b.failed++
	}
	switch {
	case d.times > 1 && kind == "post" && strings.HasPrefix(how, "haproxy, HTTP/2") && strings.Contains(how, haproxyRefuses):
		b.refused++
	case d.times > 1 && kind == "post":
		b.fault("%s %s was carried out %d times: %s", id, kind, d.times, how)
	case d.times > 1:
		b.twice++
	}
	if d.times > 0 && (d.sum != want || d.other != "") {
		b.fault("%s %s: the body %s, and %q, arrived in place of %s", id, kind, d.sum, d.other, want)
	}
}

func (b *books) fault(format string, args ...any) {
	if len(b.wrong) < 20 {
		b.wrong = append(b.wrong, fmt.Sprintf(format, args...))
	}
}

func lines(name string, each func(fields []string) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		if err := each(strings.Fields(s.Text())); err != nil {
			return err
		}
	}
	return s.Err()
}

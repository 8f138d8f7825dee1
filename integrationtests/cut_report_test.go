package integrationtests

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/seed-552c89fc/insist/internal/servertest"
)

// report counts how cuts ended.
type report struct {
	mu       sync.Mutex
	lines    []string
	counts   map[string]*count
	hits     []int // by known fault
	failures []string
	parts    int // of the test that have run
}

// count is one line of the table.
type count struct {
	tried  int
	ended  [endings]int
	known  int
	failed int
}

func newReport() *report {
	return &report{counts: make(map[string]*count), hits: make([]int, len(knownFaults))}
}

// add puts a result on record.
func (r *report) add(s *scenario, res result, cuts ...servertest.CutAt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fails, hits := false, false
	for _, f := range res.faults {
		i := known(s, f, &res)
		if i < 0 {
			fails = true
			continue
		}
		hits = true
		r.hits[i]++
	}
	where := fmt.Sprintf("%v %v\t%v", version(s.protocol), s.conn, cuts[0].Way)
	if len(cuts) > 1 {
		where = fmt.Sprintf("%v %v\tpairs", version(s.protocol), s.conn)
	}
	r.count(where, res.ending, fails, hits)
	r.count("\t"+s.request(), res.ending, fails, hits)
	if fails {
		r.failures = append(r.failures, fmt.Sprintf("%v, %v: %v", s, cuts, &res))
	}
}

// begin notes that a part of the test runs.
func (r *report) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parts++
}

func (r *report) count(line string, e ending, fails, hits bool) {
	c := r.counts[line]
	if c == nil {
		c = new(count)
		r.counts[line] = c
		r.lines = append(r.lines, line)
	}
	c.tried++
	switch {
	case fails:
		c.failed++
	case hits:
		c.known++
	default:
		c.ended[e]++
	}
}

// mostFailures is how many are printed.
const mostFailures = 20

// finish prints the table. It fails the test for a fault that is not known, and
// for a known one that is none any more.
func (r *report) finish(t *testing.T) {
	for i, failure := range r.failures {
		if i == mostFailures {
			t.Errorf("and %d more", len(r.failures)-i)
			break
		}
		t.Error(failure)
	}
	slices.Sort(r.lines)
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	head := "cuts\tended well\tafter retries\tbody's error\terror\tknown faults\tfaults"
	total := new(count)
	print := func(line string, c *count) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", line, c.tried,
			c.ended[atOnce], c.ended[again], c.ended[truncated], c.ended[failed], c.known, c.failed)
	}
	fmt.Fprintf(w, "\n\trequest\t%s\n", head)
	for _, line := range r.lines {
		if strings.HasPrefix(line, "\t") {
			print(line, r.counts[line])
		}
	}
	fmt.Fprintf(w, "\nconnection\tcut\t%s\n", head)
	for _, line := range r.lines {
		if c := r.counts[line]; !strings.HasPrefix(line, "\t") {
			print(line, c)
			total.tried += c.tried
			total.known += c.known
			total.failed += c.failed
			for e, n := range c.ended {
				total.ended[e] += n
			}
		}
	}
	print("all\t", total)
	w.Flush()
	t.Log(b.String())
	for i, k := range knownFaults {
		t.Logf("known: %s: %d", k.why, r.hits[i])
		if r.hits[i] == 0 && r.parts == 6 && *only == "" && stride == 1 {
			t.Errorf("nothing fails any more by %q: remove the entry", k.why)
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist/proof/nethttp/between"
)

// finding is a suite in a mode.
type finding struct {
	suite  *suite
	mode   string
	counts map[string]int // of pass, fail and skip

	// differ are the tests that do not have the result of the pass-through, unlisted
	// those of them that differences.txt does not have, and gone the lines of it that
	// do not differ any more.
	differ, unlisted, gone []string

	// unsteady are tests that differed, and did not when they were run again.
	unsteady []string
}

// proof is what is run.
type proof struct {
	scratch string
	race    bool
	pattern string
	modes   []string // beside the pass-through
	suites  []*suite
	known   []known
	once    bool // what differs counts without being run again
	out     io.Writer
}

// again is how often a test is run alone in both modes before what was found counts.
const again = 4

// run runs all suites in all modes.
func (p *proof) run() (all []finding, err error) {
	over, err := newOverlay(p.scratch)
	if err != nil {
		return nil, err
	}
	for _, s := range p.suites {
		b, err := s.build(p.scratch, over, p.race)
		if err != nil {
			return nil, err
		}
		found, err := p.runSuite(b)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// runSuite runs the pass-through, and then the other modes.
func (p *proof) runSuite(b *binary) ([]finding, error) {
	first, base, err := p.runMode(b, between.Modes[0].Name, nil)
	if err != nil {
		return nil, err
	}
	found := make([]finding, len(p.modes))
	errs := make([]error, len(p.modes))
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(1, b.suite.modesAtOnce))
	for i, mode := range p.modes {
		slots <- struct{}{}
		wg.Go(func() {
			found[i], _, errs[i] = p.runMode(b, mode, base)
			<-slots
		})
	}
	wg.Wait()
	return append([]finding{first}, found...), errors.Join(errs...)
}

// runMode runs b in a mode, and compares the results with base, which is nil in the
// pass-through.
func (p *proof) runMode(b *binary, mode string, base results) (finding, results, error) {
	start := time.Now()
	f := finding{suite: b.suite, mode: mode, counts: map[string]int{}}
	b, err := b.apart(mode)
	if err != nil {
		return f, nil, err
	}
	listed, hanging := p.listed(b.suite, mode)
	r, err := b.run(mode, p.pattern, listed, hanging)
	if err != nil {
		return f, nil, err
	}
	for name, result := range r {
		if name != atEnd {
			f.counts[result]++
		}
	}
	if base != nil {
		if err := p.judge(b, &f, base, r); err != nil {
			return f, nil, err
		}
	}
	_, err = io.WriteString(p.out, f.report(time.Since(start)))
	return f, r, err
}

func (f *finding) report(took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s: %d pass, %d fail, %d skipped, %d differ (%s)\n", f.suite.pkg, f.mode,
		f.counts["pass"], f.counts["fail"], f.counts["skip"], len(f.differ), took.Round(time.Second))
	for what, tests := range map[string][]string{
		"not in differences.txt": f.unlisted, "in differences.txt, and does not differ": f.gone, "differed, and not again": f.unsteady,
	} {
		for _, test := range tests {
			fmt.Fprintf(&b, "\t%s: %s\n", what, test)
		}
	}
	return b.String()
}

// listed returns the tests that differences.txt has for this mode.
func (p *proof) listed(s *suite, mode string) (listed, hanging []string) {
	for _, k := range p.known {
		switch {
		case !k.covers(s.pkg, k.test, mode):
		case k.hangs:
			hanging = append(hanging, k.test)
		default:
			listed = append(listed, k.test)
		}
	}
	return listed, hanging
}

// judge compares r with base. What is not as listed is run again before it counts.
func (p *proof) judge(b *binary, f *finding, base, r results) error {
	f.differ = slices.DeleteFunc(differing(base, r), func(test string) bool { return p.isListed(f, test, true) })
	for _, test := range slices.Clone(f.differ) {
		if p.isListed(f, test, false) {
			continue
		}
		differs, count, err := p.confirm(b, f.mode, test)
		if err != nil {
			return err
		}
		if differs {
			f.unlisted = append(f.unlisted, test)
			continue
		}
		f.unsteady = append(f.unsteady, test+" ("+count+")")
		f.differ = slices.DeleteFunc(f.differ, func(t string) bool { return t == test })
	}
	for _, k := range p.known {
		if !k.covers(f.suite.pkg, k.test, f.mode) {
			continue
		}
		if base[k.test] == "" {
			if p.pattern == "" {
				f.gone = append(f.gone, k.test+" (there is no such test)")
			}
			continue
		}
		if k.sometimes ||
			slices.ContainsFunc(f.differ, func(test string) bool { return k.covers(f.suite.pkg, test, f.mode) }) {
			continue
		}
		differs, count, err := p.confirm(b, f.mode, k.test)
		if err != nil {
			return err
		}
		if !differs {
			f.gone = append(f.gone, k.test+" ("+count+")")
		}
	}
	return nil
}

// isListed reports whether differences.txt has the test for this mode, as one that differs
// always, or sometimes.
func (p *proof) isListed(f *finding, test string, sometimes bool) bool {
	return slices.ContainsFunc(p.known, func(k known) bool {
		return k.sometimes == sometimes && k.covers(f.suite.pkg, test, f.mode)
	})
}

// confirm runs the test alone in both modes, and reports whether it fails more often in
// this one, by at least half of the runs.
func (p *proof) confirm(b *binary, mode, test string) (differs bool, count string, err error) {
	if test == atEnd || p.once {
		return true, "", nil
	}
	failed := map[string]int{}
	for _, m := range []string{between.Modes[0].Name, mode} {
		for n := range again {
			done, err := b.process(m, exactly(test), "", silence)
			if err != nil {
				return false, "", err
			}
			if done.results[test] != "pass" {
				failed[m]++
			}
			if done.culprits != nil { // it hangs, or ends the process: that takes long, and does not pass
				failed[m] += again - 1 - n
				break
			}
		}
	}
	n, of := failed[mode], failed[between.Modes[0].Name]
	return n-of >= again/2, fmt.Sprintf("fails %d of %d times, in the pass-through %d", n, again, of), nil
}

// newScratch returns a new folder, and what removes it.
func newScratch() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "insist-nethttp-")
	return dir, func() { os.RemoveAll(dir) }, err
}

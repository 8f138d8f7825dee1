package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/seed-552c89fc/insist/proof/nethttp/between"
)

// results are pass, fail or skip, by the name of the test.
type results map[string]string

// atEnd stands for what a package finds after its tests: goroutines that are left over.
const atEnd = "(at the end)"

// A process that prints nothing for so long hangs, and is ended. The short time is for
// tests that are known to hang.
const (
	silence      = 2 * time.Minute
	silenceKnown = 20 * time.Second
)

// run runs the tests, of which pattern says the names, in a mode. Those that are listed
// run in a process of their own, so that the others all pass and net/http then looks for
// goroutines that are left over; the hanging ones in a process each.
func (b *binary) run(mode, pattern string, listed, hanging []string) (results, error) {
	names, err := b.list(pattern)
	if err != nil {
		return nil, err
	}
	chosen := func(test string) bool {
		top, _, _ := strings.Cut(test, "/")
		return slices.Contains(names, top)
	}
	all := results{}
	if err := b.runAll(all, mode, pattern, names, slices.Concat(listed, hanging)); err != nil {
		return nil, err
	}
	if err := b.runAlone(all, mode, slices.DeleteFunc(slices.Clone(listed), func(t string) bool { return !chosen(t) }), silence, 2); err != nil {
		return nil, err
	}
	return all, b.runAlone(all, mode, slices.DeleteFunc(slices.Clone(hanging), func(t string) bool { return !chosen(t) }), silenceKnown, len(hanging))
}

// runAll adds the results of the tests to all. If a test ends its process (by a panic, or
// since it hangs), another process runs those that had not ended. Only that one has their
// names: package testing compiles an expression for each of them at each test.
func (b *binary) runAll(all results, mode, pattern string, left, skipped []string) error {
	skipped = slices.AppendSeq(slices.Clone(skipped), maps.Keys(b.suite.leftOut))
	for pattern = cmp.Or(pattern, "."); len(left) > 0; pattern = exactly(left[:fitting(left)]...) {
		done, err := b.process(mode, pattern, exactly(skipped...), silence)
		if err != nil {
			return err
		}
		done.results.addTo(all)
		skipped = append(skipped, done.culprits...)
		before := len(left)
		left = slices.DeleteFunc(slices.Clone(left), func(n string) bool {
			return all[n] != "" || slices.Contains(skipped, n)
		})
		if len(left) == before && len(done.culprits) == 0 {
			return fmt.Errorf("%s, %s: the process ended without a result for %d tests, as %s", b.suite.pkg, mode, before, left[0])
		}
	}
	return nil
}

// fitting returns of how many of the tests the pattern fits into an argument. Linux has
// 128 KiB for one.
func fitting(tests []string) int {
	n := 0
	for i, test := range tests {
		if n += len(exactly(test)) + 1; n > 100_000 {
			return max(i, 1)
		}
	}
	return len(tests)
}

// runAlone runs each test in a process of its own, so many at a time, and adds the
// results to all.
func (b *binary) runAlone(all results, mode string, tests []string, silence time.Duration, atOnce int) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failure error
	slots := make(chan struct{}, max(1, atOnce))
	for _, test := range tests {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			done, err := b.process(mode, exactly(test), "", silence)
			mu.Lock()
			defer mu.Unlock()
			if failure = cmp.Or(failure, err); err == nil {
				delete(done.results, atEnd)
				done.results.addTo(all)
			}
		})
	}
	wg.Wait()
	return failure
}

func (r results) addTo(all results) {
	for name, result := range r {
		if name != atEnd || all[name] != "fail" {
			all[name] = result
		}
	}
}

// list returns the names of the tests at the top that match the pattern.
func (b *binary) list(pattern string) (names []string, err error) {
	c := command(b.dir, b.file, "-test.list", cmp.Or(pattern, "."))
	c.Env = append(os.Environ(), between.Variable+"="+between.Modes[0].Name)
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: -test.list: %w", b.suite.pkg, err)
	}
	for line := range strings.Lines(string(out)) {
		name := strings.TrimSpace(line)
		isTest := strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Example") || strings.HasPrefix(name, "Fuzz")
		if _, left := b.suite.leftOut[name]; isTest && !left {
			names = append(names, name)
		}
	}
	return names, nil
}

// ended is what a process has done.
type ended struct {
	results  results
	culprits []string // tests that had begun and not ended when the process ended; they have failed
}

// process runs the tests in one process.
func (b *binary) process(mode, pattern, skip string, silence time.Duration) (*ended, error) {
	tests := exec.Command(b.file, "-test.v=test2json", "-test.run="+pattern, "-test.skip="+skip, "-test.timeout=20m", "-test.paniconexit0")
	tests.Dir, tests.Env = b.dir, append(os.Environ(), between.Variable+"="+mode)
	text, err := tests.StdoutPipe()
	if err != nil {
		return nil, err
	}
	tests.Stderr = tests.Stdout
	events := exec.Command("go", "tool", "test2json", "-p", b.suite.pkg)
	events.Stdin, events.Stderr = text, os.Stderr
	out, err := events.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := tests.Start(); err != nil {
		return nil, err
	}
	if err := events.Start(); err != nil {
		_ = tests.Process.Kill()
		return nil, err
	}
	hung := time.AfterFunc(silence, func() { _ = tests.Process.Signal(syscall.SIGQUIT) })
	done, err := b.read(out, mode, func() { hung.Reset(silence) })
	_ = events.Wait()
	failed := tests.Wait() != nil
	hung.Stop()
	if err == nil && failed && !slices.Contains(slices.Collect(maps.Values(done.results)), "fail") {
		done.results[atEnd] = "fail"
	}
	return done, err
}

// read reads what test2json writes, and calls alive at each line.
func (b *binary) read(out io.Reader, mode string, alive func()) (*ended, error) {
	log, err := os.OpenFile(b.file+"."+mode+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	done := &ended{results: results{atEnd: "pass"}}
	begun := map[string]bool{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		alive()
		switch {
		case e.Action == "output":
			fmt.Fprint(log, e.Output)
		case e.Test == "":
		case e.Action == "run" || e.Action == "cont":
			begun[e.Test] = true
		case e.Action == "pause":
			delete(begun, e.Test)
		case e.Action == "pass" || e.Action == "fail" || e.Action == "skip":
			delete(begun, e.Test)
			done.results[e.Test] = e.Action
		}
	}
	for name := range begun {
		if !hasChild(begun, name) {
			done.culprits = append(done.culprits, name)
			done.results[name] = "fail"
		}
	}
	return done, lines.Err()
}

func hasChild[T any](names map[string]T, name string) bool {
	for other := range names {
		if strings.HasPrefix(other, name+"/") {
			return true
		}
	}
	return false
}

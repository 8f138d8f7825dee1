// Command nethttp runs the tests of net/http, and of packages that are built on it, with
// insist between each test and its RoundTripper, and writes what differs into README.md:
//
//	cd proof/nethttp && go run .
//
// With -package it runs one package, and writes what that has found. With -mode, -run,
// -race or -once it writes nothing.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/seed-552c89fc/insist/proof/nethttp/between"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	p := proof{out: os.Stdout}
	modes := flag.String("mode", "", "the only modes beside the pass-through, with commas between them")
	pkg := flag.String("package", "", "the only package")
	flag.StringVar(&p.pattern, "run", "", "a pattern for the tests, as of go test -run")
	flag.BoolVar(&p.once, "once", false, "what differs is not run again before it counts")
	flag.BoolVar(&p.race, "race", false, "with the race detector")
	flag.StringVar(&p.scratch, "scratch", "", "a folder for what is built and printed, which is kept")
	flag.Parse()
	for _, m := range between.Modes[1:] {
		if *modes == "" || slices.Contains(strings.Split(*modes, ","), m.Name) {
			p.modes = append(p.modes, m.Name)
		}
	}
	for i := range suites {
		if *pkg == "" || suites[i].pkg == *pkg {
			p.suites = append(p.suites, &suites[i])
		}
	}
	if len(p.modes) == 0 || len(p.suites) == 0 {
		return fmt.Errorf("there is no mode %q, or no package %q", *modes, *pkg)
	}
	var err error
	if p.known, err = parseDifferences(differencesText); err != nil {
		return err
	}
	if p.scratch == "" {
		dir, remove, err := newScratch()
		if err != nil {
			return err
		}
		defer remove()
		p.scratch = dir
	}
	found, err := p.run()
	if err != nil {
		return err
	}
	if *modes == "" && p.pattern == "" && !p.race && !p.once {
		if err := saveResults(found); err != nil {
			return err
		}
		if err := writePage(p.known); err != nil {
			return err
		}
	}
	return asListed(found)
}

// asListed returns an error if what differs is not what differences.txt has.
func asListed(found []finding) error {
	n := 0
	for _, f := range found {
		n += len(f.unlisted) + len(f.gone)
	}
	if n > 0 {
		return fmt.Errorf("%d results are not as differences.txt says", n)
	}
	return nil
}

package main

import (
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/seed-552c89fc/insist/proof/nethttp/between"
)

// known is a line of differences.txt: a test whose result in some modes differs from
// that in the pass-through, and why. It stands for its subtests, too.
type known struct {
	pkg, test, reason string
	modes             []string
	hangs             bool // so that it runs in a process of its own
	sometimes         bool // so that it is not counted
}

//go:embed differences.txt
var differencesText string

// group is the name in differences.txt for all modes whose first attempts fail.
const group = "first-fails"

// parseDifferences reads the lines: package, test, modes and reason, with tabs between
// them. Empty lines and those that begin with # are skipped.
func parseDifferences(text string) (all []known, err error) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 4 || fields[3] == "" {
			return nil, fmt.Errorf("differences.txt: %q has not package, test, modes and reason", line)
		}
		k := known{pkg: fields[0], test: fields[1], reason: fields[3]}
		for word := range strings.FieldsSeq(fields[2]) {
			switch _, isMode := between.Find(word); {
			case word == "hangs":
				k.hangs = true
			case word == "sometimes":
				k.sometimes = true
			case word == group:
				k.modes = append(k.modes, firstFails()...)
			case isMode:
				k.modes = append(k.modes, word)
			default:
				return nil, fmt.Errorf("differences.txt: %q is no mode", word)
			}
		}
		all = append(all, k)
	}
	return all, nil
}

func firstFails() (names []string) {
	for _, m := range between.Modes {
		if m.FailsFirst {
			names = append(names, m.Name)
		}
	}
	return names
}

func (k known) covers(pkg, test, mode string) bool {
	return k.pkg == pkg && slices.Contains(k.modes, mode) && (k.test == test || strings.HasPrefix(test, k.test+"/"))
}

// differing returns the tests that have another result in r than in base, but not those
// that only have a subtest that does. A test that did not run in one of them, since the
// one that it belongs to had failed before, is not one of them.
func differing(base, r results) []string {
	found := results{}
	for name, was := range base {
		if is := r[name]; is != "" && is != was {
			found[name] = is
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(found)), func(name string) bool { return hasChild(found, name) })
}

// exactly returns a pattern for these tests and no others; "" is none.
func exactly(tests ...string) string {
	var all []string
	for _, test := range tests {
		parts := strings.Split(test, "/")
		for i, p := range parts {
			parts[i] = "^" + regexp.QuoteMeta(p) + "$"
		}
		all = append(all, strings.Join(parts, "/"))
	}
	return strings.Join(all, "|")
}

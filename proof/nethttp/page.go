package main

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/seed-552c89fc/insist/proof/nethttp/between"
)

// resultsFile has what the last run of each package has found: package, mode, tests that
// pass, fail, are skipped, and differ.
const resultsFile = "results.tsv"

// saveResults replaces the lines of resultsFile for the packages of found.
func saveResults(found []finding) error {
	lines := map[string][]string{}
	for _, f := range found {
		lines[f.suite.pkg] = append(lines[f.suite.pkg], fmt.Sprintf("%s\t%s\t%d\t%d\t%d\t%d\n",
			f.suite.pkg, f.mode, f.counts["pass"], f.counts["fail"], f.counts["skip"], len(f.differ)))
	}
	old, err := os.ReadFile(resultsFile)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(old)) {
		if pkg, _, _ := strings.Cut(line, "\t"); !slices.ContainsFunc(found, func(f finding) bool { return f.suite.pkg == pkg }) {
			lines[pkg] = append(lines[pkg], line)
		}
	}
	var b strings.Builder
	for _, s := range suites {
		b.WriteString(strings.Join(lines[s.pkg], ""))
	}
	return os.WriteFile(resultsFile, []byte(b.String()), 0o666)
}

// writePage writes resultsFile and the list of differences between the marks of README.md.
func writePage(all []known) error {
	results, err := os.ReadFile(resultsFile)
	if err != nil {
		return err
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		return err
	}
	page := string(text)
	for _, part := range []struct{ name, content string }{
		{"results", resultTable(string(results))},
		{"differences", differenceTable(all)},
		{"left out", leftOutList()},
	} {
		if page, err = replace(page, part.name, part.content); err != nil {
			return err
		}
	}
	return os.WriteFile("README.md", []byte(page), 0o666)
}

// resultTable has a row for each package, and for each mode the tests that pass and those
// that differ from the pass-through.
func resultTable(results string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "With %s on %s/%s. For each mode: how many tests pass, subtests counted, and after the slash how many have another result than in the pass-through.\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	var header, rule string
	for _, m := range between.Modes {
		header += " " + m.Name + " |"
		rule += "---:|"
	}
	fmt.Fprintf(&b, "| package | skipped |%s\n|---|---:|%s", header, rule)
	last := ""
	for line := range strings.Lines(results) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if f[0] != last {
			last = f[0]
			fmt.Fprintf(&b, "\n| %s | %s |", last, f[4])
		}
		if f[1] == between.Modes[0].Name {
			fmt.Fprintf(&b, " %s |", f[2])
		} else {
			fmt.Fprintf(&b, " %s / %s |", f[2], f[5])
		}
	}
	b.WriteString("\n\n")
	for _, m := range between.Modes {
		fmt.Fprintf(&b, "- %s: %s\n", m.Name, m.Says)
	}
	return b.String()
}

func differenceTable(all []known) string {
	var b strings.Builder
	b.WriteString("| package | test | modes | why |\n|---|---|---|---|\n")
	for _, k := range all {
		modes := strings.Join(k.modes, ", ")
		if each := firstFails(); len(k.modes) >= len(each) {
			modes = strings.Replace(modes, strings.Join(each, ", "), "each in which the first attempt fails", 1)
		}
		if k.sometimes {
			modes = "sometimes: " + modes
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", k.pkg, k.test, modes, k.reason)
	}
	return b.String()
}

func leftOutList() string {
	var b strings.Builder
	for _, s := range suites {
		for _, out := range []map[string]string{s.leftOut, s.leftOutFiles} {
			for _, name := range slices.Sorted(maps.Keys(out)) {
				fmt.Fprintf(&b, "- %s, `%s`: %s\n", s.pkg, name, out[name])
			}
		}
	}
	return b.String()
}

// replace replaces the text between the marks with that name by content.
func replace(page, name, content string) (string, error) {
	begin, end := "<!-- "+name+" -->", "<!-- end of "+name+" -->"
	before, rest, ok := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("README.md has no %s and %s", begin, end)
	}
	return before + begin + "\n" + strings.TrimSpace(content) + "\n" + end + after, nil
}

// The command benchmarks measures insist and other libraries side by side,
// springs the traps on all of them, and writes what it found into README.md and
// chart.svg. With -traps it measures nothing, and writes the tables of traps alone. With
// -table it measures the tables whose titles contain a text, and prints them:
//
//	go run .
//	go run . -traps
//	go run . -table guarantee
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

func main() {
	only := flag.Bool("traps", false, "spring the traps, and measure nothing")
	title := flag.String("table", "", "measure only the tables whose titles contain this text, and print them")
	flag.Parse()
	write := report
	switch {
	case *only:
		write = func() error { return rewrite(trapTables()...) }
	case *title != "":
		write = func() error { return show(*title) }
	}
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func report() error {
	tables, end := allTables(sizes)
	defer end()
	var measured strings.Builder
	fmt.Fprintf(&measured, "Measured with %s on %s/%s, %d processors: %s.\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), versions())
	var better, all strings.Builder
	for i := range tables {
		fmt.Fprintln(os.Stderr, "measuring:", tables[i].title)
		tables[i].measure()
		better.WriteString(tables[i].better())
		all.WriteString(tables[i].markdown())
	}
	fmt.Fprintf(&measured, "### The rows that others win\n\nA tenth or less in time does not count.\n\n| | |\n|---|---|\n%s\n%s", &better, &all)
	fmt.Fprintln(os.Stderr, "measuring: uploads")
	measured.WriteString(uploadTable(5))
	if err := os.WriteFile("chart.svg", []byte(chart(charted(tables))), 0o644); err != nil {
		return err
	}
	return rewrite(append(trapTables(), section{"measured", measured.String()})...)
}

// show measures the tables whose titles contain text, and prints them.
func show(text string) error {
	tables, end := allTables(sizes)
	defer end()
	for _, t := range tables {
		if strings.Contains(t.title, text) {
			t.measure()
			fmt.Print(t.markdown())
		}
	}
	return nil
}

// sizes are those of the JSON bodies.
var sizes = []int{1 << 10, 64 << 10, 4 << 20}

// section is what the page has between the markers of that name.
type section struct{ name, text string }

func trapTables() (sections []section) {
	for _, t := range []struct {
		name      string
		traps     []trap
		libraries []library
	}{{"behaviour", traps, libraries}, {"hedging", hedgeTraps, hedgers}} {
		fmt.Fprintln(os.Stderr, "springing traps:", t.name)
		all := behaviour(t.traps, t.libraries)
		sections = append(sections, section{t.name, behaviourTable(t.traps, t.libraries, all)})
	}
	return sections
}

func rewrite(sections ...section) error {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		return err
	}
	for _, s := range sections {
		if readme, err = between(readme, s.name, s.text); err != nil {
			return err
		}
	}
	return os.WriteFile("README.md", readme, 0o644)
}

// allTables are the comparisons, not measured yet, with JSON bodies of these
// sizes.
func allTables(sizes []int) (tables []table, end func()) {
	loopback, endLoopback := loopbackRows()
	cpu, endCPU := cpuRows()
	const (
		alone = "The condition `ret_code` is not 0, on a body that is read from a reader; nothing else."
		whole = "The same in a RoundTripper whose base has the response ready and costs nothing; the caller " +
			"then reads the body. insist's look is bounded in time, for which it reads on a goroutine, unless the body is in " +
			"memory: for a small body that costs more than the look. The others are what one would write by hand: read all, look, put it back. “no look” does not look, " +
			"and doesn't count."
	)
	return []table{
		{title: "Functions", note: "What a helper adds to a function that costs nothing.", rows: helperRows(), memory: true},
		{title: "JSON, key first: the look alone", note: alone, rows: jsonRows(lookJobs, sizes, false), memory: true},
		{title: "JSON, key last: the look alone", note: alone, rows: jsonRows(lookJobs, sizes, true), memory: true},
		{title: "JSON, key first: with the transport", note: whole, rows: append(jsonRows(transportLookJobs, sizes, false), inMemoryRows(false)...), memory: true},
		{title: "JSON, key last: with the transport", note: whole, rows: append(jsonRows(transportLookJobs, sizes, true), inMemoryRows(true)...), memory: true},
		{title: "Transport", note: "A base that costs nothing but reading the body, alone (“bare”) and in a RoundTripper. “by hand” is the loop that one would write: it waits for nothing, proves nothing before it sends a POST again, and knows no errors.",
			rows: exchangeRows(), memory: true},
		{title: "Hedging", note: "A second attempt would begin after a minute; the first one has succeeded by then.", rows: hedgeRows(), memory: true},
		{title: "What a guarantee costs", note: "Where others are faster: insist, the least code by hand that promises the same, to which the times are ratios, and code that does not promise it. No code that was tried is much faster than “by hand, with it”; what insist takes beyond it is for all that it does besides.",
			than: withIt, rows: floorRows(), memory: true},
		{title: "Loopback", note: "Whole requests to a server on the same machine, against net/http's transport alone.",
			than: "bare", rows: loopback, effort: effort{rounds: 60, round: 30 * time.Millisecond}},
		{title: "Processor time", note: "The same, one after the other, over TLS: not how long the calls take, but how long the processors work for them, the server's part included.",
			than: "bare", rows: cpu, effort: effort{rounds: 40, round: 100 * time.Millisecond, clock: cpuTime}},
	}, func() { endLoopback(); endCPU() }
}

// charted are the rows that the chart shows.
func charted(tables []table) (rows []row) {
	for _, want := range []struct{ table, row string }{
		{"Functions", "success at once"},
		{"Functions", "two errors, then success"},
		{"JSON, key first: with the transport", "records, 64 KiB"},
		{"JSON, key last: with the transport", "records, 64 KiB"},
		{"Transport", "GET"},
		{"Transport", "GET, two retries"},
		{"Transport", "POST of 1 KiB in memory"},
		{"Transport", "POST of 1 MiB that can be read once"},
	} {
		for _, t := range tables {
			for _, r := range t.rows {
				if t.title == want.table && r.name == want.row {
					r.name = t.title + ": " + r.name
					rows = append(rows, r)
				}
			}
		}
	}
	return rows
}

// versions are those of the libraries that are compared, as they were built in.
func versions() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "versions unknown"
	}
	var all []string
	for _, m := range info.Deps {
		for _, compared := range []string{
			"cenkalti/", "avast/", "sethvargo/", "failsafe-go/failsafe-go", "go-retryablehttp", "PuerkitoBio/",
			"cristalhq/", "tidwall/gjson", "bytedance/sonic", "go-json-experiment/",
		} {
			if strings.Contains(m.Path, compared) && !strings.HasSuffix(m.Path, "/loader") {
				all = append(all, strings.TrimPrefix(m.Path, "github.com/")+" "+m.Version)
			}
		}
	}
	return strings.Join(all, ", ")
}

// between puts text between name's markers.
func between(page []byte, name, text string) ([]byte, error) {
	begin, end := []byte("<!-- "+name+" -->\n"), []byte("<!-- end of "+name+" -->")
	before, rest, ok := bytes.Cut(page, begin)
	_, after, ok2 := bytes.Cut(rest, end)
	if !ok || !ok2 {
		return nil, fmt.Errorf("README.md has no markers for %s", name)
	}
	return bytes.Join([][]byte{before, begin, []byte(strings.TrimSpace(text) + "\n"), end, after}, nil), nil
}

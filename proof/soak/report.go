package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// verdict is the first paragraph of the page.
func (r *result) verdict() string {
	var v strings.Builder
	b := r.books
	if all := r.faults(); len(all) > 0 {
		fmt.Fprintf(&v, "**What falls short**: %s.\n\n", strings.Join(all, "; "))
	}
	if b.refused > 0 {
		fmt.Fprintf(&v, "**What falls short**: %d POSTs through HAProxy over HTTP/2 were carried out more than once, since HAProxy said `REFUSED_STREAM`: see below.\n\n", b.refused)
	}
	fmt.Fprintf(&v, "In %s, %d calls, and %d restarts of servers and proxies", r.length.Round(time.Second), b.calls, r.restarts())
	if len(r.faults()) == 0 {
		other := ""
		if b.refused > 0 {
			other = "other "
		}
		fmt.Fprintf(&v, ", **no call succeeded that was not carried out, no %sPOST was carried out twice, no body arrived short or mixed, no response was wrong; memory, goroutines and files are flat**", other)
	}
	fmt.Fprintf(&v, ". %d calls ended well, %d were canceled, %d failed with an error; %d idempotent ones were carried out more than once, as they may be.", b.good, b.canceled, b.failed, b.twice)
	return v.String()
}

func (r *result) restarts() (n int) {
	for _, k := range r.kills {
		n += k
	}
	return n
}

// table returns the figures.
func (r *result) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.verdict())
	if len(r.missing) > 0 {
		fmt.Fprintf(&b, "\nNot installed, so without its calls: %s.\n", strings.Join(r.missing, ", "))
	}
	b.WriteString("\n| | second quarter, median | last quarter, median | before all calls | after all calls |\n|---|---:|---:|---:|---:|\n")
	for _, g := range gauges {
		second, last, _ := g.trend(r.samples)
		fmt.Fprintf(&b, "| %s |", g.name)
		for _, n := range []int{second, last, g.of(r.before), g.of(r.after)} {
			fmt.Fprintf(&b, " %.4g |", float64(n)/g.unit)
		}
		b.WriteString("\n")
	}
	b.WriteString("\n| calls | made | ended well | canceled | failed | attempts for each |\n|---|---:|---:|---:|---:|---:|\n")
	for _, proto := range protocols {
		b.WriteString(r.caller.tally[proto].line(proto))
	}
	for _, kind := range kinds {
		b.WriteString(r.caller.kinds[kind].line(kindNames[kind]))
	}
	b.WriteString("\n| killed and started again | times |\n|---|---:|\n")
	for _, p := range []string{"server", "quic", "toxics", "nginx", "haproxy"} {
		fmt.Fprintf(&b, "| %s | %d |\n", processNames[p], r.kills[p])
	}
	return strings.TrimSpace(b.String())
}

func (t *tally) line(name string) string {
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %.2f |\n",
		name, t.calls, t.good, t.canceled, t.calls-t.good-t.canceled, float64(t.attempts)/float64(max(t.calls, 1)))
}

var kindNames = map[string]string{
	"get": "GET, with a condition on the JSON", "hedged": "the same, hedged", "put": "PUT, in memory, hedged",
	"post": "POST, read once", "file": "PUT of a file, hedged", "download": "GET, resumed", "events": "event stream",
}

var processNames = map[string]string{
	"server": "server of HTTP/1.1 and HTTP/2", "quic": "server of HTTP/3", "toxics": "toxiproxy", "nginx": "nginx", "haproxy": "HAProxy",
}

// write replaces the text between the marks of the page.
func (r *result) write(page string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	const begin, end = "<!-- soak -->", "<!-- /soak -->"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("%s has no %s and %s", page, begin, end)
	}
	return os.WriteFile(page, []byte(before+begin+"\n\n"+r.table()+"\n\n"+end+after), 0o666)
}

const plotWidth, plotHeight, plotMargin = 720, 120, 40

// plot returns the samples as SVG, a panel for each gauge.
func (r *result) plot() string {
	var b strings.Builder
	height := len(gauges)*(plotHeight+plotMargin) + plotMargin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotWidth+2*plotMargin, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth+2*plotMargin, height)
	for i, g := range gauges {
		r.panel(&b, g, i*(plotHeight+plotMargin)+plotMargin)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n</svg>\n", plotWidth+plotMargin, height-plotMargin/2, r.length.Round(time.Second))
	return b.String()
}

// panel draws the samples of a gauge: of up to 360 spans of time the highest.
func (r *result) panel(b *strings.Builder, g gauge, top int) {
	highest := make([]int, min(360, max(len(r.samples), 1)))
	most := 1
	for i, s := range r.samples {
		at := i * len(highest) / len(r.samples)
		highest[at] = max(highest[at], g.of(s))
		most = max(most, g.of(s))
	}
	fmt.Fprintf(b, `<text x="%d" y="%d">%s, up to %.4g</text>`+"\n", plotMargin, top-6, g.name, float64(most)/g.unit)
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#ccc"/>`+"\n", plotMargin, top, plotWidth, plotHeight)
	fmt.Fprintf(b, `<polyline fill="none" stroke="#003cc8" points="`)
	for i, n := range highest {
		fmt.Fprintf(b, "%.1f,%.1f ", plotMargin+float64(i*plotWidth)/float64(max(len(highest)-1, 1)), float64(top+plotHeight)-float64(n*plotHeight)/float64(most))
	}
	b.WriteString(`"/>` + "\n")
}

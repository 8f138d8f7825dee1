package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// load is what the server had to deal with: requests that arrived, and connections that
// were refused.
const load = "load"

// withLoad adds the load.
func (c counts) withLoad() counts {
	for _, name := range []string{arrived, refused} {
		for i, n := range c[name] {
			c.add(load, i, n)
		}
	}
	return c
}

// row is a line of the table.
type row struct {
	scenario, contender string
	measured            summary
	low, high           summary // of the simulation's runs
	never               float64 // how many of these end before the server has recovered
	wasted              float64 // share of the requests processed, from the trouble on
	late                float64 // share of the calls that began late
}

// summary sums up a run. All are NaN if there was none.
type summary struct {
	load     float64 // in the trouble, over the calls
	success  float64 // share of the calls from the begin of the trouble on
	recovery float64 // seconds after the trouble; infinite if never
	limited  float64 // share of the requests in the trouble that met a 429
}

func (s *summary) numbers() []*float64 {
	return []*float64{&s.load, &s.success, &s.recovery, &s.limited}
}

func summarize(s *scenario, c counts) summary {
	return summary{
		load:     c.sum(load, s.Begin, s.End) / c.sum(calls, s.Begin, s.End),
		success:  c.sum(good, s.Begin, s.Horizon) / c.sum(calls, s.Begin, s.Horizon),
		recovery: recovery(s, c),
		limited:  c.sum(limited, s.Begin, s.End) / c.sum(load, s.Begin, s.End),
	}
}

// bounds returns the least and the most of each number in the simulation's runs.
func bounds(s *scenario, runs []counts) (low, high summary) {
	nan := math.NaN()
	low, high = summary{nan, nan, nan, nan}, summary{nan, nan, nan, nan}
	for i, run := range runs {
		one := summarize(s, run)
		if i == 0 {
			low, high = one, one
		}
		for j, n := range one.numbers() {
			l, h := low.numbers()[j], high.numbers()[j]
			*l, *h = min(*l, *n), max(*h, *n)
		}
	}
	return low, high
}

// recovery is how long after the trouble there still is a second in which fewer than 95 %
// of the calls that begin succeed, as in the simulation's tables.
func recovery(s *scenario, c counts) float64 {
	last := s.Horizon.Truncate(time.Second) - time.Second
	for t := last; t >= s.End; t -= time.Second {
		if c.sum(good, t, t+time.Second) < 0.95*c.sum(calls, t, t+time.Second) {
			if t == last {
				return math.Inf(1)
			}
			return (t + time.Second - s.End).Seconds()
		}
	}
	return 0
}

func rows(all []*scenario, outcomes []*outcome) (table []row) {
	for _, o := range outcomes {
		s := scenarioNamed(all, o.Scenario)
		done := o.Measured.sum(completed, s.Begin, longest(s.Horizon)) + o.Measured.sum(wasted, s.Begin, longest(s.Horizon))
		r := row{
			scenario: o.Scenario, contender: o.Contender, measured: summarize(s, o.Measured),
			wasted: o.Measured.sum(wasted, s.Begin, longest(s.Horizon)) / done,
			late:   o.Measured.sum(late, 0, longest(s.Horizon)) / o.Measured.sum(calls, 0, s.Horizon),
		}
		r.low, r.high = bounds(s, o.Predicted)
		for _, run := range o.Predicted {
			if math.IsInf(recovery(s, run), 1) {
				r.never++
			}
		}
		table = append(table, r)
	}
	return table
}

var columns = []string{
	"scenario", "contender", "load", "success", "recovery_s", "limited",
	"simulated_load_low", "simulated_success_low", "simulated_recovery_s_low", "simulated_limited_low",
	"simulated_load_high", "simulated_success_high", "simulated_recovery_s_high", "simulated_limited_high",
	"simulated_never", "wasted", "late",
}

// numbers are the row's, in the order of the columns.
func (r *row) numbers() []*float64 {
	return slices.Concat(r.measured.numbers(), r.low.numbers(), r.high.numbers(), []*float64{&r.never, &r.wasted, &r.late})
}

func writeCSV(w io.Writer, table []row) error {
	out := csv.NewWriter(w)
	out.Write(columns)
	for _, r := range table {
		fields := []string{r.scenario, r.contender}
		for _, n := range r.numbers() {
			fields = append(fields, strconv.FormatFloat(*n, 'f', 4, 64))
		}
		out.Write(fields)
	}
	out.Flush()
	return out.Error()
}

func readCSV(r io.Reader) (table []row, err error) {
	records, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	for _, f := range records[1:] {
		r := row{scenario: f[0], contender: f[1]}
		for i, n := range r.numbers() {
			if *n, err = strconv.ParseFloat(f[2+i], 64); err != nil {
				return nil, err
			}
		}
		table = append(table, r)
	}
	return table, nil
}

// pair is what was measured and, in a cell of its own, between which numbers the
// simulation's runs are. What was measured is bold if it is not between them.
func pair(text func(float64) string, measured, low, high float64) string {
	got, from, to := text(measured), text(low), text(high)
	switch {
	case math.IsNaN(low):
		return got + " |  "
	case from == got || to == got:
	case measured < low || measured > high:
		got = "**" + got + "**"
	}
	if from == to {
		return got + " | " + from
	}
	return got + " | " + strings.TrimSuffix(strings.TrimSuffix(from, " %"), " s") + "–" + to
}

// markdown returns a table for each scenario, with a line for each contender. Below it is
// the plot, if plots is the path to them.
func markdown(all []*scenario, table []row, plots string) string {
	var b strings.Builder
	for _, s := range all {
		last := "processed for nobody | "
		if s.limits() {
			last = "429 | simulated | "
		}
		fmt.Fprintf(&b, "\n| %s | load | simulated | calls that succeed | simulated | recovers after | simulated | %s\n", s.Name, last)
		fmt.Fprintf(&b, "|---|%s\n", strings.Repeat("---:|", 6+strings.Count(last, "|")))
		for _, r := range table {
			if r.scenario == s.Name {
				fmt.Fprintf(&b, "| %s |\n", strings.Join(r.cells(s), " | "))
			}
		}
		if plots != "" {
			fmt.Fprintf(&b, "\n![%s: load and goodput, measured and simulated](%s/%s)\n", s.Name, plots, s.File)
		}
	}
	return strings.ReplaceAll(strings.TrimSpace(b.String()), " | \n", " |\n")
}

func (r *row) cells(s *scenario) []string {
	m, l, h := r.measured, r.low, r.high
	cells := []string{
		r.contender, pair(ratio, m.load, l.load, h.load),
		pair(percent, m.success, l.success, h.success), pair(seconds, m.recovery, l.recovery, h.recovery),
	}
	if r.never > 0 && r.never < seeds {
		cells[3] += fmt.Sprintf(" in %.0f of %d", r.never, seeds)
	}
	if s.limits() {
		return append(cells, pair(percent, m.limited, l.limited, h.limited))
	}
	return append(cells, percent(r.wasted))
}

func ratio(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return fmt.Sprintf("%.2f", x)
}

func percent(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*x)
}

func seconds(x float64) string {
	switch {
	case math.IsNaN(x):
		return "–"
	case math.IsInf(x, 1):
		return "never"
	}
	return fmt.Sprintf("%.0f s", x)
}

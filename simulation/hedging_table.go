package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

// tailRow is the result of one way to make calls, with one tail.
type tailRow struct {
	clients, tail, hedging string

	p50, p99, p999 float64 // milliseconds
	load           float64 // requests over calls
	good           float64 // share of the calls
}

// measureTails plays each tail with each way to make calls.
func measureTails() []tailRow {
	all := append(hedgings, triedHedgings...)
	var rows []tailRow
	for _, clients := range shapes {
		for _, s := range tails(clients) {
			part := make([]tailRow, len(all))
			var wg sync.WaitGroup
			for i, h := range all {
				wg.Go(func() { part[i] = tailSummary(runTail(s, h, 1)) })
			}
			wg.Wait()
			rows = append(rows, part...)
		}
	}
	return rows
}

func tailSummary(r *race) tailRow {
	ms := func(share float64) float64 { return r.within(share).Seconds() * 1000 }
	calls := float64(r.calls)
	return tailRow{
		r.shape.String(), r.tail.name, r.hedging.name,
		ms(0.5), ms(0.99), ms(0.999), float64(r.load) / calls, float64(r.good) / calls,
	}
}

func (r *tailRow) numbers() []*float64 {
	return []*float64{&r.p50, &r.p99, &r.p999, &r.load, &r.good}
}

func writeTails(w io.Writer, rows []tailRow) error {
	out := csv.NewWriter(w)
	out.Write([]string{"clients", "service", "calls", "p50_ms", "p99_ms", "p99.9_ms", "load", "success"})
	for _, r := range rows {
		line := []string{r.clients, r.tail, r.hedging}
		for i, n := range r.numbers() {
			line = append(line, strconv.FormatFloat(*n, 'f', []int{1, 1, 1, 3, 4}[i], 64))
		}
		out.Write(line)
	}
	out.Flush()
	return out.Error()
}

func readTails(r io.Reader) ([]tailRow, error) {
	records, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows []tailRow
	for _, f := range records[1:] {
		row := tailRow{clients: f[0], tail: f[1], hedging: f[2]}
		for i, to := range row.numbers() {
			if *to, err = strconv.ParseFloat(f[3+i], 64); err != nil {
				return nil, err
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// tailTable returns a table for each tail, with a line for each way to make calls.
func tailTable(rows []tailRow, ways []*hedging) string {
	var b strings.Builder
	few, many := shapes[1], shapes[0]
	for _, s := range tails(few) {
		fmt.Fprintf(&b, "\n| %s | %s: p50 | p99 | p99.9 | load | end well | %s: p50 | p99 | p99.9 | load | end well |\n", s.name, few, many)
		b.WriteString("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
		for _, h := range ways {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", h.name, pickTail(rows, few, s, h.name).cells(), pickTail(rows, many, s, h.name).cells())
		}
	}
	return strings.TrimSpace(b.String())
}

// cells are the numbers of a row. Where calls fail it says nothing how long they take.
func (r tailRow) cells() string {
	return fmt.Sprintf("%s | %.2f | %.1f %%", r.times(), r.load, 100*r.good)
}

func (r tailRow) times() string {
	if r.good < 0.999 {
		return "| |"
	}
	return fmt.Sprintf("%.0f ms | %.0f ms | %.0f ms", r.p50, r.p99, r.p999)
}

func pickTail(rows []tailRow, clients shape, s *tail, hedging string) tailRow {
	for _, r := range rows {
		if r.clients == clients.String() && r.tail == s.name && r.hedging == hedging {
			return r
		}
	}
	panic("no row " + hedging + ", " + s.name)
}

// wantedTails returns a table of the goals for a zero insist.Hedge in the policy Standard,
// and its results.
func wantedTails(rows []tailRow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| | wanted | %s | %s |\n|---|---|---:|---:|\n", shapes[0], shapes[1])
	for _, s := range tails(shapes[0]) {
		what := ""
		var got [2]string
		for i, clients := range shapes {
			ours, without := pickTail(rows, clients, s, "retries + Hedge"), pickTail(rows, clients, s, "retries")
			alone := pickTail(rows, clients, s, "Hedge alone")
			switch s.name {
			case "1 % slow", "a slow replica, least in flight":
				what = "p99.9 at most a tenth; load under 1.05"
				got[i] = fmt.Sprintf("%.0f ms, %.0f ms without; %.2f", ours.p999, without.p999, ours.load)
			case "a slow replica, at random":
				what = "the same: **not kept**, see below"
				got[i] = fmt.Sprintf("%.0f ms, %.0f ms without; %.2f", ours.p999, without.p999, ours.load)
			case "80 % busy":
				what = "load under 1.05; as many calls end well"
				got[i] = fmt.Sprintf("%.2f; %.1f %%, %.1f %% without", ours.load, 100*ours.good, 100*without.good)
			default:
				what = "load at most 1.05 times that without; without retries, too"
				got[i] = fmt.Sprintf("%.2f, %.2f without; %.2f without retries", ours.load, without.load, alone.load)
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", s.name, what, got[0], got[1])
	}
	return strings.TrimSpace(b.String())
}

// guideTable returns the table of docs/hedging.md.
func guideTable(rows []tailRow) string {
	var b strings.Builder
	b.WriteString("| | p50 | p99 | p99.9 | requests for each call |\n|---|---:|---:|---:|---:|")
	for _, t := range []struct{ tail, title string }{
		{"1 % slow", "1 % of the responses slow"},
		{"a slow replica, least in flight", "one slow replica of ten, behind a balancer"},
		{"a slow replica, at random", "one slow replica of ten, at random"},
		{"all slow", "all ten times slower, for 30 s"},
		{"brown-out", "brown-out to 30 % of the capacity, for 30 s"},
	} {
		s := findTail(t.tail, shapes[1])
		for _, way := range []struct{ hedging, title string }{
			{"no retries", "**" + t.title + "**: no retries"},
			{"retries", "retries only"},
			{"Hedge alone", "a `Hedge` only"},
			{"retries + Hedge", "both"},
			{"hedgedhttp", "hedgedhttp"},
		} {
			r := pickTail(rows, shapes[1], s, way.hedging)
			fmt.Fprintf(&b, "\n| %s | %s | %.2f |", way.title, r.times(), r.load)
		}
	}
	return b.String()
}

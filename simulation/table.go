package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
)

// row is the result of one policy in one scenario.
type row struct {
	clients  string
	policy   string
	scenario string
	load     float64 // in the trouble, over the calls
	recovery float64 // seconds; infinite if never
	success  float64 // share of the calls
}

// measure plays each scenario with each policy.
func measure(policies []*policy) []row {
	var rows []row
	for _, clients := range shapes {
		for _, p := range policies {
			all := scenarios(clients)
			part := make([]row, len(all))
			var wg sync.WaitGroup
			for i, s := range all {
				wg.Go(func() { part[i] = summary(p, run(s, p, 1)) })
			}
			wg.Wait()
			rows = append(rows, part...)
		}
	}
	return rows
}

func summary(p *policy, r *result) row {
	recovery := r.recovery().Seconds()
	if recovery < 0 {
		recovery = math.Inf(1)
	}
	return row{r.scenario.shape.String(), p.name, r.scenario.name, r.amplification(), recovery, r.success()}
}

func writeCSV(w io.Writer, rows []row) error {
	out := csv.NewWriter(w)
	out.Write([]string{"clients", "policy", "scenario", "load", "recovery_s", "success"})
	for _, r := range rows {
		out.Write([]string{r.clients, r.policy, r.scenario, fmt.Sprintf("%.3f", r.load),
			fmt.Sprintf("%.0f", r.recovery), fmt.Sprintf("%.4f", r.success)})
	}
	out.Flush()
	return out.Error()
}

func readCSV(r io.Reader) ([]row, error) {
	records, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, f := range records[1:] {
		row := row{clients: f[0], policy: f[1], scenario: f[2]}
		for i, to := range []*float64{&row.load, &row.recovery, &row.success} {
			if *to, err = strconv.ParseFloat(f[3+i], 64); err != nil {
				return nil, err
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// markdown returns a table for each kind of clients, with a line for each of the
// policies and a column for each scenario.
func markdown(rows []row, policies []*policy) string {
	var b strings.Builder
	for _, clients := range shapes {
		for i, p := range policies {
			var names, lines, cells string
			for _, r := range rows {
				if r.clients == clients.String() && r.policy == p.name {
					names += " " + r.scenario + " |"
					lines += "---:|"
					cells += " " + r.cell() + " |"
				}
			}
			if i == 0 {
				fmt.Fprintf(&b, "\n| %s |%s\n|---|%s\n", clients, names, lines)
			}
			fmt.Fprintf(&b, "| %s |%s\n", p.name, cells)
		}
	}
	return strings.TrimSpace(b.String())
}

func (r row) cell() string {
	switch {
	case strings.HasSuffix(r.scenario, "errors") || strings.HasPrefix(r.scenario, "blip"):
		return fmt.Sprintf("%.1f %%", 100*r.success)
	case math.IsInf(r.recovery, 1):
		return fmt.Sprintf("%.2f, never", r.load)
	}
	return fmt.Sprintf("%.2f, %.0f s", r.load, r.recovery)
}

// quietClients returns a table of the load in an outage by what one client does.
// All clients together do the same.
func quietClients() string {
	first, load := "| calls per second of a client |", "| load in an outage of 30 s |"
	for _, perSecond := range []float64{0.01, 0.03, 0.1, 0.3, 1, 10, 100, 1000} {
		clients := shape{int(offered / perSecond), perSecond}
		r := run(find("outage, refused", clients), named("+ insist"), 1)
		first += fmt.Sprintf(" %g |", perSecond)
		load += fmt.Sprintf(" %.2f |", r.amplification())
	}
	return first + "\n|---|" + strings.Repeat("---:|", 8) + "\n" + load
}

// moreAttempts returns a table of the effect of a larger MaxAttempts, which raises the
// reserve.
func moreAttempts() string {
	scenarios := []string{"15 % errors", "33 % errors", "brown-out", "brown-out, shedding", "outage, refused", "outage, swallowed"}
	first, lines := "| MaxAttempts |", "\n|---|"
	for _, name := range scenarios {
		first += " " + name + " |"
		lines += "---:|"
	}
	var b strings.Builder
	b.WriteString(first + lines)
	for _, attempts := range []int{3, 6, 10, 20} {
		p := &policy{"", attempts, fullJitter, func(*rand.Rand) budget { return newOurs(attempts) }}
		for _, clients := range shapes {
			fmt.Fprintf(&b, "\n| %d, %s |", attempts, clients)
			for _, name := range scenarios {
				fmt.Fprintf(&b, " %s |", summary(p, run(find(name, clients), p, 1)).cell())
			}
		}
	}
	return b.String()
}

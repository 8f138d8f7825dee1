package main

import (
	"fmt"
	"strings"
)

// wanted returns a table of the goals for the library's default, and its results.
func wanted(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| | wanted | %s | %s |\n|---|---|---:|---:|\n", shapes[0], shapes[1])
	for _, s := range scenarios(shapes[0]) {
		what := ""
		var got [2]string
		for i, clients := range shapes {
			ours := pick(rows, clients, "+ insist", s.name)
			none := pick(rows, clients, "no retries", s.name)
			free := pick(rows, clients, "full jitter", s.name)
			switch {
			case s.name == "33 % errors" || s.name == "outage, endless queue":
				continue // shown for what they are; nothing is promised
			case s.server.errors > 0:
				what = "at least 99 % of the calls end well"
				got[i] = fmt.Sprintf("%.2f %%", 100*ours.success)
			case strings.HasPrefix(s.name, "blip"):
				what = "at most 0.6 points less than without a budget"
				got[i] = fmt.Sprintf("%.2f", 100*max(0, free.success-ours.success))
			default:
				what = "load at most 1.2; recovers as without retries"
				got[i] = fmt.Sprintf("%.2f; %.0f s, %.0f s without", ours.load, ours.recovery, none.recovery)
			}
		}
		if what != "" {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", s.name, what, got[0], got[1])
		}
	}
	return strings.TrimSpace(b.String())
}

func pick(rows []row, clients shape, policy, scenario string) row {
	for _, r := range rows {
		if r.clients == clients.String() && r.policy == policy && r.scenario == scenario {
			return r
		}
	}
	panic("no row " + policy + ", " + scenario)
}

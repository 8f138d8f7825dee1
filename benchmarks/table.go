package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// row is one thing to do, and everybody's way to do it.
type row struct {
	name  string
	jobs  []job
	costs []cost
}

// table is rows with the same columns, compared with one of them or, if that is
// "", with the fastest.
type table struct {
	title, note string
	than        string
	rows        []row
	memory      bool   // is shown
	effort      effort // zero: usual
}

func (t *table) measure() {
	e := t.effort
	if e.rounds == 0 {
		e = usual
	}
	for i := range t.rows {
		t.rows[i].costs = e.measure(t.rows[i].jobs)
	}
}

// columns are the names of all jobs of all rows, in order.
func (t *table) columns() (names []string) {
	for _, r := range t.rows {
		for _, j := range r.jobs {
			if !slices.Contains(names, j.name) {
				names = append(names, j.name)
			}
		}
	}
	return names
}

// unitTime is what a row's times are divided by.
func (t *table) unitTime(r row) float64 {
	fastest := math.Inf(1)
	for i, j := range r.jobs {
		if j.name == t.than {
			return r.costs[i].time
		}
		if !doesLess(j.name) {
			fastest = min(fastest, r.costs[i].time)
		}
	}
	return fastest
}

func (t *table) markdown() string {
	var b strings.Builder
	columns := t.columns()
	fmt.Fprintf(&b, "### %s\n\n%s\n\n", t.title, t.note)
	fmt.Fprintf(&b, "| | %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, r := range t.rows {
		fmt.Fprintf(&b, "| %s |", r.name)
		for _, name := range columns {
			i := slices.IndexFunc(r.jobs, func(j job) bool { return j.name == name })
			if i < 0 {
				b.WriteString(" |")
				continue
			}
			fmt.Fprintf(&b, " %s |", t.cell(r, i))
		}
		b.WriteByte('\n')
	}
	return b.String() + "\n"
}

func (t *table) cell(r row, i int) string {
	c := r.costs[i]
	text := ratio(c.time / t.unitTime(r))
	if t.memory {
		text += fmt.Sprintf("<br>%.0f allocs<br>%s", c.allocs, unit(c.bytes))
	}
	return text
}

// doesLess reports whether the job of this name does not do what the others do, so that
// its time is no measure for them.
func doesLess(name string) bool { return name == "bare" || name == "no look" || name == withoutIt }

// better lists the rows in which others beat insist's best, and by what. Times within a
// tenth are equal: they differ as much from run to run.
func (t *table) better() string {
	var b strings.Builder
	for _, r := range t.rows {
		var all []string
		for _, name := range t.columns() {
			if strings.HasPrefix(name, "insist") || doesLess(name) {
				continue
			}
			if by := t.ahead(r, name); by != "" {
				all = append(all, name+" ("+by+")")
			}
		}
		if all != nil {
			fmt.Fprintf(&b, "| %s: %s | %s |\n", t.title, r.name, strings.Join(all, "; "))
		}
	}
	return b.String()
}

// ahead says what name has over insist in r.
func (t *table) ahead(r row, name string) string {
	i := slices.IndexFunc(r.jobs, func(j job) bool { return j.name == name })
	if i < 0 {
		return ""
	}
	var by []string
	c, own := r.costs[i], r.own()
	if c.time < own.time*0.9 {
		by = append(by, ratio(own.time/c.time)+" faster")
	}
	if t.memory && c.allocs < own.allocs {
		by = append(by, fmt.Sprintf("allocations: %.0f fewer", own.allocs-c.allocs))
	}
	if t.memory && c.bytes < own.bytes {
		by = append(by, unit(own.bytes-c.bytes)+" less")
	}
	return strings.Join(by, ", ")
}

// own is the cost of insist's fastest job.
func (r row) own() (own cost) {
	own.time = math.Inf(1)
	for i, j := range r.jobs {
		if strings.HasPrefix(j.name, "insist") && r.costs[i].time < own.time {
			own = r.costs[i]
		}
	}
	return own
}

// ratio is x with about two digits, which is as much as can be measured.
func ratio(x float64) string {
	switch {
	case x < 0.95:
		return fmt.Sprintf("%.2f×", x)
	case x < 9.95:
		return fmt.Sprintf("%.1f×", x)
	case x < 99.5:
		return fmt.Sprintf("%.0f×", x)
	}
	digits := math.Pow(10, math.Floor(math.Log10(x))-1)
	return fmt.Sprintf("%.0f×", math.Round(x/digits)*digits)
}

// unit is a number of bytes as one would say it.
func unit(bytes float64) string {
	switch {
	case bytes < 1<<10:
		return fmt.Sprintf("%.0f B", bytes)
	case bytes < 1<<20:
		return strings.Replace(fmt.Sprintf("%.1f KiB", bytes/(1<<10)), ".0 ", " ", 1)
	}
	return strings.Replace(fmt.Sprintf("%.1f MiB", bytes/(1<<20)), ".0 ", " ", 1)
}

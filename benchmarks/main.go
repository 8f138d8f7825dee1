// The command benchmarks measures insist and other libraries side by side and
// writes what it found into README.md and chart.svg: go run .
package main

import (
	"fmt"
	"os"
)

func main() {
	tables := allTables()
	for i := range tables {
		tables[i].measure(usual)
		fmt.Print(tables[i].markdown())
	}
	_ = os.Stdout
}

func allTables() []table {
	loop, _ := loopbackRows()
	return []table{
		{title: "Functions", rows: helperRows(), memory: true},
		{title: "JSON, key first", rows: jsonRows(lookJobs, false), memory: true},
		{title: "JSON, key last", rows: jsonRows(lookJobs, true), memory: true},
		{title: "JSON through, key first", rows: jsonRows(transportLookJobs, false), memory: true},
		{title: "JSON through, key last", rows: jsonRows(transportLookJobs, true), memory: true},
		{title: "Transport", rows: exchangeRows(), memory: true},
		{title: "Loopback", rows: loop, than: "bare"},
	}
}

package main

import (
	"os"
	"testing"
)

// TestEveryJobWorks runs each contender, which panics if it doesn't do what its
// row says.
func TestEveryJobWorks(t *testing.T) {
	tables, end := allTables([]int{1 << 10})
	defer end()
	for _, table := range tables {
		for _, r := range table.rows {
			for _, j := range r.jobs {
				t.Run(table.title+"/"+r.name+"/"+j.name, func(t *testing.T) {
					j.run()
					j.run() // what it shares must do for another call
				})
			}
		}
	}
	uploads(1<<20, true, 1)
}

func TestReadmeHasMarkers(t *testing.T) {
	page, err := os.ReadFile("README.md")
	for _, name := range []string{"behaviour", "hedging", "measured"} {
		if err == nil {
			page, err = between(page, name, "new")
		}
	}
	if err != nil {
		t.Error(err)
	}
}

func TestUnits(t *testing.T) {
	for x, want := range map[float64]string{1: "1.0×", 9.96: "10×", 12.3: "12×", 123: "120×", 98765: "99000×"} {
		if got := ratio(x); got != want {
			t.Errorf("ratio(%v) = %s, want %s", x, got, want)
		}
	}
	for x, want := range map[float64]string{8: "8 B", 1 << 10: "1 KiB", 1536: "1.5 KiB", 4 << 20: "4 MiB"} {
		if got := unit(x); got != want {
			t.Errorf("unit(%v) = %s, want %s", x, got, want)
		}
	}
}

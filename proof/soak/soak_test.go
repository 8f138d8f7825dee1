package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain makes the program one of the children that a soak starts, or runs the tests.
func TestMain(m *testing.M) {
	if runChild() {
		return
	}
	flag.Set("for", "1m")
	flag.Parse()
	os.Exit(m.Run())
}

// TestSoak is the short form, of a minute.
func TestSoak(t *testing.T) {
	t.Logf("-seed %d", *seed)
	r, err := soak(t.Context(), t.TempDir(), *length, *seed)
	require.NoError(t, err)
	t.Log("\n" + r.table())
	assert.Empty(t, r.faults())
	assert.Positive(t, r.restarts())
	for _, kind := range kinds {
		assert.Positive(t, r.caller.kinds[kind].good, kind)
	}
	assert.Positive(t, r.books.canceled)
	assert.Greater(t, r.books.done, r.books.good/2)
	assert.Contains(t, r.plot(), "polyline")
}

// TestCompare: a line per fault that the ledgers show.
func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name, seen, done string
		faults           int
	}{
		{"all is well", "1 get good -\n2 post good a\n3 put good b\n", "1 -\n2 a\n3 b\n3 b\n", 0},
		{"not done", "1 get good -\n", "", 1},
		{"a POST twice", "1 post good a\n", "1 a\n1 a\n", 1},
		{"a POST twice, of a call that failed", "1 post failed a\n", "1 a\n1 a\n", 1},
		{"a POST that HAProxy has refused", "1 post good a haproxy, HTTP/2, 1 bytes: stream error: REFUSED_STREAM\n", "1 a\n1 a\n", 0},
		{"one that another has", "1 post good a nginx, HTTP/2, 1 bytes: stream error: REFUSED_STREAM\n", "1 a\n1 a\n", 1},
		{"failed, and done once", "1 post failed a\n", "1 a\n", 0},
		{"canceled", "1 put canceled a\n", "", 0},
		{"a body that is short", "1 put failed a\n", "1 b\n", 1},
		{"one of two is short", "1 put good a\n", "1 b\n1 a\n", 1},
		{"nobody's", "", "1 a\n", 1},
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "seen"), []byte(c.seen), 0o666))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "done"), []byte(c.done), 0o666))
		b, err := compare(dir)
		require.NoError(t, err)
		assert.Len(t, b.wrong, c.faults, c.name)
	}
}

// TestTrend: what grows is seen, what varies is flat.
func TestTrend(t *testing.T) {
	for _, c := range []struct {
		name string
		at   func(i int) int
		flat bool
	}{
		{"flat", func(int) int { return 100 }, true},
		{"varies", func(i int) int { return 100 + i%37 }, true},
		{"warms up", func(i int) int { return min(i, 100) }, true},
		{"grows", func(i int) int { return 100 + i }, false},
		{"a peak", func(i int) int { return 100 + 1000*(i/395) }, true},
	} {
		var samples []sample
		for i := range 400 {
			samples = append(samples, sample{at: time.Duration(i) * time.Second, goroutines: c.at(i)})
		}
		_, _, flat := gauges[1].trend(samples)
		assert.Equal(t, c.flat, flat, c.name)
	}
}

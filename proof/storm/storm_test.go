package main

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The test's own program is that of the children, too.
func TestMain(m *testing.M) {
	if isChild(os.Args) {
		main()
		return
	}
	os.Exit(m.Run())
}

// short returns scenarios of a few seconds, with four clients.
func short() []*scenario {
	s := scenario{Clients: 4, PerSecond: 12, Workers: 4, Capacity: 60, Depth: 60}
	brownOut, restart, limit := s, s, s
	brownOut.Name, brownOut.File = "brown-out", "brown-out.svg"
	brownOut.Contenders = []string{noRetries, unbounded, hedged, standard}
	brownOut.trouble(time.Second, 4*time.Second, time.Second, phase{Share: 0.2})
	restart.Name, restart.File = "restart", "restart.svg"
	restart.Contenders = []string{noRetries, zero, retryable, standard}
	restart.trouble(time.Second, 2*time.Second, 3*time.Second, phase{Share: 1})
	restart.Restarts = true
	limit.Name, limit.File = "rate limit", "rate-limit.svg"
	limit.Contenders = []string{noRetries, cooling}
	limit.Capacity = 600
	limit.trouble(0, 5*time.Second, time.Second, phase{Share: 1, Limit: 50})
	return []*scenario{&brownOut, &restart, &limit}
}

// A short form of what main does, with real processes. Only counts are compared, and so
// that they hold too where other programs have the processors: if so, calls fail that
// would not fail otherwise.
func TestStorm(t *testing.T) {
	all := short()
	played := 0
	outcomes, err := storm(t.Context(), all, 5, 1, func(string) { played++ })
	require.NoError(t, err)
	require.Len(t, outcomes, 10)
	require.Equal(t, 10, played)
	require.NoError(t, predictAll(t.Context(), all, outcomes))
	total := func(scenario, contender, what string) float64 {
		for _, o := range outcomes {
			if o.Scenario == scenario && o.Contender == contender {
				return o.Measured.sum(what, 0, longest(scenarioNamed(all, scenario).Horizon))
			}
		}
		panic("no outcome")
	}
	for _, o := range outcomes {
		checkCounts(t, scenarioNamed(all, o.Scenario), o)
	}
	assert.Greater(t, total("brown-out", noRetries, wasted), 0.0, "the server is overloaded")
	assert.LessOrEqual(t, total("brown-out", noRetries, load), total("brown-out", noRetries, calls))
	assert.Greater(t, total("rate limit", noRetries, limited), 50.0)
	assert.Less(t, total("rate limit", cooling, limited), total("rate limit", noRetries, limited)/2)
	checkPages(t, all, outcomes)
}

// checkCounts checks that what the processes have counted agrees.
func checkCounts(t *testing.T, s *scenario, o *outcome) {
	name := s.Name + ", " + o.Contender

	end := longest(s.Horizon)
	all := func(what string) float64 { return o.Measured.sum(what, 0, end) }
	assert.InEpsilon(t, s.offered()*s.Horizon.Seconds(), all(calls), 0.2, name)
	assert.Greater(t, all(good), 0.0, name)
	assert.Equal(t, all(good), all(goodEnd), name)
	assert.LessOrEqual(t, all(load), 6*all(calls), name)
	assert.Greater(t, o.Measured.sum(completed, s.End, end), 0.0, "%s: the server is back", name)
	if s.Restarts { // the kill takes the last counts with it
		assert.Greater(t, all(refused), 0.0, name)
	} else {
		assert.LessOrEqual(t, all(good), all(completed), "%s: of a good call the server knows", name)
		assert.LessOrEqual(t, all(started)+all(shed)+all(limited), all(arrived), name)
		assert.InDelta(t, all(started), all(completed)+all(wasted), float64(s.Workers), name)
	}
	switch o.Contender {
	case standard, hedged: // what the budget promises, whatever fails
		most := 0.4*all(good) + float64(s.Clients)*(4+2)
		assert.LessOrEqual(t, all(load)-all(calls), most, "%s: retries", name)
	case unbounded:
		assert.Greater(t, all(load)-all(calls), 0.4*all(good)+float64(s.Clients)*(4+2), "%s: retries", name)
	}
	if o.Contender == hedged {
		assert.Empty(t, o.Predicted)
	} else if assert.Len(t, o.Predicted, seeds, name) {
		assert.InEpsilon(t, all(calls), o.Predicted[0].sum(calls, 0, s.Horizon), 0.3, name)
		assert.Greater(t, o.Predicted[0].sum(load, 0, s.Horizon), 0.0, name)
	}
}

// checkPages checks that the tables and the plots have all that was measured.
func checkPages(t *testing.T, all []*scenario, outcomes []*outcome) {
	dir := t.TempDir()
	page := filepath.Join(dir, "page.md")
	for _, file := range []string{page, filepath.Join(dir, "README.md")} {
		require.NoError(t, os.WriteFile(file, []byte("a\n<!-- measured -->\n<!-- /measured -->\nb\n"), 0o666))
	}
	require.NoError(t, write(dir, page, all, outcomes))
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Equal(t, len(outcomes)+2*len(all), strings.Count(string(text), "\n|"))
	for _, s := range all {
		svg, err := os.ReadFile(filepath.Join(dir, s.File))
		require.NoError(t, err)
		for _, name := range s.Contenders {
			assert.Contains(t, string(svg), ">"+name+"<")
		}
	}
}

// When it is interrupted, nothing more is played, and all children end.
func TestInterrupted(t *testing.T) {
	all := short()
	for _, s := range all {
		s.trouble(0, time.Second, 0, phase{Share: 1})
	}
	ctx, cancel := context.WithCancel(t.Context())
	played := 0
	_, err := storm(ctx, all, 1, 1, func(string) {
		played++
		cancel()
	})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, played)
}

// No child outlives its parent: its standard input ends with it.
func TestChildrenEndWithTheirInput(t *testing.T) {
	config := serverConfig{Scenario: *short()[0]}
	server, err := startServer(t.Context(), &config)
	require.NoError(t, err)
	client, err := startChild(t.Context(), clientRole, clientConfig{
		Contender: standard, URL: "http://" + config.Addr, PerSecond: 1, Horizon: time.Hour,
	})
	require.NoError(t, err)
	idle, err := startChild(t.Context(), clientRole, clientConfig{Contender: standard})
	require.NoError(t, err)
	counted := &tally{counts: counts{}}
	for _, c := range []*child{server, client} {
		require.NoError(t, c.start(time.Now(), counted))
	}
	idle.in.Close()
	assert.Error(t, idle.cmd.Wait(), "it was never told to start")
	assert.Error(t, client.stop(), "it had calls to make")
	assert.NoError(t, server.stop())
}

// A child that can't begin is an error of the parent's.
func TestPortInUse(t *testing.T) {
	config := serverConfig{Scenario: *short()[0]}
	server, err := startServer(t.Context(), &config)
	require.NoError(t, err)
	_, err = startChild(t.Context(), serverRole, config)
	assert.ErrorContains(t, err, "server is not ready")
	server.in.Close()
	server.cmd.Wait()
}

func TestFinished(t *testing.T) {
	phases := []phase{{Share: 1}, {From: 10 * time.Second, Share: 0.5}, {From: 20 * time.Second}, {From: 30 * time.Second, Share: 1}}
	for _, c := range []struct{ begin, work, end time.Duration }{
		{0, time.Second, time.Second},
		{9, time.Second, 10 * time.Second},
		{9, 2 * time.Second, 12 * time.Second},
		{9, 6 * time.Second, 20 * time.Second},
		{9, 8 * time.Second, 32 * time.Second},
		{25, time.Second, 31 * time.Second},
		{31, time.Second, 32 * time.Second},
	} {
		assert.Equal(t, c.end, finished(phases, c.begin*time.Second, c.work), "%d s, %s", c.begin, c.work)
	}
}

func TestRateLimit(t *testing.T) {
	s := newServer(serverConfig{Scenario: scenario{Phases: []phase{{Share: 1, Limit: 2}, {From: 15 * time.Second, Share: 1}}}})
	for _, c := range []struct{ at, asked time.Duration }{
		{0, 0}, {100, 0}, {100, 5000}, {4500, 1000}, {5000, 0}, {5001, 0}, {9999, 1000}, {15000, 0}, {15000, 0}, {15000, 0},
	} {
		assert.Equal(t, c.asked*time.Millisecond, s.overLimit(c.at*time.Millisecond), "at %d ms", c.at)
	}
}

func TestRecovery(t *testing.T) {
	s := &scenario{Begin: time.Second, End: 2 * time.Second, Horizon: 6 * time.Second}
	for _, c := range []struct {
		good []float64
		want float64
	}{
		{[]float64{10, 0, 10, 10, 10, 10}, 0},
		{[]float64{10, 0, 0, 9, 10, 10}, 2},
		{[]float64{10, 0, 0, 0, 10, 9}, math.Inf(1)},
	} {
		all := counts{calls: {10, 10, 10, 10, 10, 10}, good: c.good}
		assert.Equal(t, c.want, recovery(s, all))
		sum := summarize(s, all)
		assert.InDelta(t, sum.success, all.sum(good, s.Begin, s.Horizon)/50, 1e-9)
	}
}

// The tables of the pages are those of table.csv, which holds every contender.
func TestPagesAreAsStored(t *testing.T) {
	stored, err := os.ReadFile("table.csv")
	require.NoError(t, err)
	table, err := readCSV(bytes.NewReader(stored))
	require.NoError(t, err)
	all := scenarios(12, time.Minute)
	for _, s := range all {
		for _, c := range contenders {
			is := func(r row) bool { return r.scenario == s.Name && r.contender == c.name }
			assert.Equal(t, c.takesPart(s), slices.ContainsFunc(table, is), "%s, %s", s.Name, c.name)
		}
	}
	for file, plots := range map[string]string{"README.md": "", page: plots} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Contains(t, string(text), markdown(all, table, plots), "go run . writes it")
	}
	var again bytes.Buffer
	require.NoError(t, writeCSV(&again, table))
	assert.Equal(t, string(stored), again.String())
}

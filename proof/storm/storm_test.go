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
	brownOut.Contenders = []string{noRetries, unbounded, standard}
	brownOut.trouble(time.Second, 4*time.Second, time.Second, phase{Share: 0.2})
	restart.Name, restart.File = "restart", "restart.svg"
	restart.Contenders = []string{zero, retryable, hedged}
	restart.trouble(time.Second, 2*time.Second, 3*time.Second, phase{Share: 1})
	restart.Restarts = true
	limit.Name, limit.File = "rate limit", "rate-limit.svg"
	limit.Contenders = []string{noRetries, cooling}
	limit.Capacity = 600
	limit.trouble(0, 5*time.Second, time.Second, phase{Share: 1, Limit: 50})
	return []*scenario{&brownOut, &restart, &limit}
}

// A short form of what main does, with real processes. Only counts are compared.
func TestStorm(t *testing.T) {
	all := short()
	played := 0
	outcomes, err := storm(t.Context(), all, 4, 1, func(string) { played++ })
	require.NoError(t, err)
	require.Len(t, outcomes, 8)
	require.Equal(t, 8, played)
	require.NoError(t, predictAll(t.Context(), all, outcomes))
	got := map[string]*outcome{}
	for _, o := range outcomes {
		s := scenarioNamed(all, o.Scenario)
		checkCounts(t, s, o)
		if !isDisturbed(t, s, o) {
			checkEffects(t, s, o)
			got[o.Scenario+", "+o.Contender] = o
		}
	}
	alone, together := got["rate limit, "+noRetries], got["rate limit, "+cooling]
	if alone != nil && together != nil {
		assert.Less(t, together.total(limited), alone.total(limited)/2, "with a Cooldown")
	}
	checkPages(t, all, outcomes)
}

func (o *outcome) total(what string) float64 { return o.Measured.sum(what, 0, time.Hour) }

// isDisturbed reports whether other programs had the processors for so long that nothing
// can be said about what retries do: calls fail then that would not fail otherwise, and
// many attempts do not even come to the server.
func isDisturbed(t *testing.T, s *scenario, o *outcome) bool {
	share := o.total(late) / o.total(calls)
	if share < 0.1 {
		return false
	}
	t.Logf("%s, %s: %.0f %% of the calls began late", s.Name, o.Contender, 100*share)
	return true
}

// checkCounts checks that what the processes have counted agrees. It does so however slow
// they are.
func checkCounts(t *testing.T, s *scenario, o *outcome) {
	name := s.Name + ", " + o.Contender
	assert.InEpsilon(t, s.offered()*s.Horizon.Seconds(), o.total(calls), 0.2, name)
	assert.Equal(t, o.total(good), o.total(goodEnd), name)
	assert.LessOrEqual(t, o.total(load), 6*o.total(calls), name)
	if s.Restarts { // the kill takes the last counts with it
		assert.Greater(t, o.total(refused), 0.0, name)
	} else {
		assert.LessOrEqual(t, o.total(good), o.total(completed), "%s: of a good call the server knows", name)
		assert.LessOrEqual(t, o.total(started)+o.total(shed)+o.total(limited), o.total(arrived), name)
		assert.InDelta(t, o.total(started), o.total(completed)+o.total(wasted), float64(s.Workers), name)
	}
	switch o.Contender {
	case noRetries:
		assert.LessOrEqual(t, o.total(load), o.total(calls), name)
	case standard, hedged: // what the budget promises, whatever fails
		assert.LessOrEqual(t, o.total(load)-o.total(calls), budgeted(s, o), "%s: retries", name)
	}
	if o.Contender == hedged {
		assert.Empty(t, o.Predicted)
	} else if assert.Len(t, o.Predicted, seeds, name) {
		assert.InEpsilon(t, o.total(calls), o.Predicted[0].sum(calls, 0, s.Horizon), 0.3, name)
		assert.Greater(t, o.Predicted[0].sum(load, 0, s.Horizon), 0.0, name)
	}
}

// budgeted is how many retries the Budgets of all clients allow: 0.4 for each call that
// succeeds, a reserve of 4, and the 2 of the first call that fails. In a restart net/http
// itself repeats the requests in flight.
func budgeted(s *scenario, o *outcome) float64 {
	most := 0.4*o.total(good) + float64(s.Clients)*(4+2)
	if s.Restarts {
		most += 0.1 * o.total(calls)
	}
	return most
}

// checkEffects checks what the trouble does, and what retries make of it.
func checkEffects(t *testing.T, s *scenario, o *outcome) {
	name := s.Name + ", " + o.Contender
	assert.Greater(t, o.total(good), 0.0, name)
	assert.Greater(t, o.Measured.sum(completed, s.End, time.Hour), 0.0, "%s: the server is back", name)
	switch {
	case o.Contender == unbounded:
		assert.Greater(t, o.total(load)-o.total(calls), budgeted(s, o), "%s: retries", name)
	case s.Name == "brown-out":
		assert.Greater(t, o.total(wasted), 0.0, "%s: clients give up", name)
	case s.limits() && o.Contender == noRetries:
		assert.Greater(t, o.total(limited), 0.5*o.total(calls), name)
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

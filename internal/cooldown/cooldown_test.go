package cooldown

import (
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	ms   = time.Millisecond
	s    = time.Second
	ever = math.MaxInt64
)

var start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

func none() float64 { return 0 }
func half() float64 { return 0.5 }

// ask returns for how long a call without a place has to wait, and for how long the
// pause lasts.
func ask(t *Table, key string, at time.Duration, random func() float64) (wait, pause time.Duration) {
	now := start.Add(at)
	when, end := t.Until(key, now, new(Place), random)
	if when.IsZero() && end.IsZero() {
		return 0, 0
	}
	return when.Sub(now), end.Sub(now)
}

func TestStepByStep(t *testing.T) {
	type step struct {
		at    time.Duration
		pause time.Duration   // asked for, or
		waits []time.Duration // those of the next calls
	}
	// A pause of 16 s has a first gap of 1 s: the calls come 0, 1, 1.58, 2 s after it.
	third := time.Duration(math.Log2(3) * float64(s))
	for _, c := range []struct {
		name   string
		spread time.Duration
		steps  []step
	}{
		{"nothing", s, []step{{0, 0, []time.Duration{0, 0}}}},
		{"one after the other", s, []step{{0, 16 * s, nil}, {0, 0, []time.Duration{16 * s, 17 * s, 16*s + third, 18 * s}}}},
		{"later in the pause", s, []step{{0, 16 * s, nil}, {15 * s, 0, []time.Duration{s, 2 * s}}}},
		{"while the others come back", s, []step{{0, 16 * s, nil}, {0, 0, []time.Duration{16 * s}}, {16*s + 400*ms, 0, []time.Duration{600 * ms}}, {19 * s, 0, []time.Duration{0, 0, 0}}}},
		{"when they are back", s, []step{{0, 16 * s, nil}, {26 * s, 0, []time.Duration{0, 0, 0}}}},
		{"a short pause has a short gap", s, []step{{0, 160 * ms, nil}, {0, 0, []time.Duration{160 * ms, 170 * ms}}}},
		{"a smaller spread", 100 * ms, []step{{0, 16 * s, nil}, {0, 0, []time.Duration{16 * s, 16*s + 100*ms}}}},
		{"no spread", 0, []step{{0, 16 * s, nil}, {0, 0, []time.Duration{16 * s, 16 * s, 16 * s}}, {16 * s, 0, []time.Duration{0}}}},
		{"negative spread", -1, []step{{0, 16 * s, nil}, {0, 0, []time.Duration{16 * s, 16 * s}}}},
		{"the longest of two", s, []step{{0, 16 * s, nil}, {s, 32 * s, nil}, {s, 2 * s, nil}, {3 * s, 0, []time.Duration{30 * s, 31 * s}}}},
		{"a longer one has a longer gap", s, []step{{0, 160 * ms, nil}, {0, 16 * s, nil}, {0, 0, []time.Duration{16 * s, 17 * s}}}},
		{"met again: the gap doubles", s, []step{{0, 16 * s, nil}, {17 * s, 32 * s, nil}, {17 * s, 0, []time.Duration{32 * s, 34 * s}}}},
		{"and again", s, []step{{0, 16 * s, nil}, {17 * s, 32 * s, nil}, {50 * s, 32 * s, nil}, {50 * s, 0, []time.Duration{32 * s, 36 * s}}}},
		{"up to an eighth", s, []step{{0, 16 * s, nil}, {17 * s, 12 * s, nil}, {17 * s, 0, []time.Duration{12 * s, 12*s + 1500*ms}}}},
		{"met when all were back: it doesn't", s, []step{{0, 16 * s, nil}, {26 * s, 32 * s, nil}, {26 * s, 0, []time.Duration{32 * s, 33 * s}}}},
		{"met by requests in flight: it doesn't", s, []step{{0, 16 * s, nil}, {0, 16 * s, nil}, {s, 15 * s, nil}, {s, 0, []time.Duration{15 * s, 16 * s}}}},
		{"none", s, []step{{0, -1, nil}, {0, math.MinInt64, nil}, {0, 0, []time.Duration{0}}}},
		{"a day at most", s, []step{{0, ever, nil}, {0, 0, []time.Duration{24 * time.Hour, 24*time.Hour + s}}, {24*time.Hour + 10*s, 0, []time.Duration{0}}}},
		{"absurd spread", ever, []step{{0, 16 * s, nil}, {17 * s, ever, nil}, {17 * s, 0, []time.Duration{24 * time.Hour, 24*time.Hour + 90*time.Minute}}}},
		{"the shortest", s, []step{{0, 1, nil}, {0, 0, []time.Duration{1, 1}}, {1, 0, []time.Duration{0}}}},
		{"before the first call's time", s, []step{{0, 16 * s, nil}, {-time.Hour, 0, []time.Duration{time.Hour + 16*s}}, {-time.Hour, 2 * time.Hour, nil}, {0, 0, []time.Duration{time.Hour + s}}}},
		{"centuries later", s, []step{{0, 16 * s, nil}, {ever, 16 * s, nil}, {ever, 0, []time.Duration{0}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var table Table
			for i, step := range c.steps {
				if step.pause != 0 {
					table.Pause("a", start.Add(step.at), step.pause, c.spread)
				}
				for j, want := range step.waits {
					got, pause := ask(&table, "a", step.at, none)
					assert.Equal(t, want, got, "step %d, call %d", i, j)
					assert.LessOrEqual(t, pause, got)
				}
			}
			got, _ := ask(&table, "b", 0, none)
			assert.Zero(t, got, "another key")
		})
	}
}

func TestPlace(t *testing.T) {
	var table Table
	until := func(at time.Duration, p *Place) time.Duration {
		when, _ := table.Until("a", start.Add(at), p, half)
		if when.IsZero() {
			return -1
		}
		return when.Sub(start)
	}
	table.Pause("a", start, 16*s, s)
	var first, second, third Place
	assert.Equal(t, 16*s+500*ms, until(0, &first), "with some jitter")
	assert.Equal(t, 17*s+500*ms, until(0, &second))
	assert.Equal(t, 16*s+500*ms, until(s, &first), "it keeps its place")
	assert.EqualValues(t, -1, until(16*s+500*ms, &first), "its turn")
	assert.EqualValues(t, -1, until(17*s, &first), "still")
	assert.Equal(t, 17*s+500*ms, until(17*s, &second))

	table.Pause("a", start.Add(17*s), 16*s, s) // the first one met the limit again
	assert.Equal(t, 34*s, until(17*s+500*ms, &second), "a new place, the first, and a gap of 2 s")
	assert.Equal(t, 36*s, until(18*s, &third))
	assert.Equal(t, 34*s, until(18*s, &second))
	assert.EqualValues(t, -1, until(34*s, &second))

	table.Pause("a", start.Add(34*s), 4*s, s)
	table.Pause("a", start.Add(35*s), 8*s, s) // it lasts longer, but is no new one
	var fourth Place
	assert.Equal(t, 43*s+250*ms, until(35*s, &fourth))
	table.Pause("a", start.Add(35*s), 9*s, s)
	assert.Equal(t, 44*s+281250*time.Microsecond, until(35*s, &fourth))
}

func TestNoKey(t *testing.T) {
	var table Table
	table.Pause("", start, s, s)
	table.Pause("a", start, 0, s)
	assert.True(t, table.Quiet())
	table.Pause("a", start, s, s)
	assert.False(t, table.Quiet())
	wait, _ := ask(&table, "", 0, none)
	assert.Zero(t, wait)
}

// No call goes before the end of any pause that was asked for, nor much later.
func TestNeverEarlier(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 0))
		var table Table
		var places [20]Place
		now, end, most := time.Duration(0), time.Duration(0), time.Duration(0)
		spread := time.Duration(random.Int64N(int64(2 * s)))
		for range 200 {
			now += time.Duration(random.ExpFloat64() * float64(s))
			if random.IntN(10) == 0 {
				wait := time.Duration(random.ExpFloat64() * float64(10*s))
				table.Pause("a", start.Add(now), wait, spread)
				end, most = max(end, now+wait), max(most, wait)
			}
			place := &places[random.IntN(len(places))]
			at, pauseEnd := table.Until("a", start.Add(now), place, random.Float64)
			switch {
			case at.IsZero():
				require.GreaterOrEqual(t, now, end)
			default:
				require.Equal(t, max(end, 0), pauseEnd.Sub(start))
				require.True(t, at.After(start.Add(now)))
				require.False(t, at.Before(pauseEnd))
				// No more than 220 calls had a place: 2⁸.
				require.LessOrEqual(t, at.Sub(pauseEnd), 9*(most/mostShare))
				again, _ := table.Until("a", start.Add(now), place, random.Float64)
				require.Equal(t, at, again)
				go1, _ := table.Until("a", at, place, random.Float64)
				require.True(t, go1.IsZero())
			}
		}
	}
}

func TestKeysAreBounded(t *testing.T) {
	var table Table
	size := func() int { return len(table.keys.Load().pauses) }
	for i := range 3 * maxKeys {
		table.Pause(strconv.Itoa(i), start, 16*s, s)
	}
	assert.Equal(t, maxKeys, size())
	wait, _ := ask(&table, strconv.Itoa(maxKeys-1), 0, none)
	assert.Equal(t, 16*s, wait)
	wait, _ = ask(&table, strconv.Itoa(maxKeys), 0, none)
	assert.Zero(t, wait, "there was no room")

	table.Pause("0", start, time.Minute, s)
	table.Pause("more", start.Add(25*s), 16*s, s)
	assert.Equal(t, maxKeys, size(), "some calls may still wait")
	table.Pause("more", start.Add(26*s), 16*s, s)
	assert.Equal(t, 2, size(), "the old ones have made room, but for the longest")
	wait, _ = ask(&table, "more", 26*s, none)
	assert.Equal(t, 16*s, wait)
	wait, _ = ask(&table, "0", 26*s, none)
	assert.Equal(t, 34*s, wait)
}

// A call whose key never asked for a pause, or long ago, locks nothing; and none
// allocates.
func TestCost(t *testing.T) {
	var table, quiet Table
	table.Pause("a", start, 16*s, s)
	table.Pause("b", start, s, s)
	var place Place
	for name, f := range map[string]func(){
		"quiet":       func() { quiet.Until("a", start, &place, none) },
		"another key": func() { table.Until("c", start, &place, none) },
		"over":        func() { table.Until("b", start.Add(10*s), &place, none) },
		"paused":      func() { table.Until("a", start, &place, rand.Float64) },
		"paused anew": func() { table.Pause("a", start, 16*s, s) },
	} {
		assert.Zero(t, testing.AllocsPerRun(100, f), name)
	}

	table.mu.Lock()
	p := table.keys.Load().pauses["b"]
	p.mu.Lock()
	table.Until("b", start.Add(10*s), &place, none)
	table.Until("c", start, &place, none)
	p.mu.Unlock()
	table.mu.Unlock()
}

func TestManyGoroutines(t *testing.T) {
	var table Table
	var wg sync.WaitGroup
	for g := range 32 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 0))
			var place Place
			for i := range 300 {
				key := strconv.Itoa(random.IntN(2 * maxKeys))
				if i%2 == 0 {
					key = "shared"
				}
				now := start.Add(time.Duration(i) * 100 * ms)
				if random.IntN(4) == 0 {
					table.Pause(key, now, time.Duration(random.Int64N(int64(s))), s)
				}
				if at, end := table.Until(key, now, &place, random.Float64); at.Before(end) {
					t.Errorf("at %v, end %v", at, end)
				}
				table.Quiet()
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, len(table.keys.Load().pauses), maxKeys)
}

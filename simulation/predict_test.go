package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// forecastOf plays one forecast, as another program would have it played.
func forecastOf(t *testing.T, f forecast) forecastCounts {
	in, err := json.Marshal([]forecast{f})
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, predict(bytes.NewReader(in), &out))
	var got []forecastCounts
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	require.Len(t, got, 1)
	return got[0]
}

func total(seconds []float64) (sum float64) {
	for _, n := range seconds {
		sum += n
	}
	return sum
}

func TestForecastOfAnOutage(t *testing.T) {
	f := forecast{
		Clients: 10, PerSecond: 10, Depth: 1000, Horizon: 20 * time.Second, Policy: "no retries",
		Timeout: time.Second, Deadline: 10 * time.Second, Travel: time.Millisecond,
		Phases: []forecastPhase{{Rate: 125}, {From: 5 * time.Second, Refuses: true}, {From: 10 * time.Second, Rate: 125}},
	}
	got := forecastOf(t, f)
	assert.Len(t, got.Calls, 20)
	assert.InEpsilon(t, 2000, total(got.Calls), 0.1)
	assert.Equal(t, got.Calls, got.Load)
	assert.Zero(t, total(got.Good[5:10]))
	assert.InDelta(t, total(got.Calls)-total(got.Calls[5:10]), total(got.Good), 20)
	assert.Zero(t, total(got.Limited))

	f.Policy, f.Phases = "go-retryablehttp", []forecastPhase{{Refuses: true}}
	got = forecastOf(t, f) // waits of 1, 2 and 4 s; one of 8 s would end after the deadline
	assert.InEpsilon(t, 4*total(got.Calls[8:]), total(got.Load[8:]), 0.05)
}

func TestForecastOfARateLimit(t *testing.T) {
	f := forecast{
		Clients: 10, PerSecond: 10, Depth: 1000, Horizon: 20 * time.Second, Policy: "no retries",
		Timeout: time.Second, Deadline: 10 * time.Second, Travel: time.Millisecond,
		Phases: []forecastPhase{{Rate: 1000, Limit: 250}},
	}
	got := forecastOf(t, f)
	assert.InDelta(t, 4*250, total(got.Good), 0)
	assert.Equal(t, total(got.Calls)-4*250, total(got.Limited))

	f.Policy = "+ insist"
	alone := forecastOf(t, f)
	f.Cooldown = true
	together := forecastOf(t, f)
	assert.Greater(t, total(alone.Limited), 1000.0)
	assert.Less(t, total(together.Limited), 100.0)
	assert.Greater(t, total(together.Good), 0.9*total(alone.Good))
}

func TestForecastOfNothing(t *testing.T) {
	assert.ErrorContains(t, predict(strings.NewReader("{"), nil), "forecasts: ")
}

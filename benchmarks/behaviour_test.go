package main

import "testing"

func TestBehaviour(t *testing.T) { holdInsist(t, traps, libraries) }

func TestHedging(t *testing.T) { holdInsist(t, hedgeTraps, hedgers) }

// holdInsist holds insist to its column, the first. What the others do is printed, and
// none of our business: their responses are in README.md.
func holdInsist(t *testing.T, traps []trap, those []library) {
	if raceDetector {
		those = those[:1] // it would report the others' races as ours
	}
	all := behaviour(traps, those)
	for i, trap := range traps {
		// Traps have time limits: on a machine that stood still one may have run out.
		for n := 0; (all[i][0].is == yes) == trap.gap && n < 2; n++ {
			all[i][0] = trap.spring(those[0])
		}
		if got := all[i][0]; (got.is == yes) == trap.gap {
			t.Errorf("%s: %s %s", trap.name, got.is, got.note)
		}
	}
	t.Logf("\n%s", behaviourTable(traps, those, all))
}

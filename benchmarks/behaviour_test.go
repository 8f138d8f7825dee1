package main

import "testing"

// TestBehaviour holds insist to its column. What the others do is printed, and
// none of our business: their answers are in README.md.
func TestBehaviour(t *testing.T) {
	those := libraries
	if raceDetector {
		those = libraries[:1] // it would report the others' races as ours
	}
	all := behaviour(those)
	for i, trap := range traps {
		// Traps have time limits: on a machine that stood still one may have run out.
		for n := 0; (all[i][0].is == yes) == trap.gap && n < 2; n++ {
			all[i][0] = trap.spring(libraries[0])
		}
		if got := all[i][0]; (got.is == yes) == trap.gap {
			t.Errorf("%s: %s %s", trap.name, got.is, got.note)
		}
	}
	t.Logf("\n%s", behaviourTable(those, all))
}

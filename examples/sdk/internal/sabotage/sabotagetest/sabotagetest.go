// Package sabotagetest tests the programs that package sabotage is for.
package sabotagetest

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

// Test takes each step in a world of its own, which inMemory makes in virtual
// time, and then all of them, and maybe more, by run, the program itself, over TCP.
func Test[W sabotage.World](t *testing.T, steps []sabotage.Step[W], run func(io.Writer) error, inMemory func(*testing.T, func(*testing.T, W))) {
	for _, s := range steps {
		t.Run(s.Call.Name+"/"+s.Fault, func(t *testing.T) {
			inMemory(t, func(t *testing.T, w W) { Take(t, s, w) })
		})
	}
	t.Run("over TCP", func(t *testing.T) {
		var out strings.Builder
		if err := run(&out); err != nil {
			t.Errorf("%v\n%s", err, &out)
		}
		if got := strings.Count(out.String(), "\n"); got <= len(steps) { // the first is a head
			t.Errorf("got %d lines:\n%s", got, &out)
		}
	})
}

// Take takes the step, which fails t if it doesn't end as it should.
func Take[W sabotage.World](t *testing.T, s sabotage.Step[W], w W) {
	t.Helper()
	if _, err := s.Take(w); err != nil {
		t.Error(err)
	}
}

// InMemory runs f with a world in virtual time, so that its policy can be the very
// one that programs have.
func InMemory[W sabotage.World](t *testing.T, newWorld func() (W, error), f func(t *testing.T, w W)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, err := newWorld()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		f(t, w)
	})
}

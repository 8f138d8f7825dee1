package integrationtests

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed-552c89fc/insist/internal/servertest"
)

var (
	only  = flag.String("only", "", "cut `text`: only scenarios whose line has it")
	pairs = flag.Int("pairs", 24_000/stride, "how many random `pairs` of cuts to try")
	seed  = flag.Uint64("seed", 1, "`seed` of the random pairs")
)

var ways = []servertest.Way{servertest.Reset, servertest.Closed, servertest.Silent}

// TestEveryCut cuts one exchange at every byte of either direction, in each way,
// for each kind of request; and the first two connections at random. It holds:
//
//   - The server never takes a mangled body for whole.
//   - A POST without a key is carried out at most once.
//   - An idempotent request ends well, since attempts are left.
//   - What the caller reads is right, or ends in an error.
//   - Every body is closed, of requests and responses; every connection can be
//     closed; no goroutine is left (a bubble does not end before that).
func TestEveryCut(t *testing.T) {
	report := newReport()
	t.Run("cuts", func(t *testing.T) {
		for _, p := range []servertest.Proto{servertest.HTTP1, servertest.H2C} {
			for _, conn := range []connKind{newConn, warm} {
				t.Run(fmt.Sprintf("%v %v", version(p), conn), func(t *testing.T) {
					t.Parallel()
					report.begin()
					for i, s := range scenarios(p, conn) {
						if strings.Contains(s.String(), *only) {
							sweep(t, report, &s, i)
						}
					}
				})
			}
			t.Run(fmt.Sprintf("%v pairs", version(p)), func(t *testing.T) {
				t.Parallel()
				report.begin()
				cutPairs(t, report, p)
			})
		}
	})
	report.finish(t)
}

// window is HTTP/2's flow control window for responses: on warm connections so
// small that one takes several frames, and the server waits in between.
func window(c connKind) int {
	if c == newConn {
		return 0
	}
	return 32
}

// sweep cuts s at every byte.
func sweep(t *testing.T, report *report, s *scenario, offset int) {
	inWorld(t, s, func(t *testing.T, w *world) {
		for d, size := range w.measure(t, s) {
			for _, way := range ways {
				if way == servertest.Silent && s.rules == untimed {
					continue
				}
				first := int64(offset + d + 5*int(way))
				for at := first % stride; at <= size; at += stride {
					c := servertest.CutAt{Way: way, Direction: servertest.Direction(d), After: at}
					r := w.try(s, int(at)+offset, c)
					report.add(s, r, c)
				}
			}
		}
	})
}

// measure makes the call without a cut, which must go well, and returns how many
// bytes its connection had in each direction.
func (w *world) measure(t *testing.T, s *scenario) (size [2]int64) {
	r := w.try(s, 1)
	if r.faults != nil || r.bodyErr != nil || r.ending != atOnce && s.busy() == 0 {
		t.Fatalf("%v, without a cut: %v", s, &r)
	}
	return w.size
}

// cutPairs cuts the first two connections at random bytes of random scenarios.
func cutPairs(t *testing.T, report *report, p servertest.Proto) {
	random := rand.New(rand.NewPCG(*seed, uint64(len(p.Name))))
	all := []scenario{}
	for _, conn := range []connKind{newConn, warm, twoWarm} {
		for _, s := range scenarios(p, conn) {
			if s.rules != untimed && strings.Contains(s.String(), *only) {
				all = append(all, s)
			}
		}
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	const perScenario = 50
	for i := range *pairs / 2 / perScenario {
		if len(all) == 0 {
			return
		}
		s := all[i%len(all)]
		inWorld(t, &s, func(t *testing.T, w *world) {
			size := w.measure(t, &s)
			for range perScenario {
				var cuts [2]servertest.CutAt
				for i := range cuts {
					d := random.IntN(2)
					cuts[i] = servertest.CutAt{
						Way:       ways[random.IntN(len(ways))],
						Direction: servertest.Direction(d),
						After:     random.Int64N(size[d] + 1),
					}
				}
				report.add(&s, w.try(&s, random.IntN(1<<20), cuts[:]...), cuts[:]...)
			}
		})
	}
}

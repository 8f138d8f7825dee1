//go:build !race

package reqbody

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing/synctest"
	"time"
)

// execution is one run of a scenario under a schedule. Its actors are goroutines. Only
// one of them does something at a time: one step, which ends when every goroutine waits
// (synctest.Wait). A step lets an actor begin its next operation, or lets go on one that
// stands at a gate: in a Read or Close of the caller's reader, or woken up and about to
// lock the source again.
type execution struct {
	*scenario
	actors []*actor
	faults []string
	trace  []string
	ticks  int

	mu    sync.Mutex
	gates []*gate // in the order in which they were reached
	free  bool    // no gate holds a goroutine any more

	model
}

// gate is where a goroutine stands until a step lets it go on.
type gate struct {
	label string
	open  chan struct{}
}

// actor does the operations of its script one after the other.
type actor struct {
	x       *execution
	name    string
	next    string      // its next operation, which has not begun; empty if it is in one, or done
	ready   func() bool // whether that can begin; nil means always
	begin   chan struct{}
	current string    // the operation that it is in; empty if it is in none
	since   time.Time // when that began
	done    bool
	id      string // of its goroutine
	view    *view
}

// step waits until the schedule has the operation begin.
func (a *actor) step(operation string) { a.stepIf(operation, nil) }

// stepIf is step, but the operation can't begin before ready.
func (a *actor) stepIf(operation string, ready func() bool) {
	a.next, a.ready, a.current = operation, ready, ""
	<-a.begin
	a.next, a.current, a.since = "", operation, time.Now()
}

func (x *execution) actor(name string, script func(a *actor)) {
	a := &actor{x: x, name: name, begin: make(chan struct{})}
	x.actors = append(x.actors, a)
	go func() {
		defer func() { a.done, a.current, a.next = true, "", "" }()
		defer func() {
			if v := recover(); v != nil {
				x.fault("%s panicked: %v", name, v)
			}
		}()
		a.id = goroutine()
		script(a)
	}()
	synctest.Wait()
}

// goroutine returns the number of this goroutine.
func goroutine() string {
	var buf [40]byte
	fields := strings.Fields(string(buf[:runtime.Stack(buf[:], false)]))
	return fields[1]
}

// gate has this goroutine wait for its step.
func (x *execution) gate(what string) {
	who, id := "pull", goroutine()
	for _, a := range x.actors {
		if a.id == id {
			who = a.name
		}
	}
	g := &gate{label: what + " by " + who, open: make(chan struct{})}
	x.mu.Lock()
	free := x.free
	if !free {
		x.gates = append(x.gates, g)
	}
	x.mu.Unlock()
	if !free {
		<-g.open
	}
}

func (x *execution) fault(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.faults = append(x.faults, fmt.Sprintf(format, args...))
}

// woken is to be called by a goroutine that a timer may have woken, before it touches what
// the actors share: for the race detector a timer comes after nothing.
func (x *execution) woken() {
	x.mu.Lock()
	defer x.mu.Unlock()
}

// tick is the step in which the time passes that the source may wait for the caller's
// reader.
const tick = "time passes"

// enabled returns the steps that can be taken next.
func (x *execution) enabled() (steps []string) {
	waiting := false // for something other than its own step
	for _, a := range x.actors {
		switch {
		case a.next != "" && (a.ready == nil || a.ready()):
			steps = append(steps, a.name+": "+a.next)
		case a.current != "" && !x.atGate(a):
			waiting = true
		}
	}
	for _, g := range x.gates {
		steps = append(steps, g.label)
	}
	if waiting && x.waits && x.ticks == 0 {
		steps = append(steps, tick)
	}
	return steps
}

func (x *execution) atGate(a *actor) bool {
	return slices.ContainsFunc(x.gates, func(g *gate) bool { return strings.HasSuffix(g.label, " by "+a.name) })
}

// take takes a step.
func (x *execution) take(step string) {
	x.trace = append(x.trace, step)
	if step == tick {
		x.ticks++
		x.woken()
		time.Sleep(readGrace + time.Millisecond)
		synctest.Wait()
		return
	}
	for i, g := range x.gates {
		if g.label == step {
			x.gates = slices.Delete(x.gates, i, i+1)
			close(g.open)
			synctest.Wait()
			return
		}
	}
	for _, a := range x.actors {
		if a.next != "" && a.name+": "+a.next == step {
			a.begin <- struct{}{}
			synctest.Wait()
			x.checkClose(a)
			return
		}
	}
	panic("no such step: " + step)
}

// checkClose: Close of an attempt's reader must not wait for a Read of the caller's, since
// net/http waits for it. It may wait for a Close of the caller's reader.
func (x *execution) checkClose(a *actor) {
	if a.current != "close" {
		return
	}
	for _, g := range x.gates {
		if strings.HasPrefix(g.label, "Close") {
			return
		}
	}
	x.fault("%s: Close waits", a.name)
}

// finish takes steps until nothing is left to do, and checks what is left then.
func (x *execution) finish() {
	for range 200 {
		steps := x.enabled()
		switch {
		case len(steps) > 0:
			x.take(steps[0])
			continue
		case x.ticks < 5 && x.waits && x.inside() != "":
			x.take(tick)
			continue
		}
		break
	}
	if stuck := x.inside(); stuck != "" {
		x.fault("%s never ends", stuck)
	}
	x.checkEnd()
}

// inside returns an operation that has not ended.
func (x *execution) inside() string {
	for _, a := range x.actors {
		if a.current != "" {
			return a.name + ": " + a.current
		}
	}
	return ""
}

// release ends all goroutines that are left after a fault.
func (x *execution) release() {
	if !slices.ContainsFunc(x.actors, func(a *actor) bool { return !a.done }) && len(x.gates) == 0 {
		return
	}
	x.mu.Lock()
	x.free, x.opened2 = true, true
	for _, g := range x.gates {
		close(g.open)
	}
	x.gates = nil
	x.mu.Unlock()
	go x.body.End()
	for range 100 {
		for _, a := range x.actors {
			if a.next != "" {
				a.begin <- struct{}{}
			}
		}
		time.Sleep(2 * readGrace)
		synctest.Wait()
	}
}

// explorer takes all schedules of a scenario. It takes each step in each state once:
// schedules that lead to a state that another one has led to before are not continued.
type explorer struct {
	*scenario
	everything bool // continues those, too
	most       int  // schedules

	schedules, steps, longest, strayed int
	states                             map[uint64]bool
	found                              int // states, of several explorers
	labels                             []string
	number                             map[string]uint8
	fault                              string // the first that was found
	cut                                bool   // there are more schedules than most
}

func explore(s *scenario, most int) *explorer {
	e := &explorer{scenario: s, most: most, states: make(map[uint64]bool), number: make(map[string]uint8)}
	e.run()
	return e
}

func (e *explorer) run() {
	work := [][]uint8{nil}
	for len(work) > 0 && e.fault == "" {
		if e.schedules == e.most {
			e.cut = true
			return
		}
		prefix := work[len(work)-1]
		work = append(work[:len(work)-1], e.repeat(prefix)...)
	}
}

// repeat executes prefix until its steps can be taken: the Go scheduler may wake two
// goroutines in another order than before.
func (e *explorer) repeat(prefix []uint8) [][]uint8 {
	for range 20 {
		if more, ok := e.execute(prefix); ok || e.fault != "" {
			return more
		}
	}
	e.strayed++
	return nil
}

// execute takes the steps of prefix, and then, as long as the state is a new one, the
// first that can be taken. It returns the prefixes that begin with the others, and false
// if a step of prefix could not be taken.
func (e *explorer) execute(prefix []uint8) (more [][]uint8, ok bool) {
	ok = true
	before := runtime.NumGoroutine()
	x := e.scenario.start()
	path := make([]uint8, 0, len(prefix)+16)
	for len(x.faults) == 0 {
		steps := x.enabled()
		if len(steps) == 0 {
			break
		}
		var step uint8
		if len(path) < len(prefix) {
			step = prefix[len(path)]
			if !slices.Contains(steps, e.labels[step]) {
				ok = false
				break
			}
		} else {
			if !e.enter(x) {
				break
			}
			step = e.label(steps[0])
			for _, other := range steps[1:] {
				more = append(more, append(slices.Clone(path), e.label(other)))
			}
		}
		path = append(path, step)
		x.take(e.labels[step])
	}
	if len(x.faults) == 0 {
		x.finish()
	}
	e.schedules++
	e.steps += len(x.trace)
	e.longest = max(e.longest, len(x.trace))
	trace := strings.Join(x.trace, "\n\t")
	found := slices.Clone(x.faults)
	x.release()
	if left := runtime.NumGoroutine() - before; left > 0 && len(found) == 0 {
		found = append(found, strconv.Itoa(left)+" goroutines are left")
	}
	if len(found) > 0 && e.fault == "" {
		e.fault = strings.Join(found, "; ") + ", by\n\t" + trace
	}
	return more, ok
}

func (e *explorer) enter(x *execution) bool {
	state := x.state()
	known := e.states[state]
	e.states[state] = true
	return e.everything || !known
}

func (e *explorer) label(step string) uint8 {
	n, ok := e.number[step]
	if !ok {
		n = uint8(len(e.labels))
		e.number[step] = n
		e.labels = append(e.labels, step)
	}
	return n
}

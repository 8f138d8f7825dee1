package sabotage

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/seed-552c89fc/insist"
)

// World is a service with faults in front of it, and a program that uses it.
type World interface {
	// Faults returns the handler that the program's requests meet.
	Faults() *Handler

	// Attempts says what each attempt has come to; see Timeline.
	Attempts() string

	// Effects returns how many things the service has that were not there before,
	// or an error if one is not what was sent.
	Effects() (int, error)

	// Close ends it.
	Close()
}

// Call is a use of an SDK as a program has it.
type Call[W World] struct {
	// Name is the SDK's.
	Name string

	// Make makes it. The outcome is what the program would show.
	Make func(w W) (outcome string, err error)
}

// Step is a call that meets faults, in a world of its own, and how that should
// end. When makes one.
type Step[W World] struct {
	Call Call[W]

	// Fault is a name for what goes wrong.
	Fault string

	planned         []Fault
	attempts, fails string
	effects         int
}

// When returns the step in which c meets the planned faults: its attempts and
// effects should be these, and its error should say fails; with an empty one it
// should not have an error.
func (c Call[W]) When(fault, attempts, fails string, effects int, planned ...Fault) Step[W] {
	return Step[W]{c, fault, planned, attempts, fails, effects}
}

// Take makes the call, and returns an error if that didn't end as it should.
func (s Step[W]) Take(w W) (outcome string, err error) {
	w.Faults().Plan(s.planned...)
	outcome, failed := s.Call.Make(w)
	if failed != nil {
		outcome = "error: " + failed.Error()
	}
	effects, err := w.Effects()
	switch {
	case err != nil:
		return outcome, err
	case s.fails == "" && failed != nil, s.fails != "" && (failed == nil || !strings.Contains(failed.Error(), s.fails)):
		return outcome, fmt.Errorf("got error %v, want %q", failed, s.fails)
	case w.Attempts() != s.attempts:
		return outcome, fmt.Errorf("got attempts %s, want %s", w.Attempts(), s.attempts)
	case effects != s.effects:
		return outcome, fmt.Errorf("got %d effects, want %d", effects, s.effects)
	case w.Faults().Left() != 0:
		return outcome, fmt.Errorf("%d faults are left", w.Faults().Left())
	}
	return outcome, nil
}

// Run takes the steps one after the other, and prints a table of them. It returns
// an error if one didn't end as it should.
func Run[W World](out io.Writer, steps []Step[W], newWorld func() (W, error)) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "call\tfault\tattempts\toutcome")
	var errs []error
	for _, s := range steps {
		w, err := newWorld()
		if err != nil {
			return err
		}
		outcome, err := s.Take(w)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s, %s: %w", s.Call.Name, s.Fault, err))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Call.Name, s.Fault, w.Attempts(), outcome)
		w.Close()
	}
	return errors.Join(errs...)
}

// Timeline writes down what each attempt has come to: its status, or error. There
// are commas between calls.
func Timeline(calls ...[]insist.Attempt) string {
	all := make([]string, len(calls))
	for n, attempts := range calls {
		how := make([]string, len(attempts))
		for n, a := range attempts {
			if how[n] = strconv.Itoa(a.Status); a.Err != nil {
				how[n] = "error"
			}
		}
		all[n] = strings.Join(how, " ")
	}
	return strings.Join(all, ", ")
}

package integrationtests

import (
	"slices"

	"github.com/seed-552c89fc/insist/internal/servertest"
)

// knownFault is a promise that is known to be broken. An entry that no cut meets
// any more must go: the list shrinks to nothing.
type knownFault struct {
	why string
	is  func(s *scenario, f fault, r *result) bool
}

// knownFaults is empty: no promise is known to be broken by a cut.
var knownFaults []knownFault

func isSilent(c servertest.CutAt) bool { return c.Way == servertest.Silent }

// known returns which of the known faults f is, or -1.
func known(s *scenario, f fault, r *result) int {
	return slices.IndexFunc(knownFaults, func(k knownFault) bool { return k.is(s, f, r) })
}

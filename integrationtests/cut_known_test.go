package integrationtests

import "github.com/seed-552c89fc/insist/internal/servertest"

// known is a promise that is known to be broken. An entry that no cut meets any
// more must go: the list shrinks to nothing.
type known struct {
	why string
	is  func(s *scenario, f fault, cuts []servertest.CutAt) bool
}

var knownFaults = []known{
	{
		why: "HTTP/2: after a timeout the next attempts go down the same dead connection",
		is: func(s *scenario, f fault, cuts []servertest.CutAt) bool {
			return s.protocol == servertest.H2C && f == notEnded && silent(cuts)
		},
	},
	{
		why: "a response's body that is silent has no time limit",
		is: func(s *scenario, f fault, cuts []servertest.CutAt) bool {
			return (f == hung || f == notMended) && silent(cuts)
		},
	},
	{
		why: "a download of unknown length of which all bytes have come, but not the end, is asked for a range behind it",
		is: func(s *scenario, f fault, _ []servertest.CutAt) bool {
			return f == notMended && s.rules == resume && s.shape == servertest.OpenRanges
		},
	},
}

func silent(cuts []servertest.CutAt) bool {
	for _, c := range cuts {
		if c.Way == servertest.Silent {
			return true
		}
	}
	return false
}

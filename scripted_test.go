package insist

import (
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// Short names for what nearly each test has.
type (
	step         = insisttest.Step
	roundTripper = servertest.RoundTripper
)

var (
	script   = insisttest.NewScript
	status   = insisttest.Status
	fails    = servertest.Fails
	errLost  = servertest.ErrLost
	request  = servertest.Request
	text     = servertest.Text
	response = servertest.Response
)

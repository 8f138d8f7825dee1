package main

import (
	"slices"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

var (
	throttled = failure(429, "TooManyRequests", "Retry-After", "0")
	expired   = sabotage.Answer("application/json", event("ERROR", status(410, "Expired")))

	truncatedEvent = truncate("application/json", event("ADDED", pod("web"))+`{"type": "MODI`)
	truncatedLine  = truncate("text/plain", "start")
)

var steps = slices.Concat(listing, writing, streaming)

var listing = []step{
	list.When("none", "200", "", 0),
	list.When("reset", "error 200", "", 0, sabotage.Reset(0)),
	list.When("503", "503 200", "", 0, sabotage.Early(0, 503, "")),
	list.When("503 with Retry-After", "503 200", "", 0, sabotage.Early(0, 503, "0")),
	list.When("429", "429 429 200", "", 0, throttled, throttled),
	list.When("429, for good", "429 429 429", "TooManyRequests", 0, throttled, throttled, throttled),
	list.When("403", "403", "Forbidden", 0, failure(403, "Forbidden")),
	list.When("lost response", "error 200", "", 0, sabotage.Lose),
	list.When("truncated response", "200", "unexpected EOF", 0, sabotage.Truncate),
	listWhole.When("truncated response", "error 200", "", 0, sabotage.Truncate),
}

var writing = []step{
	create.When("none", "201", "", 1),
	create.When("503", "503", "ServiceUnavailable", 0, failure(503, "ServiceUnavailable")),
	create.When("429", "429 201", "", 1, throttled),
	create.When("reset", "error", "/pods", 0, sabotage.Reset(0)),
	create.When("lost response", "error", "/pods", 1, sabotage.Lose),
	update.When("none", "200", "", 1),
	update.When("reset", "error 200", "", 1, sabotage.Reset(0)),
	update.When("reset in mid-upload", "error 200", "", 1, sabotage.Reset(300_000)),
	update.When("early 503", "503 200", "", 1, sabotage.Early(300_000, 503, "")),
	update.When("lost response", "error 409", "Conflict", 1, sabotage.Lose),
}

var streaming = []step{
	follow.When("none", "200", "", 0),
	follow.When("503", "503 200", "", 0, sabotage.Early(0, 503, "")),
	follow.When("reset", "error 200", "", 0, sabotage.Reset(0)),
	follow.When("410 as an event", "200", "Expired", 0, expired),
	follow.When("truncated in an event", "200", "the watch ended early", 0, truncatedEvent),
	followLog.When("none", "200", "", 0),
	followLog.When("503", "503 200", "", 0, sabotage.Early(0, 503, "")),
	followLog.When("lost response", "error 200", "", 0, sabotage.Reset(0)),
	followLog.When("truncated in a line", "200", "unexpected EOF", 0, truncatedLine),
}

// executing has no attempts of ours: see retry.
var executing = []step{
	execute.When("none", "", "", 1),
	execute.When("503", "", "503", 0, sabotage.Early(0, 503, "")),
	execute.When("lost response", "", "connection reset", 0, sabotage.Reset(0)),
}

package main

import (
	"slices"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

var steps = slices.Concat(asking, listening)

var asking = []step{
	ask.When("none", "200", "", 1),
	ask.When("529", "529 200", "", 1, refuse(529, "overloaded_error")),
	ask.When("529, each time", "529 529 529", "overloaded_error", 0,
		refuse(529, "overloaded_error"), refuse(529, "overloaded_error"), refuse(529, "overloaded_error")),
	ask.When("429 with retry-after", "429 200", "", 1, refuse(429, "rate_limit_error", "retry-after", "0")),
	ask.When("500", "500 200", "", 1, refuse(500, "api_error")),
	ask.When("500, x-should-retry: false", "500", "api_error", 0, refuse(500, "api_error", "x-should-retry", "false")),
	ask.When("400", "400", "invalid_request_error", 0, refuse(400, "invalid_request_error")),
	ask.When("reset", "error", "/v1/messages", 0, sabotage.Reset(0)),
	ask.When("lost response", "error", "/v1/messages", 1, sabotage.Lose),
	ask.When("truncated response", "200", "unexpected EOF", 1, sabotage.Truncate),
}

var listening = []step{
	listen.When("none", "200", "", 1),
	listen.When("529", "529 200", "", 1, refuse(529, "overloaded_error")),
	listen.When("overloaded as the first event", "200 200", "", 1, failFirst("overloaded_error")),
	listen.When("overloaded, then 529", "200 529 200", "", 1, failFirst("overloaded_error"), refuse(529, "overloaded_error")),
	listen.When("overloaded as the first event, each time", "200 200 200", "overloaded_error", 0,
		failFirst("overloaded_error"), failFirst("overloaded_error"), failFirst("overloaded_error")),
	listen.When("an error that stays", "200", "invalid_request_error", 0, failFirst("invalid_request_error")),
	listen.When("overloaded in mid-message", "200", "overloaded_error", 0, failLate),
	listen.When("truncated in mid-message", "200", "unexpected EOF", 0, truncate),
}

package main

import (
	"slices"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

// failed answers as for a response that was begun and failed.
func failed(code string) sabotage.Fault {
	return sabotage.Answer("application/json", `{"id": "resp_0", "object": "response", "status": "failed",
		"error": {"code": "`+code+`", "message": "by the fake"}, "output": []}`)
}

var steps = slices.Concat(asking, listening, uploading)

var asking = []step{
	ask.When("none", "200", "", 1),
	ask.When("503", "503 200", "", 1, sabotage.Early(0, 503, "")),
	ask.When("503 with Retry-After", "503 200", "", 1, sabotage.Early(0, 503, "0")),
	ask.When("429 with retry-after-ms", "429 200", "", 1, refuse(429, "retry-after-ms", "5")),
	ask.When("500, x-should-retry: false", "500", "500", 0, refuse(500, "x-should-retry", "false")),
	ask.When("400, x-should-retry: true", "400 200", "", 1, refuse(400, "x-should-retry", "true")),
	ask.When("400", "400", "400 Bad Request", 0, refuse(400)),
	ask.When("failed: server_error", "200 200", "", 1, failed("server_error")),
	ask.When("failed: invalid_prompt", "200", "invalid_prompt", 0, failed("invalid_prompt")),
	ask.When("reset", "error", "/responses", 0, sabotage.Reset(0)),
	ask.When("lost response", "error", "/responses", 1, sabotage.Lose),
	ask.When("truncated response", "200", "unexpected EOF", 1, sabotage.Truncate),
}

var listening = []step{
	listen.When("none", "200", "", 1),
	listen.When("503", "503 200", "", 1, sabotage.Early(0, 503, "")),
	listen.When("429", "429 200", "", 1, refuse(429)),
	listen.When("reset", "error", "/responses", 0, sabotage.Reset(0)),
	listen.When("truncated after an event", "200", "unexpected EOF", 0, truncate),
	listen.When("an error as the first event", "200 200", "", 1, failFirst("server_error")),
	listen.When("overloaded, then 429", "200 429 200", "", 1, failFirst("overloaded_error"), refuse(429)),
	listen.When("an error as the first event, each time", "200 200 200", "server_error, says the fake", 0,
		failFirst("server_error"), failFirst("server_error"), failFirst("server_error")),
	listen.When("an error that stays", "200", "insufficient_quota", 0, failFirst("insufficient_quota")),
	listen.When("an error as the second event", "200", "overloaded", 0, failLate),
}

var uploading = []step{
	upload.When("none", "200", "", 1),
	upload.When("early 503", "503 200", "", 1, sabotage.Early(300_000, 503, "")),
	upload.When("early 429, twice", "429 429 200", "", 1, refuse(429), refuse(429)),
	upload.When("reset in mid-upload", "error", "/files", 0, sabotage.Reset(300_000)),
	uploadForSure.When("reset", "error 200", "", 1, sabotage.Reset(0)),
	uploadForSure.When("reset in mid-upload", "error 200", "", 1, sabotage.Reset(300_000)),
	uploadForSure.When("lost response", "error 200", "", 2, sabotage.Lose),
}

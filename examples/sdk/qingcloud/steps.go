package main

import (
	"fmt"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

func answers(code int) sabotage.Fault {
	return sabotage.Answer("application/json", fmt.Sprintf(`{"ret_code": %d, "message": "by the fake"}`, code))
}

var steps = []step{
	describe.When("none", "200", "", 0),
	// net/http repeats a GET by itself once, when its kept connection breaks.
	describe.When("reset, twice", "error 200", "", 0, sabotage.Reset(0), sabotage.Reset(0)),
	describe.When("503", "503 200", "", 0, sabotage.Early(0, 503, "")),
	describe.When("503 with Retry-After", "503 200", "", 0, sabotage.Early(0, 503, "1")),
	describe.When("429", "429 200", "", 0, sabotage.Early(0, 429, "")),
	describe.When("lost response, twice", "error 200", "", 0, sabotage.Lose, sabotage.Lose),
	describe.When("ret_code 5000, 5100", "200 200 200", "", 0, answers(5000), answers(5100)),
	describe.When("ret_code 5100 for good", "200 200 200", "Code (5100)", 0, answers(5100), answers(5100), answers(5100)),
	describe.When("ret_code 2500", "200", "Code (2500)", 0, answers(2500)),
	describe.When("truncated response", "error 200", "", 0, sabotage.Truncate),
	describe.When("truncated response, for good", "error error 200", "unexpected end of JSON input", 0, sabotage.Truncate, sabotage.Truncate, sabotage.Truncate),

	create.When("none", "200", "", 1),
	create.When("reset", "error", "Get: ", 0, sabotage.Reset(0)),
	create.When("503", "503", "StatusCode: 503", 0, sabotage.Early(0, 503, "")),
	create.When("503 with Retry-After", "503 200", "", 1, sabotage.Early(0, 503, "1")),
	create.When("503 with Retry-After, lost response", "503 error", "Get: ", 1, sabotage.Early(0, 503, "1"), sabotage.Lose),
	create.When("429", "429 200", "", 1, sabotage.Early(0, 429, "")),
	create.When("lost response", "error", "Get: ", 1, sabotage.Lose),
	create.When("ret_code 5000", "200", "Code (5000)", 0, answers(5000)),
	create.When("truncated response", "200", "unexpected end of JSON input", 1, sabotage.Truncate),

	upload.When("none", "200", "", 1),
	upload.When("early 503 with Retry-After", "503 200", "", 1, sabotage.Early(0, 503, "1")),
	upload.When("429, twice", "429 429 200", "", 1, sabotage.Early(0, 429, ""), sabotage.Early(0, 429, "")),
	upload.When("reset in mid-upload", "error", "Post: ", 0, sabotage.Reset(100_000)),
	upload.When("lost response", "error", "Post: ", 1, sabotage.Lose),
}

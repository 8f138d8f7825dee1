package main

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

// limit answers as GitHub does when nothing is left for some time.
func limit(lasts time.Duration) sabotage.Fault {
	return func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		reset := strconv.FormatInt(time.Now().Add(lasts).Unix(), 10)
		refuse(403, "API rate limit exceeded", "X-RateLimit-Limit", "5000",
			"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", reset)(w, req, next)
	}
}

var (
	secondary = refuse(403, "You have exceeded a secondary rate limit", "Retry-After", "0")
	forbidden = refuse(403, "Must have admin rights to Repository.")
	accepted  = sabotage.Fault(func(w http.ResponseWriter, req *http.Request, _ http.Handler) {
		says(http.StatusAccepted, `{}`)(w, req)
	})
)

var steps = slices.Concat(reading, creating, uploading)

var reading = []step{
	get.When("none", "200", "", 0),
	get.When("reset", "error 200", "", 0, sabotage.Reset(0)),
	get.When("503", "503 200", "", 0, sabotage.Early(0, 503, "")),
	get.When("503 with Retry-After", "503 200", "", 0, sabotage.Early(0, 503, "0")),
	get.When("429", "429 200", "", 0, sabotage.Early(0, 429, "")),
	get.When("403, secondary limit", "403 200", "", 0, secondary),
	get.When("403, limit that is over", "403 200", "", 0, limit(0)),
	get.When("403, limit of an hour", "403", "rate limit exceeded", 0, limit(time.Hour)),
	get.When("403, no limit", "403", "admin rights", 0, forbidden),
	get.When("lost response", "error 200", "", 0, sabotage.Lose),
	get.When("truncated response", "error 200", "", 0, sabotage.Truncate),
	get.When("truncated response, for good", "error error 200", "unexpected EOF", 0, sabotage.Truncate, sabotage.Truncate, sabotage.Truncate),
	getRenamed.When("503 after a redirect", "301, 503 200", "", 0, nil, sabotage.Early(0, 503, "")),
	count.When("202, not counted yet", "202 200", "", 0, accepted),
}

var creating = []step{
	open.When("none", "201", "", 1),
	open.When("503", "503", "503", 0, sabotage.Early(0, 503, "")),
	open.When("503 with Retry-After", "503 201", "", 1, sabotage.Early(0, 503, "0")),
	open.When("403, secondary limit", "403 201", "", 1, secondary),
	open.When("reset", "error", "/issues", 0, sabotage.Reset(0)),
	open.When("lost response", "error", "/issues", 1, sabotage.Lose),
	open.When("truncated response", "error", "unexpected EOF", 1, sabotage.Truncate),
}

var uploading = []step{
	upload.When("none", "201", "", 1),
	upload.When("reset", "error 201", "", 1, sabotage.Reset(0)),
	upload.When("reset in mid-upload", "error 201", "", 1, sabotage.Reset(300_000)),
	upload.When("early 503", "503 201", "", 1, sabotage.Early(300_000, 503, "")),
	upload.When("429, twice", "429 429 201", "", 1, sabotage.Early(300_000, 429, ""), sabotage.Early(300_000, 429, "")),
	upload.When("lost response", "error 422", "already_exists", 1, sabotage.Lose),
}

package main

import (
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

// failure is an error in a 200, behind what keeps the connection open until then.
func failure(code string) sabotage.Fault {
	return sabotage.Answer("application/xml", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n   \n"+
		"<Error><Code>"+code+"</Code><Message>We met an error.</Message></Error>")
}

var steps = append(uploads(upload, uploadStream), []step{
	uploadOnce.When("503", "503 200", "", 1, sabotage.Early(0, 503, "")),
	uploadOnce.When("lost response", "error", "PutObject", 1, sabotage.Lose),

	download.When("none", "200", "", 0),
	download.When("reset", "error 200", "", 0, sabotage.Reset(0)),
	download.When("503", "503 200", "", 0, sabotage.Early(0, 503, "")),
	download.When("503 with Retry-After", "503 200", "", 0, sabotage.Early(0, 503, "1")),
	download.When("429", "429 200", "", 0, sabotage.Early(0, 429, "")),
	download.When("lost response", "error 200", "", 0, sabotage.Lose),
	download.When("truncated response", "error 206", "", 0, sabotage.Truncate),
	download.When("truncated response, lost rest", "error error 206", "", 0, sabotage.Truncate, sabotage.Lose),

	uploadParts.When("none", "200, 200, 200, 200", "", 1),
	uploadParts.When("reset in the first part", "200, error 200, 200, 200", "", 1, nil, sabotage.Reset(1<<20)),
	uploadParts.When("lost response to a part", "200, 200, error 200, 200", "", 1, nil, nil, sabotage.Lose),
	uploadParts.When("InternalError in a 200, at the end", "200, 200, 200, 200 200", "", 1, nil, nil, nil, failure("InternalError")),
	uploadParts.When("InvalidPart in a 200, at the end", "200, 200, 200, 200", "InvalidPart", 0, nil, nil, nil, failure("InvalidPart")),
	uploadParts.When("503 at the end", "200, 200, 200, 503 200", "", 1, nil, nil, nil, sabotage.Early(0, 503, "")),
	uploadParts.When("truncated response to the end", "200, 200, 200, 200", "CompleteMultipartUpload", 1, nil, nil, nil, sabotage.Truncate),
	uploadParts.When("lost response to the end", "200, 200, 200, error", "CompleteMultipartUpload", 1, nil, nil, nil, sabotage.Lose),
	uploadParts.When("lost response to the beginning", "error", "CreateMultipartUpload", 0, sabotage.Lose),

	copyObject.When("SlowDown in a 200", "200 200", "", 1, failure("SlowDown")),
}...)

// uploads are the faults that an upload in one request meets.
func uploads(calls ...call) (all []step) {
	for _, c := range calls {
		all = append(all,
			c.When("none", "200", "", 1),
			c.When("reset before the body", "error 200", "", 1, sabotage.Reset(0)),
			c.When("reset in mid-upload", "error 200", "", 1, sabotage.Reset(2<<20)),
			c.When("reset in mid-upload, twice", "error error 200", "", 1, sabotage.Reset(3<<20), sabotage.Reset(1<<20)),
			c.When("503 before the body", "503 200", "", 1, sabotage.Early(0, 503, "")),
			c.When("503 in mid-upload", "503 200", "", 1, sabotage.Early(1<<20, 503, "")),
			c.When("503 in mid-upload, for good", "503 503 503", "503", 0, sabotage.Early(1<<20, 503, ""), sabotage.Early(1<<20, 503, ""), sabotage.Early(1<<20, 503, "")),
			c.When("503 with Retry-After", "503 200", "", 1, sabotage.Early(0, 503, "1")),
			c.When("429", "429 200", "", 1, sabotage.Early(0, 429, "")),
			c.When("lost response", "error 200", "", 1, sabotage.Lose),
		)
	}
	return all
}

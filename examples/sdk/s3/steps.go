package main

import (
	"fmt"
	"strings"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

// step is a fault that a call meets, and how that should end.
type step struct {
	call     call
	fault    string
	planned  []sabotage.Fault
	attempts string // the status of each, or error; commas between requests
	fails    string // what the error says; empty if there is none
	stored   bool   // is the object written that the call should write?
}

func faults(f ...sabotage.Fault) []sabotage.Fault { return f }

// failure is an error in a 200, behind what keeps the connection open meanwhile.
func failure(code string) sabotage.Fault {
	return sabotage.Answer("application/xml", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n   \n"+
		"<Error><Code>"+code+"</Code><Message>We met an error.</Message></Error>")
}

var steps = append(uploads(upload, uploadStream), []step{
	{uploadOnce, "503", faults(sabotage.Early(0, 503, "")), "503 200", "", true},
	{uploadOnce, "lost answer", faults(sabotage.Lose), "error", "PutObject", true},

	{download, "none", nil, "200", "", false},
	{download, "reset", faults(sabotage.Reset(0)), "error 200", "", false},
	{download, "503", faults(sabotage.Early(0, 503, "")), "503 200", "", false},
	{download, "503 with Retry-After", faults(sabotage.Early(0, 503, "1")), "503 200", "", false},
	{download, "429", faults(sabotage.Early(0, 429, "")), "429 200", "", false},
	{download, "lost answer", faults(sabotage.Lose), "error 200", "", false},
	{download, "truncated answer", faults(sabotage.Truncate), "200", "unexpected EOF", false},

	{uploadParts, "none", nil, "200, 200, 200, 200", "", true},
	{uploadParts, "reset in the first part", faults(nil, sabotage.Reset(1<<20)), "200, error 200, 200, 200", "", true},
	{uploadParts, "lost answer to a part", faults(nil, nil, sabotage.Lose), "200, 200, error 200, 200", "", true},
	{uploadParts, "InternalError in a 200, at the end", faults(nil, nil, nil, failure("InternalError")), "200, 200, 200, 200 200", "", true},
	{uploadParts, "InvalidPart in a 200, at the end", faults(nil, nil, nil, failure("InvalidPart")), "200, 200, 200, 200", "InvalidPart", false},
	{uploadParts, "503 at the end", faults(nil, nil, nil, sabotage.Early(0, 503, "")), "200, 200, 200, 503 200", "", true},
	{uploadParts, "truncated answer to the end", faults(nil, nil, nil, sabotage.Truncate), "200, 200, 200, 200", "CompleteMultipartUpload", true},
	{uploadParts, "lost answer to the end", faults(nil, nil, nil, sabotage.Lose), "200, 200, 200, error", "CompleteMultipartUpload", true},
	{uploadParts, "lost answer to the beginning", faults(sabotage.Lose), "error", "CreateMultipartUpload", false},

	{copyObject, "SlowDown in a 200", faults(failure("SlowDown")), "200 200", "", true},
}...)

// uploads are the faults that an upload in one request meets.
func uploads(calls ...call) (all []step) {
	for _, c := range calls {
		all = append(all,
			step{c, "none", nil, "200", "", true},
			step{c, "reset before the body", faults(sabotage.Reset(0)), "error 200", "", true},
			step{c, "reset in mid-upload", faults(sabotage.Reset(2 << 20)), "error 200", "", true},
			step{c, "reset in mid-upload, twice", faults(sabotage.Reset(3<<20), sabotage.Reset(1<<20)), "error error 200", "", true},
			step{c, "503 before the body", faults(sabotage.Early(0, 503, "")), "503 200", "", true},
			step{c, "503 in mid-upload", faults(sabotage.Early(1<<20, 503, "")), "503 200", "", true},
			step{c, "503 in mid-upload, for good", faults(sabotage.Early(1<<20, 503, ""), sabotage.Early(1<<20, 503, ""), sabotage.Early(1<<20, 503, "")), "503 503 503", "503", false},
			step{c, "503 with Retry-After", faults(sabotage.Early(0, 503, "1")), "503 200", "", true},
			step{c, "429", faults(sabotage.Early(0, 429, "")), "429 200", "", true},
			step{c, "lost answer", faults(sabotage.Lose), "error 200", "", true},
		)
	}
	return all
}

// take makes the call, and holds what happened against what should have.
func (s step) take(w *world) (outcome string, err error) {
	w.faults.Plan(s.planned...)
	outcome, failed := s.call.make(w)
	if failed != nil {
		outcome = "error: " + failed.Error()
	}
	stored, err := w.stored()
	switch {
	case err != nil:
		return outcome, err
	case s.fails == "" && failed != nil, s.fails != "" && (failed == nil || !strings.Contains(failed.Error(), s.fails)):
		return outcome, fmt.Errorf("got error %v, want %q", failed, s.fails)
	case attempts(w.record) != s.attempts:
		return outcome, fmt.Errorf("got attempts %s, want %s", attempts(w.record), s.attempts)
	case s.stored && stored != content, !s.stored && stored != "":
		return outcome, fmt.Errorf("%d bytes are stored, or others than were sent", len(stored))
	case w.faults.Left() != 0:
		return outcome, fmt.Errorf("%d faults are left", w.faults.Left())
	}
	return outcome, nil
}

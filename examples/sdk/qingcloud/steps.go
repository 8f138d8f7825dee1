package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	qc "github.com/yunify/qingcloud-sdk-go/service"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

// step is a fault that a call meets, and how that should end.
type step struct {
	call     call
	fault    string
	planned  []sabotage.Fault
	attempts string // the status of each, or error
	fails    string // what the error says; empty if there is none
	created  int    // what the cloud has created afterwards
}

// call is one of the SDK's calls as a program makes it.
type call struct {
	name string
	make func(w *world) (outcome string, err error)
}

var describe = call{"DescribeInstances", func(w *world) (string, error) {
	instances, err := w.service.Instance("pek3a")
	if err != nil {
		return "", err
	}
	output, err := instances.DescribeInstances(&qc.DescribeInstancesInput{
		Status: qc.StringSlice([]string{"running", "stopped"}),
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d instances", qc.IntValue(output.TotalCount)), nil
}}

var create = call{"RunInstances", func(w *world) (string, error) {
	instances, err := w.service.Instance("pek3a")
	if err != nil {
		return "", err
	}
	output, err := instances.RunInstances(&qc.RunInstancesInput{
		ImageID:      qc.String("centos7x64d"),
		InstanceName: qc.String("web server, the first"),
		LoginMode:    qc.String("keypair"),
		LoginKeyPair: qc.String("kp-xxxxxxxx"),
	})
	if err != nil {
		return "", err
	}
	return "created " + qc.StringValue(output.Instances[0]), nil
}}

// upload sends a POST. The SDK gives it a body without GetBody or length.
var upload = call{"UploadUserDataAttachment", func(w *world) (string, error) {
	data, err := w.service.UserData("pek3a")
	if err != nil {
		return "", err
	}
	output, err := data.UploadUserDataAttachment(&qc.UploadUserDataAttachmentInput{
		AttachmentContent: qc.String(attachment),
		AttachmentName:    qc.String("start script"),
	})
	if err != nil {
		return "", err
	}
	return "created " + qc.StringValue(output.AttachmentID), nil
}}

var attachment = strings.TrimSpace(strings.Repeat("echo hello, cloud\n", 40_000)) // as the SDK does

var (
	faults  = func(f ...sabotage.Fault) []sabotage.Fault { return f }
	answers = func(code int) sabotage.Fault {
		return sabotage.Answer("application/json", fmt.Sprintf(`{"ret_code": %d, "message": "by the fake"}`, code))
	}
)

var steps = []step{
	{describe, "none", nil, "200", "", 0},
	// net/http repeats a GET by itself once, when its kept connection breaks.
	{describe, "reset, twice", faults(sabotage.Reset(0), sabotage.Reset(0)), "error 200", "", 0},
	{describe, "503", faults(sabotage.Early(0, 503, "")), "503 200", "", 0},
	{describe, "503 with Retry-After", faults(sabotage.Early(0, 503, "1")), "503 200", "", 0},
	{describe, "429", faults(sabotage.Early(0, 429, "")), "429 200", "", 0},
	{describe, "lost answer, twice", faults(sabotage.Lose, sabotage.Lose), "error 200", "", 0},
	{describe, "ret_code 5000, 5100", faults(answers(5000), answers(5100)), "200 200 200", "", 0},
	{describe, "ret_code 5100 for good", faults(answers(5100), answers(5100), answers(5100)), "200 200 200", "Code (5100)", 0},
	{describe, "ret_code 2500", faults(answers(2500)), "200", "Code (2500)", 0},
	{describe, "truncated answer", faults(sabotage.Truncate), "200", "unexpected end of JSON input", 0},

	{create, "none", nil, "200", "", 1},
	{create, "reset", faults(sabotage.Reset(0)), "error", "RunInstances", 0},
	{create, "503", faults(sabotage.Early(0, 503, "")), "503", "StatusCode: 503", 0},
	{create, "503 with Retry-After", faults(sabotage.Early(0, 503, "1")), "503 200", "", 1},
	{create, "429", faults(sabotage.Early(0, 429, "")), "429 200", "", 1},
	{create, "lost answer", faults(sabotage.Lose), "error", "RunInstances", 1},
	{create, "ret_code 5000", faults(answers(5000)), "200", "Code (5000)", 0},
	{create, "truncated answer", faults(sabotage.Truncate), "200", "unexpected end of JSON input", 1},

	{upload, "none", nil, "200", "", 1},
	{upload, "early 503 with Retry-After", faults(sabotage.Early(0, 503, "1")), "503 200", "", 1},
	{upload, "429, twice", faults(sabotage.Early(0, 429, ""), sabotage.Early(0, 429, "")), "429 429 200", "", 1},
	{upload, "reset in mid-upload", faults(sabotage.Reset(100_000)), "error", "/iaas", 0},
	{upload, "lost answer", faults(sabotage.Lose), "error", "/iaas", 1},
}

// take makes the call, and holds what happened against what should have.
func (s step) take(w *world) (outcome string, err error) {
	w.faults.Plan(s.planned...)
	outcome, failed := s.call.make(w)
	if failed != nil {
		outcome = "error: " + briefly(failed)
	}
	instances, attachments := w.api.ledger()
	created := len(instances) + len(attachments)
	switch {
	case s.fails == "" && failed != nil, s.fails != "" && (failed == nil || !strings.Contains(failed.Error(), s.fails)):
		return outcome, fmt.Errorf("got error %v, want %q", failed, s.fails)
	case w.attempts() != s.attempts:
		return outcome, fmt.Errorf("got attempts %s, want %s", w.attempts(), s.attempts)
	case created != s.created:
		return outcome, fmt.Errorf("%d created, want %d", created, s.created)
	case w.faults.Left() != 0:
		return outcome, fmt.Errorf("%d faults are left", w.faults.Left())
	}
	for _, a := range attachments {
		if a != attachment {
			return outcome, fmt.Errorf("an attachment arrived with %d bytes, not whole", len(a))
		}
	}
	return outcome, nil
}

// note is for Policy.OnAttempt.
func (w *world) note(_ context.Context, a insist.Attempt) {
	how := "error"
	if a.Err == nil {
		how = strconv.Itoa(a.Status)
	}
	w.timeline = append(w.timeline[:a.Number-1], how)
}

// briefly leaves out the URL, which has the signature in it.
func briefly(err error) string {
	if bad, ok := errors.AsType[*url.Error](err); ok {
		err = bad.Err
	}
	return err.Error()
}

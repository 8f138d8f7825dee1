package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	qc "github.com/yunify/qingcloud-sdk-go/service"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

type (
	call = sabotage.Call[*world]
	step = sabotage.Step[*world]
)

var describe = call{Name: "DescribeInstances", Make: func(w *world) (string, error) {
	instances, err := w.service.Instance("pek3a")
	if err != nil {
		return "", err
	}
	output, err := instances.DescribeInstances(&qc.DescribeInstancesInput{
		Status: qc.StringSlice([]string{"running", "stopped"}),
	})
	if err != nil {
		return "", withoutURL(err)
	}
	return fmt.Sprintf("%d instances", qc.IntValue(output.TotalCount)), nil
}}

var create = call{Name: "RunInstances", Make: func(w *world) (string, error) {
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
		return "", withoutURL(err)
	}
	return "created " + qc.StringValue(output.Instances[0]), nil
}}

// upload sends a POST. The SDK gives it a body without GetBody or length.
var upload = call{Name: "UploadUserDataAttachment", Make: func(w *world) (string, error) {
	data, err := w.service.UserData("pek3a")
	if err != nil {
		return "", err
	}
	output, err := data.UploadUserDataAttachment(&qc.UploadUserDataAttachmentInput{
		AttachmentContent: qc.String(attachment),
		AttachmentName:    qc.String("start script"),
	})
	if err != nil {
		return "", withoutURL(err)
	}
	return "created " + qc.StringValue(output.AttachmentID), nil
}}

var attachment = strings.TrimSpace(strings.Repeat("echo hello, cloud\n", 40_000)) // as the SDK does

// withoutURL keeps the signature in the URL from being printed.
func withoutURL(err error) error {
	if bad, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%s: %w", bad.Op, bad.Err)
	}
	return err
}

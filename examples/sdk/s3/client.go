package main

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/seed-552c89fc/insist"
)

// connect is the SDK's quick start with two lines more: its own retry off, ours
// in. They are options of the client, not of the configuration, which refuses an
// HTTP client of ours where AWS_CA_BUNDLE is set. There, let
// cfg.HTTPClient.(*awshttp.BuildableClient).GetTransport() be the base. Here base
// and others are the fake's; in a program of yours leave both out.
func connect(ctx context.Context, policy insist.Policy, base http.RoundTripper, others ...func(*config.LoadOptions) error) (*s3.Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx, others...)
	if err != nil {
		return nil, err
	}
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = true // the fake wants it
		o.Retryer = aws.NopRetryer{}
		o.HTTPClient = &http.Client{Transport: &insist.RetryTransport{Policy: policy, Base: base}}
	}), nil
}

// newPolicy returns what is right for S3.
func newPolicy() insist.Policy {
	policy := insist.Standard()
	policy.RetryableBody = failedLate
	policy.MaxPeekTime = 10 * time.Minute          // for failedLate: S3 sends blanks until it knows
	policy.NonIdempotent = insist.ResendUnlessLost // an error, also one in a 200, means that nothing was done
	policy.Idempotent = mayBeRepeated
	policy.ResumeDownloads = true
	// The attempts share a signature that is good for 15 minutes. Where that is too
	// short, sign anew by Prepare, with the SDK's aws/signer/v4.
	policy.MaxElapsed = 14 * time.Minute
	return policy
}

// mayBeRepeated reports whether a request may be repeated when its response was
// lost. A POST begins a multipart upload, or completes one, which can be done
// once. A write on a condition would be refused for what its first attempt wrote.
func mayBeRepeated(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead:
		return true
	case http.MethodPut, http.MethodDelete:
		return req.Header.Get("If-None-Match") == "" && req.Header.Get("If-Match") == ""
	}
	return false
}

// failedLate finds an error in a 200, by which CompleteMultipartUpload and the
// copies answer when they fail after they have begun to answer.
func failedLate(req *http.Request, _ *http.Response, _ int, body io.Reader) (d insist.Decision) {
	complete := req.Method == http.MethodPost && req.URL.Query().Has("uploadId")
	if !complete && req.Header.Get("X-Amz-Copy-Source") == "" {
		return d
	}
	switch errorCode(body) {
	case "InternalError", "SlowDown", "ServiceUnavailable":
		d.Verdict = insist.Retry
	}
	return d
}

// errorCode returns the Code in a document whose root is an Error, or "". Of
// any other document it reads no more than the root's name.
func errorCode(body io.Reader) string {
	doc := xml.NewDecoder(body)
	for {
		token, err := doc.Token()
		if err != nil {
			return ""
		}
		root, ok := token.(xml.StartElement)
		switch {
		case !ok:
			continue
		case root.Name.Local != "Error":
			return ""
		}
		var failure struct{ Code string }
		if doc.DecodeElement(&failure, &root) != nil {
			return ""
		}
		return failure.Code
	}
}

package main

import (
	"net/http"
	"strings"

	"github.com/yunify/qingcloud-sdk-go/config"
	"github.com/yunify/qingcloud-sdk-go/request"
	qc "github.com/yunify/qingcloud-sdk-go/service"

	"github.com/seed-552c89fc/insist"
)

// An account is a pair of keys.
type account struct{ id, secret string }

// connect is the SDK's quick start with two lines more: its own retry off, ours
// in. The SDK's own would send a body again that has been read, and a lost
// RunInstances, too. base makes the attempts; in a program of yours leave it out.
func connect(endpoint string, a account, policy insist.Policy, base http.RoundTripper) (*qc.QingCloudService, error) {
	configuration, err := config.NewWithEndpoint(a.id, a.secret, endpoint)
	if err != nil {
		return nil, err
	}
	configuration.ConnectionRetries = 0
	configuration.Connection = &http.Client{Transport: &insist.RetryTransport{Policy: policy, Base: base}}
	configuration.LogLevel = "fatal" // else each failure is logged to stderr
	return qc.Init(configuration)
}

// policyFor returns what is right for QingCloud.
func policyFor(a account) insist.Policy {
	policy := insist.Standard()
	policy.RetryableBody = insist.JSONField("/ret_code", mayPass)
	policy.Idempotent = changesNothing
	policy.MaxWholeBytes = 1 << 20 // so that a truncated response is a failure
	policy.Prepare = func(req *http.Request, _ *http.Response, _ error) error { return a.sign(req) }
	return policy
}

// mayPass reports whether a ret_code says that another attempt may go better:
// 5000 is an internal error, 5100 a busy server. An expired signature (1300) or a
// used-up quota (2500) would be the same again.
func mayPass(code int) bool { return code == 5000 || code == 5100 }

// changesNothing is needed since nearly all of QingCloud's actions are GETs, the
// ones that create and delete, too. The few POSTs have their action in the body,
// and change something.
func changesNothing(req *http.Request) bool {
	action := req.URL.Query().Get("action")
	return strings.HasPrefix(action, "Describe") || strings.HasPrefix(action, "Get")
}

// sign signs an attempt anew, with the SDK's own signer: a signature is good for
// a minute, and three attempts with their waits may take longer. A POST has its
// signature in the body, where it stays as it is: late attempts get a 1300.
//
// The signer's WriteSignature would also replace the body, which isn't ours here.
func (a account) sign(req *http.Request) error {
	if req.Method != http.MethodGet {
		return nil
	}
	query := req.URL.Query()
	query.Del("signature")
	req.URL.RawQuery = query.Encode()
	signer := request.Signer{AccessKeyID: a.id, SecretAccessKey: a.secret}
	if _, err := signer.BuildSignature(req); err != nil {
		return err
	}
	signed, err := req.URL.Parse(signer.BuiltURL)
	if err != nil {
		return err
	}
	req.URL = signed
	return nil
}

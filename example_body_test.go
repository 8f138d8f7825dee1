package insist_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist"
)

// bodyServer answers 200 with these bodies, one after the other, and goes on with
// the last one. Its answers are numbered.
func bodyServer(contentType string, bodies ...string) *httptest.Server {
	requests := 0
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("X-Number", strconv.Itoa(requests))
		io.WriteString(w, bodies[min(requests, len(bodies))-1])
	}))
}

func jsonServer(bodies ...string) *httptest.Server {
	return bodyServer("application/json", bodies...)
}

// printAnswer prints what the caller of a client gets.
func printAnswer(resp *http.Response, err error) {
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("answer %s: %s\n", resp.Header.Get("X-Number"), body)
}

// QingCloud answers 200 and says in ret_code whether it worked: 5000 (internal
// error) and 5100 (busy) may pass.
//
// Repeating is wrong for 1300, an expired signature, which needs a new one, and
// for 2500, a used-up quota. It is wrong for a RunInstances that may have taken
// effect, although that is a GET, too: hence Idempotent. Signatures last for
// minutes; where the waits come near that, sign anew by Prepare.
func ExampleJSONField_qingCloud() {
	server := jsonServer(
		`{"ret_code": 5000, "message": "InternalError"}`,
		`{"ret_code": 5100, "message": "ServerBusy"}`,
		`{"action": "DescribeInstancesResponse", "ret_code": 0}`,
		`{"ret_code": 1300, "message": "RequestHasExpired"}`,
	)
	defer server.Close()

	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	policy.Idempotent = func(req *http.Request) bool {
		return strings.HasPrefix(req.URL.Query().Get("action"), "Describe")
	}
	policy.RetryableBody = insist.JSONField("/ret_code", func(code int) bool {
		return code == 5000 || code == 5100
	})
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	printAnswer(client.Get(server.URL + "/iaas/?action=DescribeInstances"))
	printAnswer(client.Get(server.URL + "/iaas/?action=DescribeInstances"))
	// Output:
	// answer 3: {"action": "DescribeInstancesResponse", "ret_code": 0}
	// answer 4: {"ret_code": 1300, "message": "RequestHasExpired"}
}

// WeChat has an errcode that is 0 on success, or is not there at all, which is no
// failure either. -1 is a busy system, 45011 a limit for each minute. It serves
// JSON as text/plain; the Content-Type doesn't matter.
//
// Repeating is wrong for 40001 and 42001: the token in the URL has expired, and
// would be the same again.
func ExampleJSONField_weChat() {
	server := bodyServer("text/plain",
		`{"errcode": -1, "errmsg": "system error"}`,
		`{"errcode": 45011, "errmsg": "api minute-quota reach limit"}`,
		`{"access_token": "t", "expires_in": 7200}`,
	)
	defer server.Close()

	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond) // for 45011 rather a minute
	policy.RetryableBody = insist.JSONField("/errcode", func(code int) bool {
		return code == -1 || code == 45011
	})
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	printAnswer(client.Get(server.URL + "/cgi-bin/token"))
	// Output: answer 3: {"access_token": "t", "expires_in": 7200}
}

// Lark limits rates by a code in the body of a 400, which neither Standard nor the
// default takes for a failure: so the body is asked. It says that nothing was
// done, and ResendUnlessLost lets a POST, too, be sent again for what its answer
// says; Standard alone would not.
//
// Repeating is wrong for other codes: most name a mistake in the request.
func ExampleJSONField_lark() {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("X-Number", strconv.Itoa(requests))
		if requests == 1 {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"code": 99991400, "msg": "request trigger frequency limit"}`)
			return
		}
		io.WriteString(w, `{"code": 0, "msg": "success"}`)
	}))
	defer server.Close()

	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	policy.NonIdempotent = insist.ResendUnlessLost
	policy.RetryableBody = insist.JSONField("/code", func(code int) bool { return code == 99991400 })
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	printAnswer(client.Post(server.URL+"/open-apis/im/v1/messages", "application/json", strings.NewReader(`{}`)))
	// Output: answer 2: {"code": 0, "msg": "success"}
}

// Slack says "ok": false, and by a word in error what went wrong.
//
// Repeating is wrong for a chat.postMessage that met internal_error or
// fatal_error, which may have been carried out in part: there repeat for
// ratelimited alone. Standard repeats no POST for its body; this is a GET.
func ExampleJSONField_slack() {
	server := jsonServer(
		`{"ok": false, "error": "internal_error"}`,
		`{"ok": true, "channels": []}`,
		`{"ok": false, "error": "channel_not_found"}`,
	)
	defer server.Close()

	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	policy.RetryableBody = insist.JSONField("/error", func(word string) bool {
		switch word {
		case "ratelimited", "internal_error", "fatal_error", "service_unavailable":
			return true
		}
		return false
	})
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	printAnswer(client.Get(server.URL + "/api/conversations.list"))
	printAnswer(client.Get(server.URL + "/api/conversations.info?channel=C0"))
	// Output:
	// answer 2: {"ok": true, "channels": []}
	// answer 3: {"ok": false, "error": "channel_not_found"}
}

// Tencent Cloud has a Response.Error only in failures. All its calls may be POSTs,
// of which those that describe change nothing.
//
// Repeating is wrong for AuthFailure.SignatureExpire, which needs a new signature
// (see Policy.Prepare), and for a RunInstances without ClientToken.
func ExampleJSONField_tencent() {
	server := jsonServer(
		`{"Response": {"Error": {"Code": "RequestLimitExceeded", "Message": "slow"}, "RequestId": "1"}}`,
		`{"Response": {"TotalCount": 0, "RequestId": "2"}}`,
	)
	defer server.Close()

	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	policy.Idempotent = func(req *http.Request) bool {
		return strings.HasPrefix(req.Header.Get("X-TC-Action"), "Describe")
	}
	policy.RetryableBody = insist.JSONField("/Response/Error/Code", func(code string) bool {
		return strings.HasPrefix(code, "RequestLimitExceeded") || strings.HasPrefix(code, "InternalError")
	})
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	req, _ := http.NewRequest("POST", server.URL, strings.NewReader(`{"Limit": 1}`))
	req.Header.Set("X-TC-Action", "DescribeInstances")
	printAnswer(client.Do(req))
	// Output: answer 2: {"Response": {"TotalCount": 0, "RequestId": "2"}}
}

// Many APIs answer "success": false.
//
// Repeating is wrong where that also reports mistakes in the request: then decide
// by the code that comes with it.
func ExampleJSONFieldNot() {
	server := jsonServer(
		`{"success": false, "message": "try later"}`,
		`{"success": true, "items": [1, 2]}`,
	)
	defer server.Close()

	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	policy.RetryableBody = insist.JSONFieldNot("/success", true)
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	printAnswer(client.Get(server.URL))
	// Output: answer 2: {"success": true, "items": [1, 2]}
}

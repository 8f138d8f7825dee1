package insist_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist"
)

// bodyServer answers 200 with these bodies, one after the other, and goes on with
// the last one. Its responses are numbered.
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

// printResponse prints what the caller of a client gets.
func printResponse(resp *http.Response, err error) {
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
	fmt.Printf("response %s: %s\n", resp.Header.Get("X-Number"), body)
}

// QingCloud answers 200 and says in ret_code whether it worked: 5000 (internal
// error) and 5100 (busy) may pass.
//
// Retrying is wrong for 1300, an expired signature, which needs a new one, and
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
	policy.RetryableBody = insist.JSONField("/ret_code", func(code int) bool {
		return code == 5000 || code == 5100
	})
	policy.Idempotent = func(req *http.Request) bool {
		return strings.HasPrefix(req.URL.Query().Get("action"), "Describe")
	}
	policy.Backoff = insist.Constant(time.Millisecond)
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	printResponse(client.Get(server.URL + "/iaas/?action=DescribeInstances"))
	printResponse(client.Get(server.URL + "/iaas/?action=DescribeInstances"))
	// Output:
	// response 3: {"action": "DescribeInstancesResponse", "ret_code": 0}
	// response 4: {"ret_code": 1300, "message": "RequestHasExpired"}
}

// WeChat has an errcode that is 0 on success, or is not there at all, which is no
// failure either. -1 is a busy system, 45011 a limit for each minute. It serves
// JSON as text/plain; the Content-Type doesn't matter.
//
// Retrying is wrong for 40001 and 42001: the token in the URL has expired, and
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

	printResponse(client.Get(server.URL + "/cgi-bin/token"))
	// Output: response 3: {"access_token": "t", "expires_in": 7200}
}

// Lark limits rates by a code in the body of a 400, which neither Standard nor the
// default counts as a failure: so the body is asked. It says that nothing was
// done, and ResendUnlessLost lets a POST, too, be retried for what its response
// says; Standard alone would not.
//
// Retrying is wrong for other codes: most name a mistake in the request.
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

	printResponse(client.Post(server.URL+"/open-apis/im/v1/messages", "application/json", strings.NewReader(`{}`)))
	// Output: response 2: {"code": 0, "msg": "success"}
}

// Slack says "ok": false, and by a word in error what went wrong.
//
// Retrying is wrong for a chat.postMessage that met internal_error or
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

	printResponse(client.Get(server.URL + "/api/conversations.list"))
	printResponse(client.Get(server.URL + "/api/conversations.info?channel=C0"))
	// Output:
	// response 2: {"ok": true, "channels": []}
	// response 3: {"ok": false, "error": "channel_not_found"}
}

// Tencent Cloud has a Response.Error only in failures. All its calls may be POSTs,
// of which those that describe change nothing.
//
// Retrying is wrong for AuthFailure.SignatureExpire, which needs a new signature
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
	printResponse(client.Do(req))
	// Output: response 2: {"Response": {"TotalCount": 0, "RequestId": "2"}}
}

// Many APIs answer "success": false.
//
// Retrying is wrong where that also reports mistakes in the request: then decide
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

	printResponse(client.Get(server.URL))
	// Output: response 2: {"success": true, "items": [1, 2]}
}

// An API that reports failures in two ways. Each condition sees the body from its
// start.
func ExampleAnyOf() {
	server := jsonServer(
		`{"error": {"code": "busy"}}`,
		`{"ret_code": 5000}`,
		`{"ret_code": 0}`,
	)
	defer server.Close()

	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	policy.RetryableBody = insist.AnyOf(
		insist.JSONField("/error/code", func(code string) bool { return code == "busy" }),
		insist.JSONField("/ret_code", func(code int) bool { return code == 5000 }),
	)
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	printResponse(client.Get(server.URL))
	// Output: response 3: {"ret_code": 0}
}

// Standard retries no POST for what the body of its response says, unless Idempotent
// or NonIdempotent allows it.
func ExampleJSONField_post() {
	alone := insist.Standard()
	alone.Backoff = insist.Constant(time.Millisecond)
	alone.RetryableBody = insist.JSONFieldNot("/ret_code", 0)

	search, nothingDone := alone, alone
	search.Idempotent = func(req *http.Request) bool { return req.URL.Path == "/search" }
	nothingDone.NonIdempotent = insist.ResendUnlessLost

	for _, policy := range []insist.Policy{alone, search, nothingDone} {
		server := jsonServer(`{"ret_code": 5000}`, `{"ret_code": 0}`)
		client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}
		printResponse(client.Post(server.URL+"/search", "application/json", strings.NewReader(`{"q": "go"}`)))
		server.Close()
	}
	// Output:
	// response 1: {"ret_code": 5000}
	// response 2: {"ret_code": 0}
	// response 2: {"ret_code": 0}
}

// JSON-RPC has an error only in failures. A nil function asks for no more than
// that it be there; it is right where the requests are known to be good.
//
// Retrying is wrong for -32601 and -32602 (no such method, bad parameters): see
// the next example.
func ExampleJSONField_present() {
	server := jsonServer(
		`{"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "Internal error"}}`,
		`{"jsonrpc": "2.0", "id": 1, "result": "0x10"}`,
	)
	defer server.Close()

	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	policy.NonIdempotent = insist.ResendUnlessLost // JSON-RPC is all POST
	policy.RetryableBody = insist.JSONField[any]("/error", nil)
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	call := `{"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber"}`
	printResponse(client.Post(server.URL, "application/json", strings.NewReader(call)))
	// Output: response 2: {"jsonrpc": "2.0", "id": 1, "result": "0x10"}
}

// The code of a JSON-RPC error says whether it may pass: -32005 is a rate limit
// of Ethereum nodes, -32603 an internal error.
//
// Retrying is wrong for a method that changes something and met -32603.
func ExampleJSONField_jsonRPC() {
	server := jsonServer(
		`{"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "limit exceeded"}}`,
		`{"jsonrpc": "2.0", "id": 1, "result": "0x10"}`,
		`{"jsonrpc": "2.0", "id": 2, "error": {"code": -32601, "message": "Method not found"}}`,
	)
	defer server.Close()

	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	policy.NonIdempotent = insist.ResendUnlessLost
	policy.RetryableBody = insist.JSONField("/error/code", func(code int) bool {
		return code == -32005 || code == -32603
	})
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	call := `{"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber"}`
	printResponse(client.Post(server.URL, "application/json", strings.NewReader(call)))
	call = `{"jsonrpc": "2.0", "id": 2, "method": "eth_unheardOf"}`
	printResponse(client.Post(server.URL, "application/json", strings.NewReader(call)))
	// Output:
	// response 2: {"jsonrpc": "2.0", "id": 1, "result": "0x10"}
	// response 3: {"jsonrpc": "2.0", "id": 2, "error": {"code": -32601, "message": "Method not found"}}
}

// The response to a JSON-RPC batch is a list. The pointer "" takes the whole of it,
// which is held in memory, up to MaxPeekBytes.
//
// Retrying is wrong where a call of the batch changes something: what has
// succeeded is done once more.
func ExampleJSONField_jsonRPCBatch() {
	server := jsonServer(
		`[{"id": 1, "result": "0x10"}, {"id": 2, "error": {"code": -32005}}]`,
		`[{"id": 1, "result": "0x10"}, {"id": 2, "result": "0x1"}]`,
	)
	defer server.Close()

	type result struct{ Error struct{ Code int } }
	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	policy.NonIdempotent = insist.ResendUnlessLost
	policy.RetryableBody = insist.JSONField("", func(batch []result) bool {
		return slices.ContainsFunc(batch, func(r result) bool { return r.Error.Code == -32005 })
	})
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	calls := `[{"id": 1, "method": "eth_blockNumber"}, {"id": 2, "method": "eth_chainId"}]`
	printResponse(client.Post(server.URL, "application/json", strings.NewReader(calls)))
	// Output: response 2: [{"id": 1, "result": "0x10"}, {"id": 2, "result": "0x1"}]
}

// GraphQL is all POST, but a query changes nothing. With Idempotent to tell the
// two apart, Standard retries a query for what its response says, and also if the
// response was lost.
//
// Retrying is wrong for a mutation: beside its errors there may be data of what
// was carried out. It is wrong for errors in the query itself, which have other
// codes. Where data comes before errors, and is long, raise MaxPeekBytes.
func ExampleJSONField_graphQL() {
	server := jsonServer(
		`{"errors": [{"message": "wait", "extensions": {"code": "RATE_LIMITED"}}], "data": null}`,
		`{"data": {"items": []}}`,
		`{"errors": [{"message": "wait", "extensions": {"code": "RATE_LIMITED"}}], "data": {"a": 1, "b": null}}`,
	)
	defer server.Close()

	isQuery := func(req *http.Request) bool {
		if req.GetBody == nil { // http.NewRequest sets it for a body in memory
			return false
		}
		body, err := req.GetBody()
		if err != nil {
			return false
		}
		defer body.Close()
		var call struct{ Query string }
		return json.NewDecoder(body).Decode(&call) == nil &&
			call.Query != "" && !strings.Contains(call.Query, "mutation")
	}
	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	policy.Idempotent = isQuery
	policy.RetryableBody = insist.JSONField("/errors/0/extensions/code", func(code string) bool {
		return code == "RATE_LIMITED" || code == "INTERNAL"
	})
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	query, mutation := `{"query": "{ items { id } }"}`, `{"query": "mutation { a: add(n: 1) b: add(n: 2) }"}`
	printResponse(client.Post(server.URL, "application/json", strings.NewReader(query)))
	printResponse(client.Post(server.URL, "application/json", strings.NewReader(mutation)))
	// Output:
	// response 2: {"data": {"items": []}}
	// response 3: {"errors": [{"message": "wait", "extensions": {"code": "RATE_LIMITED"}}], "data": {"a": 1, "b": null}}
}

// Elasticsearch answers a bulk of which a part failed with "errors": true. Only
// who made the bulk knows whether it may be repeated, so it is that request's
// context that says so.
//
// Retrying the whole is wrong unless each action indexes by an _id: without,
// what has succeeded is there twice. Even so a document that does not fit its
// mapping fails again each time.
func ExampleJSONFieldNot_bulk() {
	server := jsonServer(
		`{"took": 3, "errors": true, "items": [{"index": {"_id": "1", "status": 429}}]}`,
		`{"took": 3, "errors": false, "items": [{"index": {"_id": "1", "status": 201}}]}`,
	)
	defer server.Close()
	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	ctx := insist.EditPolicy(context.Background(), func(p *insist.Policy) {
		p.Idempotent = func(*http.Request) bool { return true } // every action has an _id
		p.RetryableBody = insist.JSONFieldNot("/errors", false)
	})
	bulk := "{\"index\": {\"_id\": \"1\"}}\n{\"name\": \"apple\"}\n"
	req, _ := http.NewRequestWithContext(ctx, "POST", server.URL+"/fruit/_bulk", strings.NewReader(bulk))
	req.Header.Set("Content-Type", "application/x-ndjson")
	printResponse(client.Do(req))
	// Output: response 2: {"took": 3, "errors": false, "items": [{"index": {"_id": "1", "status": 201}}]}
}

// Telegram says in the body of a 429 how long to wait. The status alone asks for
// another attempt, whatever the body is; the condition reads the wait from it.
//
// Retrying is wrong for another 4xx. A longer wait than MaxRetryAfter ends the
// call with that response.
func ExampleBodyCondition() {
	const second = 10 * time.Millisecond // time.Second, but in an example
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("X-Number", strconv.Itoa(requests))
		if requests == 1 {
			w.WriteHeader(http.StatusTooManyRequests)
			io.WriteString(w, `{"ok": false, "error_code": 429, "parameters": {"retry_after": 3}}`)
			return
		}
		io.WriteString(w, `{"ok": true, "result": {}}`)
	}))
	defer server.Close()

	policy := insist.Standard()
	policy.RetryableBody = func(_ *http.Request, resp *http.Response, _ int, body io.Reader) insist.Decision {
		if resp.StatusCode != http.StatusTooManyRequests {
			return insist.Decision{}
		}
		var failure struct {
			Parameters struct {
				RetryAfter int `json:"retry_after"`
			}
		}
		json.NewDecoder(body).Decode(&failure) // where it fails, Backoff decides
		return insist.Decision{Wait: time.Duration(failure.Parameters.RetryAfter) * second}
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	printResponse(client.Post(server.URL+"/bot0/sendMessage", "application/json", strings.NewReader(`{"text": "hi"}`)))
	// Output: response 2: {"ok": true, "result": {}}
}

// S3 answers a CompleteMultipartUpload with 200 before it has done it, sends
// blanks to keep the connection alive, and then the result or an Error. The
// condition reads up to the code, and no further. MaxPeekTime is as long as S3
// may take, so the condition must not read other responses, which it would hold up
// for as long; the request's context bounds the call.
//
// Retrying is wrong for other codes: NoSuchUpload may mean that the attempt
// before has done it. The signature lasts for 15 minutes; Prepare makes another.
func ExampleBodyCondition_xml() {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("Content-Type", "application/xml")
		w.Header().Set("X-Number", strconv.Itoa(requests))
		io.WriteString(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
		if requests == 1 {
			for range 3 {
				io.WriteString(w, " ")
				http.NewResponseController(w).Flush()
			}
			io.WriteString(w, `<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>`)
			return
		}
		io.WriteString(w, `<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>`)
	}))
	defer server.Close()

	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	policy.NonIdempotent = insist.ResendUnlessLost // it is a POST
	policy.MaxPeekTime = 10 * time.Minute
	policy.RetryableBody = func(req *http.Request, _ *http.Response, _ int, body io.Reader) (d insist.Decision) {
		if req.Method != "POST" || !req.URL.Query().Has("uploadId") {
			return d
		}
		if code := s3Code(body); code == "SlowDown" || code == "InternalError" {
			d.Verdict = insist.Retry
		}
		return d
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	parts := `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"x"</ETag></Part></CompleteMultipartUpload>`
	printResponse(client.Post(server.URL+"/bucket/key?uploadId=u", "application/xml", strings.NewReader(parts)))
	// Output:
	// response 2: <?xml version="1.0" encoding="UTF-8"?>
	// <CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>
}

// s3Code returns the Code of an Error, or "" for any other document.
func s3Code(body io.Reader) string {
	doc, root := xml.NewDecoder(body), ""
	for {
		token, err := doc.Token()
		if err != nil {
			return ""
		}
		start, ok := token.(xml.StartElement)
		switch {
		case !ok: // what comes before and between: the declaration, blanks, ends
		case root == "" && start.Name.Local != "Error":
			return ""
		case root == "":
			root = "Error"
		case start.Name.Local == "Code":
			var code string
			if doc.DecodeElement(&code, &start) != nil {
				return ""
			}
			return code
		default:
			if doc.Skip() != nil {
				return ""
			}
		}
	}
}

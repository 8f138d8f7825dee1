package insist_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist"
)

// Standard repeats no POST for what the body of its answer says, unless
// Idempotent or NonIdempotent tells it that it may.
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
		printAnswer(client.Post(server.URL+"/search", "application/json", strings.NewReader(`{"q": "go"}`)))
		server.Close()
	}
	// Output:
	// answer 1: {"ret_code": 5000}
	// answer 2: {"ret_code": 0}
	// answer 2: {"ret_code": 0}
}

// JSON-RPC has an error only in failures. A nil function asks for no more than
// that it be there; it is right where the requests are known to be good.
//
// Repeating is wrong for -32601 and -32602 (no such method, bad parameters): see
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
	printAnswer(client.Post(server.URL, "application/json", strings.NewReader(call)))
	// Output: answer 2: {"jsonrpc": "2.0", "id": 1, "result": "0x10"}
}

// By its code a JSON-RPC error tells whether it may pass: -32005 is a rate limit
// of Ethereum nodes, -32603 an internal error.
//
// Repeating is wrong for a method that changes something and met -32603.
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
	printAnswer(client.Post(server.URL, "application/json", strings.NewReader(call)))
	call = `{"jsonrpc": "2.0", "id": 2, "method": "eth_unheardOf"}`
	printAnswer(client.Post(server.URL, "application/json", strings.NewReader(call)))
	// Output:
	// answer 2: {"jsonrpc": "2.0", "id": 1, "result": "0x10"}
	// answer 3: {"jsonrpc": "2.0", "id": 2, "error": {"code": -32601, "message": "Method not found"}}
}

// The answer to a JSON-RPC batch is a list. The pointer "" takes the whole of it,
// which is held in memory, up to MaxPeekBytes.
//
// Repeating is wrong where a call of the batch changes something: what has
// succeeded is done once more.
func ExampleJSONField_jsonRPCBatch() {
	server := jsonServer(
		`[{"id": 1, "result": "0x10"}, {"id": 2, "error": {"code": -32005}}]`,
		`[{"id": 1, "result": "0x10"}, {"id": 2, "result": "0x1"}]`,
	)
	defer server.Close()

	type answer struct{ Error struct{ Code int } }
	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	policy.NonIdempotent = insist.ResendUnlessLost
	policy.RetryableBody = insist.JSONField("", func(batch []answer) bool {
		return slices.ContainsFunc(batch, func(a answer) bool { return a.Error.Code == -32005 })
	})
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	calls := `[{"id": 1, "method": "eth_blockNumber"}, {"id": 2, "method": "eth_chainId"}]`
	printAnswer(client.Post(server.URL, "application/json", strings.NewReader(calls)))
	// Output: answer 2: [{"id": 1, "result": "0x10"}, {"id": 2, "result": "0x1"}]
}

// GraphQL is all POST, but a query changes nothing. With Idempotent to tell the
// two apart, Standard repeats a query for what its answer says, and also where
// the answer was lost.
//
// Repeating is wrong for a mutation: beside its errors there may be data of what
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
	printAnswer(client.Post(server.URL, "application/json", strings.NewReader(query)))
	printAnswer(client.Post(server.URL, "application/json", strings.NewReader(mutation)))
	// Output:
	// answer 2: {"data": {"items": []}}
	// answer 3: {"errors": [{"message": "wait", "extensions": {"code": "RATE_LIMITED"}}], "data": {"a": 1, "b": null}}
}

// Elasticsearch answers a bulk of which a part failed with "errors": true. Only
// who made the bulk knows whether it may be repeated, so it is that request's
// context that says so.
//
// Repeating the whole is wrong unless each action indexes by an _id: without,
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
	printAnswer(client.Do(req))
	// Output: answer 2: {"took": 3, "errors": false, "items": [{"index": {"_id": "1", "status": 201}}]}
}

package insist_test

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist"
)

// Telegram says in the body of a 429 how long to wait. The status alone asks for
// another attempt, whatever the body is; the condition reads the wait from it.
//
// Repeating is wrong for another 4xx. A longer wait than MaxRetryAfter ends the
// call with that answer.
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

	printAnswer(client.Post(server.URL+"/bot0/sendMessage", "application/json", strings.NewReader(`{"text": "hi"}`)))
	// Output: answer 2: {"ok": true, "result": {}}
}

// S3 answers a CompleteMultipartUpload with 200 before it has done it, sends
// blanks to keep the connection alive, and then the result or an Error. The
// condition reads up to the code, and no further. MaxPeekTime is as long as S3
// may take, so the condition must not read other answers, which it would hold up
// for as long; the request's context bounds the call.
//
// Repeating is wrong for other codes: NoSuchUpload may mean that the attempt
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
	printAnswer(client.Post(server.URL+"/bucket/key?uploadId=u", "application/xml", strings.NewReader(parts)))
	// Output:
	// answer 2: <?xml version="1.0" encoding="UTF-8"?>
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

package recipes_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/h2non/gock"
	"github.com/jarcoal/httpmock"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/recorder"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
)

var noWait = insist.Policy{Backoff: insist.Constant(0)}

// httpmock and gock put themselves in the place of http.DefaultTransport, which a
// RetryTransport without a Base does not use: so Base must be set.
func Example_httpmock() {
	policy := noWait

	mock := httpmock.NewMockTransport()
	mock.RegisterResponder("GET", "https://api.example.com/items",
		httpmock.NewStringResponder(503, "").Then(httpmock.NewStringResponder(200, "[]")))
	client := &http.Client{Transport: &insist.RetryTransport{Base: mock, Policy: policy}}

	resp, err := client.Get("https://api.example.com/items")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode, "after", mock.GetTotalCallCount(), "attempts")
	// Output: 200 after 2 attempts
}

func Example_gock() {
	policy := noWait

	defer gock.Off()
	gock.New("https://api.example.com").Get("/items").Reply(503)
	gock.New("https://api.example.com").Get("/items").Reply(200).BodyString("[]")
	client := &http.Client{Transport: &insist.RetryTransport{Base: gock.NewTransport(), Policy: policy}}

	resp, err := client.Get("https://api.example.com/items")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode, "and all mocks are used:", gock.IsDone())
	// Output: 200 and all mocks are used: true
}

// TestRecording: a recorder below a RetryTransport records each attempt, and plays
// them in that order.
func TestRecording(t *testing.T) {
	api := insisttest.NewScript(insisttest.Status(503), insisttest.JSON(200, "[]"))
	server := httptest.NewServer(api)
	defer server.Close()
	cassette, url, policy := filepath.Join(t.TempDir(), "items"), server.URL, noWait

	get := func() int {
		rec, err := recorder.New(cassette, recorder.WithMode(recorder.ModeRecordOnce))
		if err != nil {
			t.Fatal(err)
		}
		defer rec.Stop() // writes the file, where it was not there
		client := &http.Client{Transport: &insist.RetryTransport{Base: rec, Policy: policy}}
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}

	for _, how := range []string{"recorded", "played"} {
		if got := get(); got != 200 {
			t.Errorf("%s: got %d", how, got)
		}
	}
	if n := len(api.Arrivals()); n != 2 {
		t.Errorf("the server got %d requests, want the 2 that were recorded", n)
	}
}

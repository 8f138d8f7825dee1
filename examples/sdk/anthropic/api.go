package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

// fakeAPI is the part of Anthropic's API that the steps call.
type fakeAPI struct {
	heard chan struct{} // the client has got the first words of its stream

	mu       sync.Mutex
	messages int
}

func (a *fakeAPI) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/messages", a.message)
	return mux
}

func (a *fakeAPI) message(w http.ResponseWriter, req *http.Request) {
	var asked struct{ Stream bool }
	if err := json.NewDecoder(req.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	a.messages++
	a.mu.Unlock()
	if !asked.Stream {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"id": "msg_1", "type": "message", "role": "assistant", "model": "fake",
			"content": [{"type": "text", "text": "hello, world"}], "stop_reason": "end_turn"}`)
		return
	}
	begin(w)
	select {
	case <-a.heard: // nothing more until then
	case <-req.Context().Done():
		return
	}
	text(w, "world")
	event(w, "message_stop", `{"type":"message_stop"}`)
}

// effects returns how many messages there are.
func (a *fakeAPI) effects() (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.messages, nil
}

// begin sends the first events of a message, up to its first words.
func begin(w http.ResponseWriter) {
	event(w, "message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[]}}`)
	event(w, "content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)
	text(w, "hello, ")
}

func text(w http.ResponseWriter, text string) {
	event(w, "content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`+text+`"}}`)
}

// event sends one event of a stream.
func event(w http.ResponseWriter, kind, data string) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, data)
	http.NewResponseController(w).Flush()
}

// mistake is the API's error of that type, as the body of a response or the data of
// an event.
func mistake(kind string) string {
	return `{"type":"error","error":{"type":"` + kind + `","message":"by the fake"}}`
}

// refuse answers with an error of the API, and headers in pairs of name and value.
func refuse(status int, kind string, headers ...string) sabotage.Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, mistake(kind))
	}
}

// failFirst has an error as the first event of a stream, after a comment.
func failFirst(kind string) sabotage.Fault {
	return func(w http.ResponseWriter, req *http.Request, _ http.Handler) {
		io.Copy(io.Discard, req.Body)
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		io.WriteString(w, ": queued\n\n")
		event(w, "error", mistake(kind))
	}
}

// failLate has an error in the middle of a message.
func failLate(w http.ResponseWriter, req *http.Request, _ http.Handler) {
	io.Copy(io.Discard, req.Body)
	begin(w)
	event(w, "error", mistake("overloaded_error"))
}

// truncate ends a stream in the middle of a message.
func truncate(w http.ResponseWriter, req *http.Request, _ http.Handler) {
	io.Copy(io.Discard, req.Body)
	begin(w)
	panic(http.ErrAbortHandler)
}

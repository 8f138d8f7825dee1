package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

// document is what is uploaded.
var document = func() []byte {
	b := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}()

// fakeAPI is the part of OpenAI's API that the steps call.
type fakeAPI struct {
	heard chan struct{} // the client has got the first event of its stream

	mu        sync.Mutex
	responses int
	files     []bool // is it whole?
}

func (a *fakeAPI) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /responses", a.respond)
	mux.HandleFunc("POST /files", a.takeFile)
	return mux
}

func (a *fakeAPI) respond(w http.ResponseWriter, req *http.Request) {
	var asked struct{ Stream bool }
	if err := json.NewDecoder(req.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	a.responses++
	a.mu.Unlock()
	if !asked.Stream {
		says(w, completed)
		return
	}
	event(w, firstWord)
	select {
	case <-a.heard: // nothing more until then
	case <-req.Context().Done():
		return
	}
	event(w, `{"type": "response.output_text.delta", "delta": "world"}`)
	event(w, `{"type": "response.completed", "response": `+completed+`}`)
}

const firstWord = `{"type": "response.output_text.delta", "delta": "hello, "}`

const completed = `{"id": "resp_1", "object": "response", "status": "completed", "error": null, "output": [
	{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello, world"}]}]}`

func (a *fakeAPI) takeFile(w http.ResponseWriter, req *http.Request) {
	file, _, err := req.FormFile("file")
	if err != nil {
		return // the connection is gone, or not worth keeping
	}
	body, err := io.ReadAll(file)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files = append(a.files, err == nil && bytes.Equal(body, document))
	says(w, fmt.Sprintf(`{"id": "file-%d", "object": "file"}`, len(a.files)))
}

// effects returns how many responses and files there are.
func (a *fakeAPI) effects() (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.Contains(a.files, false) {
		return 0, errors.New("a file is not what was sent")
	}
	return a.responses + len(a.files), nil
}

func says(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, body)
}

// event sends one event of a stream.
func event(w http.ResponseWriter, data string) {
	w.Header().Set("Content-Type", "text/event-stream")
	var line bytes.Buffer
	json.Compact(&line, []byte(data))
	fmt.Fprintf(w, "data: %s\n\n", &line)
	http.NewResponseController(w).Flush()
}

// refuse answers with an error of the API, and headers in pairs of name and value.
func refuse(status int, headers ...string) sabotage.Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, `{"error": {"message": "not now", "type": "server_error"}}`)
	}
}

// truncate ends a stream in the middle.
func truncate(w http.ResponseWriter, req *http.Request, _ http.Handler) {
	io.Copy(io.Discard, req.Body)
	event(w, firstWord)
	panic(http.ErrAbortHandler)
}

// failFirst has an error as the first event of a stream, after a comment that keeps
// the connection open; nothing was charged for.
func failFirst(kind string) sabotage.Fault {
	return func(w http.ResponseWriter, req *http.Request, _ http.Handler) {
		io.Copy(io.Discard, req.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, ": queued\n\n")
		event(w, `{"error": {"message": "`+kind+`, says the fake", "type": "`+kind+`", "code": null}}`)
	}
}

// failLate has an error as the second event of a stream.
func failLate(w http.ResponseWriter, req *http.Request, _ http.Handler) {
	io.Copy(io.Discard, req.Body)
	event(w, firstWord)
	event(w, `{"error": {"message": "overloaded", "type": "server_error"}}`)
}

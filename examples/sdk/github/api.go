package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

// tool is what is released.
var tool = func() []byte {
	b := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}()

// fakeAPI is the part of GitHub's REST API that the steps call.
type fakeAPI struct {
	mu     sync.Mutex
	issues int
	assets map[string]bool // by name: is it whole?
}

func (a *fakeAPI) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /repos/octo/tool", says(http.StatusOK, `{"id": 1, "full_name": "octo/tool"}`))
	mux.HandleFunc("GET /repositories/1", says(http.StatusOK, `{"id": 1, "full_name": "octo/tool"}`))
	mux.Handle("GET /repos/octo/renamed", http.RedirectHandler("/repositories/1", http.StatusMovedPermanently))
	mux.HandleFunc("GET /repos/octo/tool/stats/contributors", says(http.StatusOK, `[{"total": 42}]`))
	mux.HandleFunc("POST /repos/octo/tool/issues", a.createIssue)
	mux.HandleFunc("POST /repos/octo/tool/releases/7/assets", a.uploadAsset)
	return mux
}

func (a *fakeAPI) createIssue(w http.ResponseWriter, _ *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.issues++
	says(http.StatusCreated, fmt.Sprintf(`{"number": %d}`, a.issues))(w, nil)
}

func (a *fakeAPI) uploadAsset(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the connection is gone, or not worth keeping
	}
	name := req.URL.Query().Get("name")
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, taken := a.assets[name]; taken {
		says(http.StatusUnprocessableEntity, `{"message": "Validation Failed",
			"errors": [{"resource": "ReleaseAsset", "code": "already_exists", "field": "name"}]}`)(w, nil)
		return
	}
	a.assets[name] = bytes.Equal(body, tool) && req.ContentLength == int64(len(tool))
	says(http.StatusCreated, fmt.Sprintf(`{"name": %q, "size": %d}`, name, len(body)))(w, nil)
}

// effects returns how many issues and assets there are.
func (a *fakeAPI) effects() (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, whole := range a.assets {
		if !whole {
			return 0, fmt.Errorf("asset %s is not what was sent", name)
		}
	}
	return a.issues + len(a.assets), nil
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// refuse answers as GitHub does, with headers in pairs of name and value.
func refuse(status int, message string, headers ...string) sabotage.Fault {
	return func(w http.ResponseWriter, req *http.Request, _ http.Handler) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		says(status, fmt.Sprintf(`{"message": %q}`, message))(w, req)
	}
}

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

// data is what the config map holds.
var data = strings.Repeat("0123456789abcdef", 60_000)

// fakeAPI is the part of the Kubernetes API that the steps call.
type fakeAPI struct {
	heard chan struct{} // the client has got the first part of a stream

	mu       sync.Mutex
	created  int
	updated  int
	broken   int
	executed int
}

func (a *fakeAPI) handler() http.Handler {
	const namespace = "/api/v1/namespaces/default"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+namespace+"/pods", a.getPods)
	mux.HandleFunc("POST "+namespace+"/pods", a.createPod)
	mux.HandleFunc("PUT "+namespace+"/configmaps/big", a.updateConfigMap)
	mux.HandleFunc("GET "+namespace+"/pods/web/log", a.followLog)
	mux.HandleFunc("GET "+namespace+"/pods/web/exec", a.exec)
	return mux
}

func pod(name string) string {
	return `{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "` + name + `"}}`
}

func event(kind, object string) string { return `{"type": "` + kind + `", "object": ` + object + "}\n" }

func (a *fakeAPI) getPods(w http.ResponseWriter, req *http.Request) {
	if req.URL.Query().Get("watch") == "" {
		says(w, http.StatusOK, `{"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"},
			"items": [`+pod("web")+`, `+pod("db")+`]}`)
		return
	}
	a.inTwoParts(w, req, "application/json", event("ADDED", pod("web")), event("MODIFIED", pod("web")))
}

func (a *fakeAPI) followLog(w http.ResponseWriter, req *http.Request) {
	a.inTwoParts(w, req, "text/plain", "starting\n", "ready\n")
}

// inTwoParts sends the second one when the client has acknowledged the first.
func (a *fakeAPI) inTwoParts(w http.ResponseWriter, req *http.Request, contentType, first, second string) {
	w.Header().Set("Content-Type", contentType)
	io.WriteString(w, first)
	http.NewResponseController(w).Flush()
	select {
	case <-a.heard:
		io.WriteString(w, second)
	case <-req.Context().Done():
	}
}

func (a *fakeAPI) createPod(w http.ResponseWriter, _ *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.created++
	says(w, http.StatusCreated, pod("new"))
}

// updateConfigMap accepts a change of the newest version only.
func (a *fakeAPI) updateConfigMap(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the connection is gone, or not worth keeping
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	sent, ok := object.(*corev1.ConfigMap)
	switch {
	case err != nil || !ok || sent.Data["key"] != data:
		a.broken++
		failure(http.StatusBadRequest, "BadRequest")(w, req, nil)
	case sent.ResourceVersion != fmt.Sprint(a.updated):
		failure(http.StatusConflict, "Conflict")(w, req, nil)
	default:
		a.updated++
		says(w, http.StatusOK, fmt.Sprintf(
			`{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "big", "resourceVersion": "%d"}}`, a.updated))
	}
}

// exec writes "hello" to the standard output, and that the command succeeded.
func (a *fakeAPI) exec(w http.ResponseWriter, req *http.Request) {
	a.mu.Lock()
	a.executed++
	a.mu.Unlock()
	upgrader := websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io"}}
	conn, err := upgrader.Upgrade(w, req, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.WriteMessage(websocket.BinaryMessage, []byte("\x01hello"))
	conn.WriteMessage(websocket.BinaryMessage, []byte("\x03"+`{"metadata": {}, "status": "Success"}`))
	conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}

// effects returns how many changes and commands were carried out.
func (a *fakeAPI) effects() (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken > 0 {
		return 0, errors.New("a config map is not what was sent")
	}
	return a.created + a.updated + a.executed, nil
}

func says(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, body)
}

func status(code int, reason string) string {
	return fmt.Sprintf(`{"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
		"message": "%s, by the fake", "reason": "%[1]s", "code": %d}`, reason, code)
}

// failure answers with a Status, and headers in pairs of name and value.
func failure(code int, reason string, headers ...string) sabotage.Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		says(w, code, status(code, reason))
	}
}

// truncate sends the first part of a response and closes the connection.
func truncate(contentType, first string) sabotage.Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", contentType)
		io.WriteString(w, first)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

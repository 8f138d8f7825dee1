package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// answerTraps are about the responses.
var answerTraps = []trap{
	{name: "When attempts are used up, the last response is the caller's, whole", run: lastResponse},
	{name: "After a condition has read a JSON body, the caller can", run: jsonBody},
	{name: "The body of a 101 is an io.ReadWriteCloser", run: upgrade},
	{name: "50 retried calls, one after the other, need one connection", run: oneConnection},
	{name: "They leave no connection open", run: noneLeft},
	{name: "A failed response without end does not hold up the next attempt", run: endless},
	{name: "Nor does one of a byte every 50 ms", run: dribbling},
	{name: "A small response that is truncated can be requested again, by a setting", run: smallAnswer},
	{name: "A download that is truncated can be resumed, by a setting", run: download},
}

// bodyOf is what the caller reads of the response, as far as there is one.
func bodyOf(rt http.RoundTripper, req *http.Request) (status int, body string) {
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func ask(ctx context.Context, url string) *http.Request {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		panic(err)
	}
	return req
}

func lastResponse(ctx context.Context, l library) verdict {
	srv, base, end := serve(unavailable, plain)
	defer end()
	kept := func(rt http.RoundTripper) bool {
		status, body := bodyOf(rt, ask(ctx, srv.URL))
		return status == 503 && body == "not now\n"
	}
	switch {
	case kept(l.over(base, 0)):
		return verdict{is: yes}
	case l.keeping != nil && kept(l.keeping(base, 0)):
		return verdict{no, "only with " + l.keepingName}
	}
	return verdict{is: no}
}

func jsonBody(ctx context.Context, l library) verdict {
	const answer = `{"ret_code": 0, "data": "kept"}`
	srv, base, end := serve(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, answer) }, plain)
	defer end()
	failed := func(resp *http.Response) bool {
		var v struct {
			RetCode int `json:"ret_code"`
		}
		return json.NewDecoder(resp.Body).Decode(&v) == nil && v.RetCode != 0
	}
	_, body := bodyOf(l.judging(base, failed), ask(ctx, srv.URL))
	return verdictOf(body == answer, "the condition must put it back")
}

func upgrade(ctx context.Context, l library) verdict {
	srv, base, end := serve(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.CopyN(conn, conn, 4)
	}, plain)
	defer end()
	req := ask(ctx, srv.URL)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := l.over(base, 0).RoundTrip(req)
	if err != nil {
		return verdict{no, "it fails"}
	}
	defer resp.Body.Close()
	conn, both := resp.Body.(io.ReadWriteCloser)
	if !both {
		return verdict{is: no}
	}
	echo := make([]byte, 4)
	io.WriteString(conn, "ping")
	io.ReadFull(conn, echo)
	return verdictOf(string(echo) == "ping", "nothing comes back")
}

// connections makes 50 calls of two attempts each.
func connections(ctx context.Context, l library) (made, left int) {
	var mu sync.Mutex
	opened := map[net.Conn]bool{} // and whether it still is
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		n := 0
		for _, still := range opened {
			if still {
				n++
			}
		}
		return n
	}
	srv, base, end := serve(failFirst(unavailable, ok), func(srv *httptest.Server) {
		srv.Config.ConnState = func(c net.Conn, s http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			opened[c] = s != http.StateClosed
		}
		srv.Start()
	})
	defer end()
	rt := l.over(base, 0)
	for range 50 {
		discardAnswer(rt, ask(ctx, srv.URL))
	}
	base.CloseIdleConnections()
	for tries := 0; count() > 0 && tries < 50; tries++ {
		time.Sleep(10 * time.Millisecond) // the server learns of it in its own time
	}
	left = count()
	mu.Lock()
	defer mu.Unlock()
	return len(opened), left
}

func oneConnection(ctx context.Context, l library) verdict {
	made, _ := connections(ctx, l)
	return verdictOf(made == 1, "%d", made)
}

func noneLeft(ctx context.Context, l library) verdict {
	_, left := connections(ctx, l)
	return verdictOf(left == 0, "%d", left)
}

// soon is how soon the next attempt should come.
const soon = 1500 * time.Millisecond

// goesOn reports whether the next attempt comes soon after a response that writes
// chunk again and again, with a pause.
func goesOn(ctx context.Context, l library, chunk string, pause time.Duration) verdict {
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	srv, base, end := serve(failFirst(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(503)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			time.Sleep(pause)
		}
	}, ok), plain)
	defer end()
	status, _ := discardAnswer(l.over(base, 0), ask(ctx, srv.URL))
	return verdictOf(status == 200, "")
}

func endless(ctx context.Context, l library) verdict {
	return goesOn(ctx, l, strings.Repeat("x", 32<<10), 0)
}

func dribbling(ctx context.Context, l library) verdict {
	return goesOn(ctx, l, "x", 50*time.Millisecond)
}

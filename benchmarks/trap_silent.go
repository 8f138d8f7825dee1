package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// silenceTraps are about connections on which nothing arrives any more, and which
// nobody closes.
var silenceTraps = []trap{
	{name: "Retries do not all go down an HTTP/2 connection that went silent, with a time limit for each attempt", run: deadConnection},
	{name: "A body that stalls does not hang until the context ends, nor is a slow one cut, by a setting", run: stalledBody},
}

// attemptLimit is the libraries' limit for an attempt, or for silence.
const attemptLimit = 300 * time.Millisecond

// quietLines are the connections of a transport, which can go silent.
type quietLines struct {
	mu    sync.Mutex
	lines []*quietLine
}

type quietLine struct {
	net.Conn
	silent atomic.Bool
}

// dialOn has base dial connections of l.
func (l *quietLines) dialOn(base *http.Transport) {
	dial := base.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		line := &quietLine{Conn: c}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, line)
		return line, nil
	}
}

// silence silences the connections there are, and says how many.
func (l *quietLines) silence() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		line.silent.Store(true)
	}
	return len(l.lines)
}

func (l *quietLine) Write(p []byte) (int, error) {
	if l.silent.Load() {
		return len(p), nil
	}
	return l.Conn.Write(p)
}

func (l *quietLine) Read(p []byte) (int, error) {
	for {
		n, err := l.Conn.Read(p)
		if err != nil || !l.silent.Load() {
			return n, err
		}
	}
}

func deadConnection(ctx context.Context, l library) verdict {
	srv, base, end := serve(ok, overHTTP2)
	defer end()
	var lines quietLines
	lines.dialOn(base)
	discardAnswer(base, ask(ctx, srv.URL))
	if n := lines.silence(); n != 1 {
		return verdict{no, fmt.Sprintf("%d connections", n)}
	}
	var down atomic.Int32
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if info.Reused {
			down.Add(1)
		}
	}})
	status, _ := discardAnswer(l.limited(base, attemptLimit), ask(ctx, srv.URL))
	return verdictOf(status == 200, "%d attempts go down it", down.Load())
}

func stalledBody(ctx context.Context, l library) verdict {
	const size, slow = 10, attemptLimit / 4 // in all, more than twice the limit
	whole := strings.Repeat("x", size)
	srv, base, end := serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		for n := range size {
			if n == size/2 && r.URL.Path == "/stalls" {
				<-r.Context().Done()
				return
			}
			io.WriteString(w, "x")
			http.NewResponseController(w).Flush()
			time.Sleep(slow)
		}
	}, plain)
	defer end()
	rt := l.limited(base, attemptLimit)
	if _, body := bodyOf(rt, ask(ctx, srv.URL+"/slow")); body != whole {
		return verdict{no, "cuts a slow one"}
	}
	ctx, cancel := context.WithTimeout(ctx, soon+size*slow/2)
	defer cancel()
	bodyOf(rt, ask(ctx, srv.URL+"/stalls"))
	return verdictOf(ctx.Err() == nil, "hangs")
}

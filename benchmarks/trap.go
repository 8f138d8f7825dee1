package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"
)

// A trap is a situation in which retrying can go wrong. Its name says what should
// hold.
type trap struct {
	name string
	run  func(ctx context.Context, l library) verdict
	gap  bool // insist is known not to have it
}

type verdict struct {
	is   string // yes, no or n/a
	note string
}

const yes, no, notApplicable = "yes", "no", "n/a"

func verdictOf(holds bool, note string, args ...any) verdict {
	if holds {
		return verdict{is: yes}
	}
	return verdict{no, fmt.Sprintf(note, args...)}
}

// bound is the time limit of a trap. If a library hangs, the context ends the call; if the
// library ignores the context, its goroutine is abandoned.
const bound = 4 * time.Second

// spring runs t with l.
func (t trap) spring(l library) verdict {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	done := make(chan verdict, 1)
	go func() {
		v := verdict{no, "panics"}
		defer func() {
			recover()
			done <- v
		}()
		v = t.run(ctx, l)
	}()
	select {
	case v := <-done:
		return v
	case <-time.After(bound + time.Second):
		return verdict{no, "hangs"}
	}
}

var traps = slices.Concat(bodyTraps, answerTraps, silenceTraps, waitTraps, otherTraps)

// behaviour springs all of these traps on all of these libraries.
func behaviour(traps []trap, libraries []library) [][]verdict {
	all := make([][]verdict, len(traps))
	for i, t := range traps {
		for _, l := range libraries {
			all[i] = append(all[i], t.spring(l))
		}
	}
	return all
}

func behaviourTable(traps []trap, libraries []library, all [][]verdict) string {
	var b strings.Builder
	b.WriteString("| |")
	for _, l := range libraries {
		fmt.Fprintf(&b, " %s |", l.name)
	}
	fmt.Fprintf(&b, "\n|---|%s\n", strings.Repeat("---|", len(libraries)))
	for i, t := range traps {
		fmt.Fprintf(&b, "| %s |", t.name)
		for _, v := range all[i] {
			if v.note != "" {
				v.is += " (" + v.note + ")"
			}
			fmt.Fprintf(&b, " %s |", v.is)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// serve starts a server, and returns with it a base that trusts it and an end to
// both.
func serve(handler http.HandlerFunc, start func(*httptest.Server)) (*httptest.Server, *http.Transport, func()) {
	srv := httptest.NewUnstartedServer(handler)
	srv.Config.ErrorLog = silent
	start(srv)
	base := srv.Client().Transport.(*http.Transport)
	return srv, base, func() {
		base.CloseIdleConnections()
		srv.CloseClientConnections()
		done := make(chan struct{})
		go func() {
			defer close(done)
			srv.Close()
		}()
		select { // a library that doesn't close its responses holds it up
		case <-done:
		case <-time.After(time.Second):
		}
	}
}

func plain(srv *httptest.Server) { srv.Start() }

func overHTTP2(srv *httptest.Server) {
	srv.EnableHTTP2 = true
	srv.StartTLS()
}

// failFirst is a handler that fails the first of every two requests by first.
func failFirst(first, then http.HandlerFunc) http.HandlerFunc {
	turn := make(chan int, 1)
	turn <- 0
	return func(w http.ResponseWriter, r *http.Request) {
		n := <-turn
		turn <- n + 1
		if n%2 == 0 {
			first(w, r)
			return
		}
		then(w, r)
	}
}

func ok(http.ResponseWriter, *http.Request) {}

func unavailable(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "not now", http.StatusServiceUnavailable)
}

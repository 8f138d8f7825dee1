package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// service is what the servers serve. It fails at random, and notes each request that it
// carries out in a file, by one write before it responds, so that a kill loses nothing.
type service struct {
	ledger *os.File
	texts  sync.Map // of each size
}

func newService(dir string) (*service, error) {
	f, err := os.OpenFile(filepath.Join(dir, "done"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	return &service{ledger: f}, err
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	size, _ := strconv.Atoi(rest)
	fault := serverFaults[rand.IntN(len(serverFaults))]
	switch fault {
	case "503", "429": // early, with the body unread
		w.Header().Set("Retry-After", "0")
		code, _ := strconv.Atoi(fault)
		http.Error(w, "not now", code)
		return
	case "500":
		http.Error(w, "no", http.StatusInternalServerError)
		return
	case "abort":
		panic(http.ErrAbortHandler)
	case "slow":
		time.Sleep(100 * time.Millisecond)
	}
	switch kind {
	case "json":
		s.json(w, r, size, fault == "code")
	case "download":
		w.Header().Set("ETag", `"`+rest+`"`)
		s.done(r, "-")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.text(size)))
	case "events":
		s.events(w, r, fault == "code")
	case "upload":
		s.upload(w, r, fault == "lost")
	}
}

// serverFaults are chosen from at random; most requests get none.
var serverFaults = append(make([]string, 60), "503", "429", "500", "abort", "slow", "slow", "code", "code", "lost", "lost")

func (s *service) json(w http.ResponseWriter, r *http.Request, size int, refused bool) {
	code := 0
	if refused {
		code = 5000
	} else {
		s.done(r, "-")
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"data": string(s.text(size)), "ret_code": code})
}

const eventCount = 5

func (s *service) events(w http.ResponseWriter, r *http.Request, refused bool) {
	w.Header().Set("Content-Type", "text/event-stream")
	if refused {
		io.WriteString(w, "data: {\"error\": \"overloaded\"}\n\n")
		return
	}
	s.done(r, "-")
	for i := range eventCount {
		fmt.Fprintf(w, "data: {\"n\": %d}\n\n", i)
		http.NewResponseController(w).Flush()
	}
}

// upload carries a request out if its body is whole, and responds with the body's sum,
// unless the response is to be lost.
func (s *service) upload(w http.ResponseWriter, r *http.Request, lost bool) {
	h := sha256.New()
	if _, err := io.Copy(h, r.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	sum := hex.EncodeToString(h.Sum(nil)[:8])
	s.done(r, sum)
	if lost {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"ret_code": 0, "data": sum})
}

// done notes that a request was carried out, with the sum of its body.
func (s *service) done(r *http.Request, sum string) {
	fmt.Fprintf(s.ledger, "%s %s\n", r.Header.Get("Id"), sum)
}

func (s *service) text(size int) []byte {
	b, ok := s.texts.Load(size)
	if !ok {
		b, _ = s.texts.LoadOrStore(size, text(size))
	}
	return b.([]byte)
}

// text is the letters that a size stands for.
func text(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte((i*i+n)%26)
	}
	return b
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:8])
}

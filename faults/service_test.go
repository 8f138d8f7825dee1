package faults

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// service is the server behind the proxies. The header Faults says what it does
// to the first, second, … arrival of a request, whose number is in the header Id.
type service struct {
	mu       sync.Mutex
	arrivals map[string]int
	done     map[string]int // the ledger: how often a request was carried out
}

func newService() *service {
	return &service{arrivals: map[string]int{}, done: map[string]int{}}
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("Id")
	s.mu.Lock()
	n := s.arrivals[id]
	s.arrivals[id]++
	s.mu.Unlock()
	fault := ""
	if faults := strings.Fields(r.Header.Get("Faults")); n < len(faults) {
		fault = faults[n]
	}
	switch fault {
	case "503", "429": // early, with the body unread
		w.Header().Set("Retry-After", "0")
		code, _ := strconv.Atoi(fault)
		http.Error(w, "not now", code)
		return
	case "abort":
		panic(http.ErrAbortHandler)
	}
	switch kind, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); kind {
	case "json":
		code := 0
		if fault == "code" {
			code = 5000
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"data": text(rest), "ret_code": code})
	case "download":
		data := text(rest)
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		io.WriteString(w, data)
	case "upload":
		s.carryOut(w, r, id, fault == "lost")
	}
}

// carryOut takes a body, does what is asked if the body is whole, and answers
// with what it got, unless the response is to be lost.
func (s *service) carryOut(w http.ResponseWriter, r *http.Request, id string, lost bool) {
	h := sha256.New()
	n, err := io.Copy(h, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	s.done[id]++
	s.mu.Unlock()
	if lost {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"ret_code": 0, "sum": hex.EncodeToString(h.Sum(nil)), "size": n})
}

// carriedOut returns how often a request was.
func (s *service) carriedOut(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done[id]
}

// forget gives the ledger's memory back.
func (s *service) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals, s.done = nil, nil
}

// text is the n letters that n stands for.
func text(number string) string {
	n, _ := strconv.Atoi(number)
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte((i*i+n)%26)
	}
	return string(b)
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

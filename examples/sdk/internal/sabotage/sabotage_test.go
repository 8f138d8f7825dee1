package sabotage

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
)

// errAny stands for what a client sees that is writing when it is reset.
var errAny = errors.New("any error")

// exchange sends a POST of 1 MiB to a service that answers "carried out", and
// returns what came back, and how many bytes the service has got.
func exchange(server func(http.Handler) *httptest.Server, f Fault) (status int, body string, got int64, err error) {
	h := &Handler{Next: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		got, _ = io.Copy(io.Discard, req.Body)
		io.WriteString(w, "carried out")
	})}
	h.Plan(f)
	s := server(h)
	defer s.Close()
	resp, err := s.Client().Post(s.URL, "", strings.NewReader(strings.Repeat("x", 1<<20)))
	if err != nil {
		return 0, "", got, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if h.Left() != 0 {
		err = errors.New("a fault is left")
	}
	return resp.StatusCode, string(b), got, err
}

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  Fault
		status int
		body   string
		got    int64
		err    error
	}{
		{"none", nil, 200, "carried out", 1 << 20, nil},
		{"reset before the body", Reset(0), 0, "", 0, errAny},
		{"reset in the body", Reset(1 << 19), 0, "", 0, errAny},
		{"answer before the body", Early(0, 503, ""), 503, "", 0, nil},
		{"answer in the body", Early(1<<19, 503, ""), 503, "", 0, nil},
		{"answer in place of the service", Answer("text/plain", "no"), 200, "no", 0, nil},
		{"lost response", Lose, 0, "", 1 << 20, syscall.ECONNRESET},
		{"truncated response", Truncate, 200, "carri", 1 << 20, io.ErrUnexpectedEOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check := func(t *testing.T, err error, status int, body string, got int64) {
				t.Helper()
				if status != tt.status || body != tt.body || got != tt.got || (err != nil) != (tt.err != nil) {
					t.Errorf("got %d %q %v after %d bytes, want %d %q %v after %d",
						status, body, err, got, tt.status, tt.body, tt.err, tt.got)
				}
			}
			t.Run("TCP", func(t *testing.T) {
				status, body, got, err := exchange(TCP.Serve, tt.fault)
				check(t, err, status, body, got)
				if tt.err != errAny && !errors.Is(err, tt.err) {
					t.Errorf("got %v, want %v", err, tt.err)
				}
			})
			for name, server := range map[string]func(http.Handler) *httptest.Server{
				"memory": Memory.Serve, "memory with TLS": Memory.ServeTLS,
			} {
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						status, body, got, err := exchange(server, tt.fault)
						check(t, err, status, body, got)
					})
				})
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for retryAfter, want := range map[string]int{"": 0, "7": 1} {
		w := httptest.NewRecorder()
		Early(0, 429, retryAfter)(w, httptest.NewRequest("GET", "/", nil), nil)
		if got := w.Result().Header["Retry-After"]; len(got) != want || w.Code != 429 {
			t.Errorf("%q: got %d %q", retryAfter, w.Code, got)
		}
	}
}

package sabotage

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-552c89fc/insist"
)

// still is a world in which all is as it should be.
type still struct {
	faults   Handler
	attempts string
	effects  int
	broken   error
	closed   *int
}

func (w *still) Faults() *Handler      { return &w.faults }
func (w *still) Attempts() string      { return w.attempts }
func (w *still) Effects() (int, error) { return w.effects, w.broken }
func (w *still) Close()                { *w.closed++ }

func TestRun(t *testing.T) {
	errBoom := errors.New("boom")
	good := Call[*still]{"good", func(*still) (string, error) { return "done", nil }}
	bad := Call[*still]{"bad", func(*still) (string, error) { return "", errBoom }}
	for _, tt := range []struct {
		name string
		step Step[*still]
		bad  error // of Effects
		says string
		err  string
	}{
		{"as it should be", good.When("f", "200", "", 1), nil, "done", ""},
		{"an error that should be", bad.When("f", "200", "oo", 1), nil, "error: boom", ""},
		{"an error", bad.When("f", "200", "", 1), nil, "error: boom", "bad, f: got error boom"},
		{"another error", bad.When("f", "200", "else", 1), nil, "error: boom", `want "else"`},
		{"no error", good.When("f", "200", "boom", 1), nil, "done", "got error <nil>"},
		{"other attempts", good.When("f", "503 200", "", 1), nil, "done", "want 503 200"},
		{"another effect", good.When("f", "200", "", 2), nil, "done", "got 1 effects, want 2"},
		{"a broken effect", good.When("f", "200", "", 1), errors.New("in pieces"), "done", "in pieces"},
		{"a fault that nobody met", good.When("f", "200", "", 1, Lose), nil, "done", "1 faults are left"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			closed := 0
			err := Run(&out, []Step[*still]{tt.step}, func() (*still, error) {
				return &still{attempts: "200", effects: 1, broken: tt.bad, closed: &closed}, nil
			})
			if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got error %v, want %q", err, tt.err)
			}
			if !strings.HasSuffix(out.String(), tt.says+"\n") || closed != 1 {
				t.Errorf("closed %d times, got table\n%s", closed, &out)
			}
		})
	}
}

func TestTimeline(t *testing.T) {
	first := []insist.Attempt{{Status: 503}, {Err: errors.New("reset")}, {Status: 200}}
	if got, want := Timeline(first, first[2:]), "503 error 200, 200"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

package main

import (
	"bytes"
	"encoding/xml"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

var update = flag.Bool("update", false, "draw timeline.svg anew")

// played makes the calls in virtual time, in which all is exact.
func played(t *testing.T) (calls []*call) {
	synctest.Test(t, func(t *testing.T) { calls = play(t.Context()) })
	return calls
}

func TestTheCommittedPictureIsUpToDate(t *testing.T) {
	got := draw(played(t))
	if *update {
		if err := os.WriteFile("timeline.svg", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("timeline.svg")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))) {
		t.Error("timeline.svg is not what is drawn now: run this with -update")
	}
}

func TestTheCallsEndAsTheySay(t *testing.T) {
	want := []string{
		"GET shop.example.com: 2 attempts in 1.4s: 503 after 150ms (status), wait 1s; 200 after 250ms (success)",
		"POST shop.example.com: 3 attempts in 1.5s: connection_reset after 300ms (error), wait 250ms; connection_reset after 200ms (error), wait 500ms; 200 after 250ms (success)",
		"POST shop.example.com: 1 attempt in 300ms: connection_reset after 300ms (maybe_done)",
		"GET shop.example.com: 3 attempts in 1.25s: 200 after 150ms (condition), wait 250ms; 200 after 150ms (condition), wait 500ms; 200 after 200ms (success)",
		"GET shop.example.com: 2 attempts in 650ms: 200 unexpected_eof after 200ms (error), wait 250ms; 200 after 200ms (success)",
		"GET shop.example.com: 2 attempts in 800ms: timeout after 400ms (error), wait 250ms; 200 after 150ms (success)",
		"GET shop.example.com: 2 attempts in 400ms: no response after 400ms (overtaken); begun 250ms beside, 200 after 150ms (success)",
		"GET shop.example.com: 3 attempts in 1.35s: 502 after 200ms (status), wait 250ms; 502 after 150ms (status), wait 500ms; 500 after 250ms (attempts_used_up)",
	}
	for i, c := range played(t) {
		if got := c.record.String(); got != want[i] {
			t.Errorf("%s %s:\n got %s\nwant %s", c.method, c.path, got, want[i])
		}
	}
}

// element is one of the picture.
type element struct {
	name, class, anchor string
	x, y, width, height float64
	text                string
}

// elements parses an SVG, which fails where it is not well-formed.
func elements(t *testing.T, svg []byte) (all []element) {
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	var open []int
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			open, all = append(open, len(all)), append(all, parse(token))
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			for _, i := range open {
				all[i].text += string(token)
			}
		}
	}
}

func parse(token xml.StartElement) element {
	e := element{name: token.Name.Local}
	for _, a := range token.Attr {
		n, _ := strconv.ParseFloat(a.Value, 64)
		switch a.Name.Local {
		case "class":
			e.class = a.Value
		case "text-anchor":
			e.anchor = a.Value
		case "x":
			e.x = n
		case "y":
			e.y = n
		case "width":
			e.width = n
		case "height":
			e.height = n
		}
	}
	return e
}

func TestABarForEachAttempt(t *testing.T) {
	calls, want, got := played(t), 0, map[string]int{}
	for _, c := range calls {
		want += len(c.attempts())
	}
	var bars []element
	for _, e := range elements(t, draw(calls)) {
		if class, ok := strings.CutPrefix(e.class, "attempt "); ok {
			got[class]++
			for _, other := range bars {
				if e.x < other.x+other.width && other.x < e.x+e.width && e.y < other.y+other.height && other.y < e.y+e.height {
					t.Errorf("two bars overlap at %v, %v", e.x, e.y)
				}
			}
			bars = append(bars, e)
		}
	}
	if len(bars) != want {
		t.Errorf("%d bars for %d attempts", len(bars), want)
	}
	for _, k := range kinds {
		if got[k[0]] == 0 {
			t.Errorf("no bar has the colour of %s", k[1])
		}
	}
}

// No two texts of a line come close, and none leaves the picture, where a letter
// is as wide as in a wide font.
func TestTextsDoNotOverlap(t *testing.T) {
	const letter = 7.2
	var texts []element
	for _, e := range elements(t, draw(played(t))) {
		if e.name != "text" {
			continue
		}
		e.width = letter * float64(len(e.text))
		if e.anchor == "middle" {
			e.x -= e.width / 2
		}
		if e.x < 0 || e.x+e.width > width {
			t.Errorf("outside: %q", e.text)
		}
		for _, other := range texts {
			if max(e.y-other.y, other.y-e.y) < 9 && e.x < other.x+other.width && other.x < e.x+e.width {
				t.Errorf("%q overlaps %q", e.text, other.text)
			}
		}
		texts = append(texts, e)
	}
	if len(texts) < 20 {
		t.Errorf("only %d texts", len(texts))
	}
}

func TestRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.svg")
	for _, c := range []struct {
		name string
		args []string
		code int
		out  string
		svg  bool
	}{
		{"no flags", nil, 0, "GET /report: the server asks for a second by Retry-After\n    GET shop.example.com: 2 attempts in 1.4s", false},
		{"a file", []string{"-o", file}, 0, "POST /payments", true},
		{"no such directory", []string{"-o", filepath.Join(file, "x", "y")}, 1, "timeline: ", false},
		{"help", []string{"-h"}, 0, "Usage of timeline", false},
		{"no such flag", []string{"-x"}, 2, "flag provided but not defined", false},
		{"an argument", []string{"x"}, 2, `unexpected argument "x"`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			os.Remove(file)
			var out strings.Builder
			synctest.Test(t, func(t *testing.T) {
				if code := run(t.Context(), c.args, &out, &out); code != c.code {
					t.Errorf("exit status %d, want %d", code, c.code)
				}
			})
			if !strings.Contains(out.String(), c.out) {
				t.Errorf("%q is not in the output:\n%s", c.out, &out)
			}
			svg, _ := os.ReadFile(file)
			if bytes.HasPrefix(svg, []byte("<svg ")) != c.svg {
				t.Errorf("a picture is there: %t, want %t", !c.svg, c.svg)
			}
		})
	}
}

package doccheck

import (
	"strings"
	"testing"
)

func lines(text string) []string { return strings.Split(text, "\n") }

func TestInCode(t *testing.T) {
	const file = "func f() {\n\tif a {\n\t\tb()\n\t}\n\n\tc()\n\td()\n}"
	for _, tt := range []struct {
		name, block string
		want        bool
	}{
		{"as it is", "\tif a {\n\t\tb()\n\t}", true},
		{"without the indentation of the whole", "if a {\n\tb()\n}", true},
		{"another indentation", "if a {\nb()\n}", false},
		{"something else", "if b {\n\tb()\n}", false},
		{"a line is missing", "if a {\n}", false},
		{"a line is left out", "if a {\n\t// …\n}", true},
		{"what is left out in another order", "c()\n// …\nif a {", false},
		{"blank lines", "}\n\nc()", true},
		{"a part of a line", "c(", false},
		{"beyond the end", "}\n}", false},
	} {
		if got := InCode(lines(tt.block), lines(file)); got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
	}
}

func TestInOutput(t *testing.T) {
	const output = "one\ntwo\nthree\n"
	for block, want := range map[string]bool{"one": true, "two\nthree": true, "one\nthree": false, "tw": false} {
		if got := InOutput(lines(block), output); got != want {
			t.Errorf("%q: got %t", block, got)
		}
	}
	const record = "GET api: 2 attempts in 1.092s: 503 after 12ms (status), wait 1h0m0s"
	if got := WithoutTimes(record); got != "GET api: 2 attempts in 0s: 503 after 0s (status), wait 1h0m0s" {
		t.Error(got)
	}
}

func TestParse(t *testing.T) {
	p, err := Parse("docs/a.md", "# A `b` c\n## Waits & budgets\n## Waits & budgets\n"+
		"See [x](b.md#y), `[no](link)` and `go test`.\n<!-- a note -->\n```go\n# no heading\n```\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a-b-c", "waits--budgets", "waits--budgets-1"} {
		if !p.Anchors[want] {
			t.Errorf("no anchor %s among %v", want, p.Anchors)
		}
	}
	if len(p.Anchors) != 3 || len(p.Links) != 1 || p.Links[0] != (Link{"b.md#y", 4}) || len(p.Spans) != 3 {
		t.Errorf("%+v", p)
	}
	if b := p.Blocks[0]; b.Lang != "go" || b.Note != "a note" || b.Line != 6 || len(b.Lines) != 1 {
		t.Errorf("%+v", b)
	}
	if _, err := Parse("a.md", "```go\n"); err == nil {
		t.Error("a block without an end is no error")
	}
}

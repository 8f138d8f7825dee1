package suite

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const hclog = "github.com/hashicorp/go-hclog" // which their tests use

// TestOriginalTests runs the original's tests against compat/retryablehttp. Those
// that the README lists must fail, and no other. With the original's rule for a
// POST set, those that the README says it for must pass, too.
func TestOriginalTests(t *testing.T) {
	listed := differences(t)
	dir := overlay(t)

	failed, output := run(t, dir, ".")
	for _, test := range failed {
		if !slices.Contains(listed, test) {
			t.Errorf("%s fails, and the README does not say why\n%s", test, output[test])
		}
	}
	for _, test := range listed {
		if !slices.Contains(failed, test) {
			t.Errorf("the README says that %s fails, but it does not", test)
		}
	}

	const original = `package retryablehttp
import (
	"net/http"
	"github.com/seed-552c89fc/insist"
)
func init() {
	EditPolicy = func(_ *http.Request, p *insist.Policy) { p.NonIdempotent = insist.ResendEvenIfLost }
}
`
	write(t, filepath.Join(dir, "original_test.go"), original)
	failed, output = run(t, dir, parents(listed))
	for _, test := range failed {
		t.Errorf("%s fails also with the original's rule\n%s", test, output[test])
	}
}

// differences returns the tests that the README lists: the rows of its table that
// begin with a test's name.
func differences(t *testing.T) (tests []string) {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(Test[^`]*)`").FindAllSubmatch(readme, -1) {
		tests = append(tests, string(row[1]))
	}
	return tests
}

// parents returns a pattern for the tests at the top that these belong to.
func parents(tests []string) string {
	names := make(map[string]bool)
	for _, test := range tests {
		top, _, _ := strings.Cut(test, "/")
		names[top] = true
	}
	return "^(" + strings.Join(slices.Sorted(maps.Keys(names)), "|") + ")$"
}

// overlay returns a directory with our package and the original's tests.
func overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ours, _ := filepath.Glob("../*.go")
	theirs, _ := filepath.Glob(filepath.Join(strings.TrimSpace(golang(t, ".", "list", "-m", "-f", "{{.Dir}}", path)), "*_test.go"))
	if len(ours) == 0 || len(theirs) == 0 {
		t.Fatalf("found %d files of ours and %d of theirs", len(ours), len(theirs))
	}
	ours = slices.DeleteFunc(ours, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	for _, name := range append(ours, theirs...) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, filepath.Base(name)), string(data))
	}

	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	var mod strings.Builder
	fmt.Fprintf(&mod, "module %s\n\ngo 1.26\n\nrequire (\n\tgithub.com/seed-552c89fc/insist v0.0.0\n", path)
	modules := golang(t, ".", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Version}}{{end}}", path, hclog)
	seen := map[string]bool{}
	for line := range strings.Lines(modules) {
		if module, _, _ := strings.Cut(line, " "); module != path && !seen[module] {
			seen[module] = true
			mod.WriteString("\t" + line)
		}
	}
	fmt.Fprintf(&mod, ")\n\nreplace github.com/seed-552c89fc/insist => %s\n", root)
	write(t, filepath.Join(dir, "go.mod"), mod.String())
	var sums []byte
	for _, name := range []string{"go.sum", filepath.Join(root, "go.sum")} {
		sum, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, sum...)
	}
	write(t, filepath.Join(dir, "go.sum"), string(sums))
	return dir
}

func write(t *testing.T, name, data string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func golang(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// run runs the tests in dir, and returns those that failed, without those that
// have failed by a test within, and what each of them wrote. Vet is off, for it
// finds fault with the original's tests.
func run(t *testing.T, dir, pattern string) (failed []string, output map[string]string) {
	t.Helper()
	cmd := exec.Command("go", "test", "-mod=mod", "-json", "-race", "-vet=off", "-run", pattern, ".")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	output = make(map[string]string)
	passed := 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var event struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &event) != nil {
			continue
		}
		switch {
		case event.Action == "output":
			output[event.Test] += event.Output
		case event.Test == "":
		case event.Action == "fail":
			failed = append(failed, event.Test)
		case event.Action == "pass":
			passed++
		}
	}
	if passed == 0 || err != nil && len(failed) == 0 { // not built, or cut off
		t.Fatalf("%v\n%s\n%s", err, stderr.String(), output[""])
	}
	return slices.DeleteFunc(failed, func(test string) bool {
		return slices.ContainsFunc(failed, func(other string) bool { return strings.HasPrefix(other, test+"/") })
	}), output
}

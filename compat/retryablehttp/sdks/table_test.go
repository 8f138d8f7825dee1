package sdks

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table into the README")

const (
	tableBegins = "<!-- sdks: go test ./... -update -->\n"
	tableEnds   = "<!-- end -->\n"
	resultsFile = "INSIST_SDKS_RESULTS" // where a run by another go.mod puts them
)

// results are by SDK and scenario.
type results map[string]map[string]string

// TestScenarios is what TestTable runs without the replace line.
func TestScenarios(t *testing.T) {
	name := os.Getenv(resultsFile)
	if name == "" {
		return
	}
	data, err := json.Marshal(playAll(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func playAll(t *testing.T) results {
	all := results{}
	for name := range sdks {
		all[name] = map[string]string{}
		for _, sc := range scenarios {
			all[name][sc.name] = sc.play(t, name)
		}
	}
	return all
}

// TestTable holds the README's table of what the replace line changes against what
// happens with it and without it.
func TestTable(t *testing.T) {
	before, after := original(t), playAll(t)
	var table strings.Builder
	table.WriteString("| SDK | the server | before | after |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(after)) {
		for _, sc := range scenarios {
			was, is := before[name][sc.name], after[name][sc.name]
			if is == "" {
				continue
			}
			if is != was {
				is = "**" + is + "**"
			}
			fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", name, sc.name, was, is)
		}
	}

	const readme = "../README.md"
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(text), tableBegins)
	old, tail, ends := strings.Cut(rest, tableEnds)
	switch {
	case !found || !ends:
		t.Fatal("the README has no place for the table")
	case old == table.String():
	case *update:
		if err := os.WriteFile(readme, []byte(head+tableBegins+table.String()+tableEnds+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the README's table is not right; it should be\n%s", table.String())
	}
}

// original returns the results of a run without the replace line.
func original(t *testing.T) results {
	t.Helper()
	name := filepath.Join(t.TempDir(), "results.json")
	cmd := exec.Command("go", "test", "-modfile=original.mod", "-count=1", "-run=^TestScenarios$", ".")
	cmd.Env = append(os.Environ(), resultsFile+"="+name)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var all results
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

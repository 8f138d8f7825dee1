package doccheck

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const root = "../.."

// repository is what the tests look at.
type repository struct {
	pages    map[string]*Page
	code     map[string]string // Go files
	examples []string          // outputs of Examples
}

var repo = sync.OnceValue(func() *repository {
	r := &repository{pages: map[string]*Page{}, code: map[string]string{}}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		ext := filepath.Ext(name)
		if d.IsDir() || ext != ".md" && ext != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(filepath.ToSlash(name), root+"/")
		if ext == ".go" {
			r.code[rel] = string(text)
			return r.addExamples(rel)
		}
		r.pages[rel], err = Parse(rel, string(text))
		return err
	})
	if err != nil {
		panic(err)
	}
	return r
})

func (r *repository) addExamples(name string) error {
	if !strings.HasSuffix(name, "_test.go") {
		return nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, r.code[name], parser.ParseComments)
	if err != nil {
		return err
	}
	for _, e := range doc.Examples(file) {
		if e.Output != "" {
			r.examples = append(r.examples, e.Output)
		}
	}
	return nil
}

// isTested reports whether a file's code is run by tests or is a program.
func isTested(name string) bool {
	return strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "examples/")
}

// tested has the lines of the files that are tested.
var tested = sync.OnceValue(func() (files [][]string) {
	for name, text := range repo().code {
		if isTested(name) {
			files = append(files, strings.Split(text, "\n"))
		}
	}
	return files
})

func isInTests(block []string) bool {
	return slices.ContainsFunc(tested(), func(file []string) bool { return InCode(block, file) })
}

// isGuide reports whether a page is one of those that a user of the library reads
// first, or a contributor.
func isGuide(name string) bool {
	return path.Dir(name) == "." || path.Dir(name) == "docs"
}

func blocks(t *testing.T, langs ...string) func(yield func(*Page, Block) bool) {
	return func(yield func(*Page, Block) bool) {
		for _, p := range repo().pages {
			for _, b := range p.Blocks {
				if slices.Contains(langs, b.Lang) && !yield(p, b) {
					return
				}
			}
		}
	}
}

// TestGoBlocks: all Go code that pages show stands in a test or in a program.
func TestGoBlocks(t *testing.T) {
	for p, b := range blocks(t, "go") {
		if !isInTests(b.Lines) {
			t.Errorf("%s:%d: no test or example has this code; copy it from there, or there (a line %q leaves lines out):\n%s",
				p.Path, b.Line, elided, strings.Join(b.Lines, "\n"))
		}
	}
}

// TestReferenceCode: nor does the package comment of the core show other code.
func TestReferenceCode(t *testing.T) {
	var block []string
	for _, line := range append(strings.Split(repo().code["doc.go"], "\n"), "") {
		if code, ok := strings.CutPrefix(line, "//\t"); ok {
			block = append(block, code)
			continue
		}
		if text := strings.Join(block, "\n"); strings.Contains(text, "insist.") && !isInTests(block) {
			t.Errorf("doc.go: no test or example has this code:\n%s", text)
		}
		block = nil
	}
}

// TestOutputs: all output that pages show is an Example's, or that of the program
// which the comment above names: <!-- go run ./examples/quickstart -->. Times may
// differ below a program, and below the comment <!-- times vary -->.
func TestOutputs(t *testing.T) {
	ran := map[string]string{}
	for p, b := range blocks(t, "text") {
		outputs, shown := repo().examples, b.Lines
		if _, ok := ran[b.Note]; !ok && strings.HasPrefix(b.Note, "go run ") {
			command := exec.Command("go", strings.Fields(b.Note)[1:]...)
			command.Dir = root
			out, err := command.Output()
			if err != nil {
				t.Fatalf("%s: %v", b.Note, err)
			}
			ran[b.Note] = WithoutTimes(string(out))
		}
		if out, ok := ran[b.Note]; ok {
			outputs = []string{out}
		}
		if b.Note != "" {
			shown = strings.Split(WithoutTimes(strings.Join(shown, "\n")), "\n")
		}
		if !slices.ContainsFunc(outputs, func(out string) bool {
			return InOutput(shown, out) || b.Note == "times vary" && InOutput(shown, WithoutTimes(out))
		}) {
			t.Errorf("%s:%d: nothing prints this:\n%s", p.Path, b.Line, strings.Join(b.Lines, "\n"))
		}
	}
}

// TestLanguages: each block says what it is, so that it is looked at.
func TestLanguages(t *testing.T) {
	for _, p := range repo().pages {
		for _, b := range p.Blocks {
			if !slices.Contains([]string{"go", "text", "sh", "python", "go.mod"}, b.Lang) {
				t.Errorf("%s:%d: a block of language %q is not checked", p.Path, b.Line, b.Lang)
			}
		}
	}
}

// TestLinks: relative links lead to a file or directory, and their anchors to a heading.
func TestLinks(t *testing.T) {
	for _, p := range repo().pages {
		for _, l := range p.Links {
			to, anchor, _ := strings.Cut(l.To, "#")
			if strings.Contains(to, ":") {
				continue // another site's
			}
			target := p.Path
			if to != "" {
				target = path.Join(path.Dir(p.Path), to)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s:%d: %s is not there", p.Path, l.Line, l.To)
			} else if page := repo().pages[target]; anchor != "" && (page == nil || !page.Anchors[anchor]) {
				t.Errorf("%s:%d: %s has no heading #%s", p.Path, l.Line, target, anchor)
			}
		}
	}
}

// TestCommands: what a guide says to run is there.
func TestCommands(t *testing.T) {
	for _, p := range repo().pages {
		if !isGuide(p.Path) {
			continue
		}
		commands := slices.Clone(p.Spans)
		for _, b := range p.Blocks {
			for i, line := range b.Lines {
				if b.Lang == "sh" {
					line, _, _ = strings.Cut(line, " #")
					commands = append(commands, Link{strings.TrimSpace(line), b.Line + 1 + i})
				}
			}
		}
		for _, c := range commands {
			if err := checkCommand(c.To); err != nil {
				t.Errorf("%s:%d: %s: %v", p.Path, c.Line, c.To, err)
			}
		}
	}
}

var (
	inDir    = regexp.MustCompile(`^cd (\S+) && (.*)$`)
	goRun    = regexp.MustCompile(`^go run (\.\S*)`)
	goTest   = regexp.MustCompile(`^go test\b.* (\.\S*)$`)
	runFlag  = regexp.MustCompile(`-(?:run|bench|fuzz) '?([^' ]+)`)
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Example|Benchmark|Fuzz)\w*)`)
)

// checkCommand looks for the program that a command runs, or the tests.
func checkCommand(command string) error {
	dir := "."
	if m := inDir.FindStringSubmatch(command); m != nil {
		dir, command = m[1], m[2]
	}
	if m := goRun.FindStringSubmatch(command); m != nil {
		if !has(path.Join(dir, m[1]), regexp.MustCompile(`(?m)^package main$`)) {
			return fmt.Errorf("no program in %s", path.Join(dir, m[1]))
		}
		return nil
	}
	m := goTest.FindStringSubmatch(command)
	if m == nil {
		return nil
	}
	where := path.Join(dir, m[1])
	for _, flag := range runFlag.FindAllStringSubmatch(command, -1) {
		if flag[1] == "^$" {
			continue // run none
		}
		name, err := regexp.Compile(strings.SplitN(flag[1], "/", 2)[0])
		if err != nil {
			return err
		}
		if !hasTest(where, name) {
			return fmt.Errorf("no test in %s matches %s", where, flag[1])
		}
	}
	if !has(where, testFunc) {
		return fmt.Errorf("no tests in %s", where)
	}
	return nil
}

// inPackage reports whether a file belongs to a package, or to a pattern dir/....
func inPackage(file, where string) bool {
	if below, ok := strings.CutSuffix(where, "..."); ok {
		return below == "" || strings.HasPrefix(file, below)
	}
	return path.Dir(file) == where
}

func has(where string, re *regexp.Regexp) bool {
	for name, text := range repo().code {
		if inPackage(name, where) && re.MatchString(text) {
			return true
		}
	}
	return false
}

func hasTest(where string, re *regexp.Regexp) bool {
	for name, text := range repo().code {
		if !inPackage(name, where) {
			continue
		}
		for _, m := range testFunc.FindAllStringSubmatch(text, -1) {
			if re.MatchString(m[1]) {
				return true
			}
		}
	}
	return false
}

// TestNames: each exported name of the core, and each field of Policy, is on a page.
func TestNames(t *testing.T) {
	var pages strings.Builder
	for _, p := range repo().pages {
		if isGuide(p.Path) && p.Path != "CHANGELOG.md" {
			pages.WriteString(strings.Join(p.Lines, "\n"))
		}
	}
	for name := range exported(t) {
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(pages.String()) {
			t.Errorf("%s is on no page", name)
		}
	}
	reference := repo().code["doc.go"]
	for name := range policyFields(t) {
		if !regexp.MustCompile(`(?m)^//\t` + name + `\b`).MatchString(reference) {
			t.Errorf("the table of doc.go has no line for %s", name)
		}
	}
}

// rootFile calls f with each declaration of the core's files.
func declarations(t *testing.T, f func(ast.Decl)) {
	t.Helper()
	for name, text := range repo().code {
		if path.Dir(name) != "." || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f(d)
		}
	}
}

func exported(t *testing.T) map[string]bool {
	names := policyFields(t)
	add := func(id *ast.Ident) {
		if id.IsExported() {
			names[id.Name] = true
		}
	}
	declarations(t, func(d ast.Decl) {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add(d.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					add(s.Name)
				case *ast.ValueSpec:
					for _, id := range s.Names {
						add(id)
					}
				}
			}
		}
	})
	return names
}

func policyFields(t *testing.T) map[string]bool {
	fields := map[string]bool{}
	declarations(t, func(d ast.Decl) {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			return
		}
		for _, s := range g.Specs {
			ts, ok := s.(*ast.TypeSpec)
			if !ok || ts.Name.Name != "Policy" {
				continue
			}
			for _, f := range ts.Type.(*ast.StructType).Fields.List {
				for _, id := range f.Names {
					fields[id.Name] = true
				}
			}
		}
	})
	return fields
}

// TestSizes: the README is a page, and AGENTS.md a map.
func TestSizes(t *testing.T) {
	readme := strings.Join(repo().pages["README.md"].Lines, "\n")
	if len(readme) > 12_000 {
		t.Errorf("README.md has %d bytes, more than 12000", len(readme))
	}
	if n := strings.Count(readme, "go test"); n != 1 {
		t.Errorf("README.md says go test %d times: the details are for docs/tested.md", n)
	}
	if n := len(repo().pages["AGENTS.md"].Lines) - 1; n > 60 {
		t.Errorf("AGENTS.md has %d lines, more than 60", n)
	}
}

var (
	goFile = regexp.MustCompile("`([\\w./-]+\\.go)`")
	step   = regexp.MustCompile("^\\d+\\. `([\\w./-]+\\.go)` ((?:`[\\w.]+`(?:, )?)+)")
)

// TestMap: the files that AGENTS.md names are there, and declare what its walks say.
func TestMap(t *testing.T) {
	for i, line := range repo().pages["AGENTS.md"].Lines {
		for _, m := range goFile.FindAllStringSubmatch(line, -1) {
			if _, ok := repo().code[m[1]]; !ok {
				t.Errorf("AGENTS.md:%d: %s is not there", i+1, m[1])
			}
		}
		m := step.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		for _, span := range spans.FindAllStringSubmatch(m[2], -1) {
			name := span[1][strings.LastIndex(span[1], ".")+1:]
			if !regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + name + `\b`).MatchString(repo().code[m[1]]) {
				t.Errorf("AGENTS.md:%d: %s has no function %s", i+1, m[1], name)
			}
		}
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Go's tests can import only packages of the standard library. So the packages of
// between, and those that it needs, are in these runs part of it, below this path.
const hookPackage = "insistbetween"

// hookSource is the file that is added to net/http. Wrapped is called where a Client
// asks for its RoundTripper; Between where a test calls a RoundTripper itself, which it
// does not if a frame of ours is on the stack: then we call it.
const hookSource = `package http

import (
	"runtime"
	"strings"
)

// InsistWrap returns what stands before rt.
var InsistWrap func(rt RoundTripper) RoundTripper

func insistWrapped(rt RoundTripper) RoundTripper {
	if rt == nil || InsistWrap == nil || insistCalls() {
		return rt
	}
	return InsistWrap(rt)
}

// InsistBetween returns what rt's RoundTrip is to call in its place, or nil.
func InsistBetween(rt RoundTripper) RoundTripper {
	if InsistWrap == nil || insistCalls() {
		return nil
	}
	return InsistWrap(rt)
}

func insistCalls() bool {
	pcs := make([]uintptr, 256)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, "` + hookPackage + `/") {
			return true
		}
		if !more {
			return false
		}
	}
}
`

const initSource = `package ` + hookPackage + `

import (
	"net/http"

	"` + hookPackage + `/` + module + `/between"
)

func init() { http.InsistWrap = between.FromEnvironment() }
`

const module = "github.com/seed-552c89fc/insist/proof/nethttp"

// edit replaces the one place in a file that has the old text.
type edit struct{ file, old, new string }

// netHTTPEdits are the hooks in net/http.
var netHTTPEdits = []edit{
	{"client.go", "\treturn DefaultTransport\n}", "\treturn insistWrapped(DefaultTransport)\n}"},
	{"client.go", "\t\treturn c.Transport\n", "\t\treturn insistWrapped(c.Transport)\n"},
	{"roundtrip.go", "\treturn t.roundTrip(req)\n", "\tif rt := InsistBetween(t); rt != nil {\n\t\treturn rt.RoundTrip(req)\n\t}\n\treturn t.roundTrip(req)\n"},
	{"clientconn.go", "func (cc *ClientConn) RoundTrip(req *Request) (*Response, error) {\n",
		"func (cc *ClientConn) RoundTrip(req *Request) (*Response, error) {\n\tif rt := InsistBetween(cc); rt != nil {\n\t\treturn rt.RoundTrip(req)\n\t}\n"},
}

// apply returns the text with the edit made. It is an error if the text is not as
// expected: the hook would then be somewhere else, or nowhere.
func (e edit) apply(text []byte) ([]byte, error) {
	if n := bytes.Count(text, []byte(e.old)); n != 1 {
		return nil, fmt.Errorf("%s has %d places, and not one, with %q: the hook does not fit this version", e.file, n, e.old)
	}
	return bytes.Replace(text, []byte(e.old), []byte(e.new), 1), nil
}

// overlay is the files that are not what they are on disk; see go help build.
type overlay struct {
	dir     string            // of the files that stand in
	Replace map[string]string // by the path of the file that they stand in for
}

func (o *overlay) put(path string, text []byte) error {
	file := filepath.Join(o.dir, strconv.Itoa(len(o.Replace))+"-"+filepath.Base(path))
	o.Replace[path] = file
	return os.WriteFile(file, text, 0o666)
}

// newOverlay returns an overlay for GOROOT with the hook in net/http and the packages
// that it calls, and writes it to scratch/overlay.json.
func newOverlay(scratch string) (file string, err error) {
	o := &overlay{dir: filepath.Join(scratch, "overlay"), Replace: map[string]string{}}
	if err := os.MkdirAll(o.dir, 0o777); err != nil {
		return "", err
	}
	src, err := goEnv("GOROOT")
	if err != nil {
		return "", err
	}
	src = filepath.Join(src, "src")
	if err := o.hookNetHTTP(filepath.Join(src, "net", "http")); err != nil {
		return "", err
	}
	if err := o.put(filepath.Join(src, hookPackage, "init.go"), []byte(initSource)); err != nil {
		return "", err
	}
	if err := o.addPackages(filepath.Join(src, hookPackage)); err != nil {
		return "", err
	}
	for dir, name := range map[string]string{"net/http": "http", "net/http/httputil": "httputil"} {
		if err := o.put(filepath.Join(src, filepath.FromSlash(dir), hookTestFile), hookTest(name)); err != nil {
			return "", err
		}
	}
	text, err := json.MarshalIndent(o, "", "\t")
	if err != nil {
		return "", err
	}
	file = filepath.Join(scratch, "overlay.json")
	return file, os.WriteFile(file, text, 0o666)
}

// hookTestFile is added to each package whose tests are run.
const hookTestFile = "insistbetween_hook_test.go"

func hookTest(packageName string) []byte {
	return fmt.Appendf(nil, "package %s_test\n\nimport _ %q\n", packageName, hookPackage)
}

func (o *overlay) hookNetHTTP(dir string) error {
	if err := o.put(filepath.Join(dir, "insistbetween.go"), []byte(hookSource)); err != nil {
		return err
	}
	files := map[string][]byte{}
	for _, e := range netHTTPEdits {
		text := files[e.file]
		if text == nil {
			var err error
			if text, err = os.ReadFile(filepath.Join(dir, e.file)); err != nil {
				return err
			}
		}
		text, err := e.apply(text)
		if err != nil {
			return err
		}
		files[e.file] = text
	}
	for name, text := range files {
		if err := o.put(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	return nil
}

// addPackages adds between, and what it imports that is not in the standard library,
// below dir.
func (o *overlay) addPackages(dir string) error {
	type pkg struct {
		Dir, ImportPath string
		GoFiles         []string
		Standard        bool
	}
	out, err := command("", "go", "list", "-deps", "-json=Dir,ImportPath,GoFiles,Standard", "./between").Output()
	if err != nil {
		return err
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			return err
		}
		if !p.Standard {
			pkgs = append(pkgs, p)
		}
	}
	moved := func(path string) bool {
		return slices.ContainsFunc(pkgs, func(p pkg) bool { return p.ImportPath == path })
	}
	for _, p := range pkgs {
		for _, name := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				return err
			}
			if text, err = moveImports(text, moved); err != nil {
				return err
			}
			if err := o.put(filepath.Join(dir, filepath.FromSlash(p.ImportPath), name), text); err != nil {
				return err
			}
		}
	}
	return nil
}

// moveImports returns the file with those imports moved below hookPackage.
func moveImports(text []byte, moved func(path string) bool) ([]byte, error) {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", text, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	for _, spec := range slices.Backward(f.Imports) {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		if moved(path) {
			at := files.Position(spec.Path.Pos()).Offset + 1 // behind the quotation mark
			text = slices.Insert(text, at, []byte(hookPackage+"/")...)
		}
	}
	return text, nil
}

func command(dir, name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir, c.Stderr = dir, os.Stderr
	return c
}

func goEnv(name string) (string, error) {
	out, err := command("", "go", "env", name).Output()
	return strings.TrimSpace(string(out)), err
}

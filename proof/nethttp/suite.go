package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// suite is the tests of one package.
type suite struct {
	// pkg is the package's path.
	pkg string

	// module is the module that it is in, with its version. Empty means the standard
	// library.
	module string

	// edits are the hooks that this package needs beside those in net/http.
	edits []edit

	// modesAtOnce is how many modes run at the same time, each in a folder of its own,
	// since tests write files. Zero means one.
	modesAtOnce int

	// leftOut are the tests that are not run, and why. leftOutFiles are files of them.
	leftOut, leftOutFiles map[string]string
}

// sleeping is for suites whose tests wait most of the time, without work for a processor.
const sleeping = 4

var suites = []suite{
	{pkg: "net/http", leftOut: map[string]string{
		"TestCmdGoNoHTTPServer": "builds programs, and makes no request",
		"TestOmitHTTP2":         "builds programs, and makes no request",
		"TestOmitHTTP2Vet":      "builds programs, and makes no request",
	}},
	{pkg: "net/http/httputil"},
	{pkg: "golang.org/x/net/http2", module: "golang.org/x/net@v0.60.0", edits: []edit{{
		"transport_common.go",
		"\treturn t.RoundTripOpt(req, RoundTripOpt{})\n",
		"\tif rt := http.InsistBetween(t); rt != nil {\n\t\treturn rt.RoundTrip(req)\n\t}\n\treturn t.RoundTripOpt(req, RoundTripOpt{})\n",
	}}},
	{pkg: "golang.org/x/oauth2", module: "golang.org/x/oauth2@v0.38.0"},
	{pkg: "golang.org/x/oauth2/clientcredentials", module: "golang.org/x/oauth2@v0.38.0"},
	{pkg: "golang.org/x/oauth2/jwt", module: "golang.org/x/oauth2@v0.38.0"},
	{pkg: "k8s.io/client-go/rest", module: "k8s.io/client-go@v0.37.2"},
	{pkg: "k8s.io/client-go/tools/remotecommand", module: "k8s.io/client-go@v0.37.2"},
	{pkg: "connectrpc.com/connect", module: "connectrpc.com/connect@v1.21.1", modesAtOnce: 2},
	{pkg: "github.com/go-resty/resty/v2", module: "github.com/go-resty/resty/v2@v2.17.2", modesAtOnce: sleeping},
	{pkg: "github.com/minio/minio-go/v7", module: "github.com/minio/minio-go/v7@v7.4.1", modesAtOnce: sleeping, leftOut: map[string]string{
		"TestRetryContinuous": "measures sleeps of milliseconds, and makes no request",
		"TestRetryTimer":      "measures sleeps of milliseconds, and makes no request",
	}},
	{pkg: "github.com/minio/minio-go/v7/pkg/credentials", module: "github.com/minio/minio-go/v7@v7.4.1"},
	{pkg: "github.com/google/go-github/v89/github", module: "github.com/google/go-github/v89@v89.0.0", leftOutFiles: map[string]string{
		"github-accessors_test.go": "5626 tests of generated methods, which make no request",
		"github-stringify_test.go": "129 tests of generated methods, which make no request",
	}, leftOut: map[string]string{
		"TestDo_rateLimit_abuseRateLimitError_retryAfter":      unclosed,
		"TestDo_rateLimit_abuseRateLimitError_xRateLimitReset": unclosed,
	}},
}

const unclosed = "ends in a deadlock in the pass-through, too: go-github does not close the body of a response that reports an error, and a Client with a Timeout has a goroutine until then if its RoundTripper is not net/http's own; the bubble of testing/synctest waits for that"

// binary is the test binary of a suite.
type binary struct {
	suite  *suite
	file   string
	dir    string // in which it runs
	module string // the copied module, if it is in one
}

// build builds the tests of s with the overlay. The same binary has all modes.
func (s *suite) build(scratch, overlay string, race bool) (*binary, error) {
	root, err := goEnv("GOROOT")
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(root, "src", filepath.FromSlash(s.pkg))
	where := "" // go.mod's, for the build
	if s.module != "" {
		if where, err = copyModule(s.module, scratch); err != nil {
			return nil, err
		}
		path, _, _ := strings.Cut(s.module, "@")
		dir = filepath.Join(where, filepath.FromSlash(strings.TrimPrefix(s.pkg, path)))
		if err := s.hook(dir); err != nil {
			return nil, err
		}
	}
	b := &binary{s, filepath.Join(scratch, strings.ReplaceAll(s.pkg, "/", "_")+".test"), dir, where}
	args := []string{"test", "-c", "-vet=off", "-overlay=" + overlay, "-o", b.file}
	if race {
		args = append(args, "-race")
	}
	c := command(where, "go", append(args, s.pkg)...)
	c.Stdout = os.Stderr
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("building the tests of %s: %w", s.pkg, err)
	}
	return b, nil
}

// apart returns the binary as it runs in a mode: beside other modes, in a copy of the module.
func (b *binary) apart(mode string) (*binary, error) {
	if b.suite.modesAtOnce == 0 {
		return b, nil
	}
	c := *b
	c.module += "-" + mode
	c.dir = c.module + strings.TrimPrefix(b.dir, b.module)
	if err := os.RemoveAll(c.module); err != nil {
		return nil, err
	}
	return &c, os.CopyFS(c.module, os.DirFS(b.module))
}

// hook makes the edits in the copied package, adds the file that sets the hook, and
// removes those that are left out.
func (s *suite) hook(dir string) error {
	for _, e := range s.edits {
		name := filepath.Join(dir, e.file)
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if text, err = e.apply(text); err != nil {
			return err
		}
		if err := os.WriteFile(name, text, 0o666); err != nil {
			return err
		}
	}
	for name := range s.leftOutFiles {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	out, err := command(dir, "go", "list", "-f", "{{.Name}}", ".").Output()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, hookTestFile), hookTest(strings.TrimSpace(string(out))), 0o666)
}

// copyModule copies the module below scratch: an overlay must not change files of the
// module cache.
func copyModule(module, scratch string) (string, error) {
	to := filepath.Join(scratch, "modules", strings.ReplaceAll(module, "/", "_"))
	if _, err := os.Stat(to); err == nil {
		return to, nil
	}
	out, err := command("", "go", "mod", "download", "-json", module).Output()
	if err != nil {
		return "", err
	}
	var m struct{ Dir string }
	if err := json.Unmarshal(out, &m); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return "", err
	}
	return to, os.CopyFS(to, os.DirFS(m.Dir))
}

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNetHTTP runs net/http's tests in the pass-through and with every feature on. What
// differs must be what differences.txt says. The other modes and packages take longer:
// go run .
func TestNetHTTP(t *testing.T) {
	all, err := parseDifferences(differencesText)
	require.NoError(t, err)
	p := proof{scratch: t.TempDir(), modes: []string{"all-on"}, suites: []*suite{&suites[0]}, known: all, out: t.Output()}
	found, err := p.run()
	require.NoError(t, err)
	for i := range found {
		found[i].gone = nil // some depend on the machine; go run . is strict
	}
	require.NoError(t, asListed(found))
	for _, f := range found {
		assert.Greater(t, f.counts["pass"], 1300, f.mode)
	}
}

// TestRun checks that a test that ends its process does not keep the others from running.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module fixture\n\ngo 1.26\n",
		"fixture_test.go": `package fixture

import "testing"

func TestFirst(t *testing.T) {}
func TestFails(t *testing.T) { t.Run("good", func(t *testing.T) {}); t.Run("bad", func(t *testing.T) { t.Fail() }) }
func TestPanics(t *testing.T) {
	t.Run("good", func(t *testing.T) {})
	t.Run("bad", func(t *testing.T) { t.Parallel(); panic("bad") })
	t.Run("later", func(t *testing.T) {})
}
func TestSkipped(t *testing.T) { t.Skip() }
func TestLeftOut(t *testing.T) { t.Fail() }
func TestLast(t *testing.T) { t.Parallel() }
`} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	file := filepath.Join(dir, "fixture.test")
	require.NoError(t, command(dir, "go", "test", "-c", "-o", file, ".").Run())
	b := binary{&suite{pkg: "fixture", leftOut: map[string]string{"TestLeftOut": "fails"}}, file, dir, ""}
	r, err := b.run("pass-through", "", nil, nil)
	require.NoError(t, err)
	assert.Equal(t, results{
		"TestFirst": "pass", "TestFails": "fail", "TestFails/good": "pass", "TestFails/bad": "fail",
		"TestPanics": "fail", "TestPanics/good": "pass", "TestPanics/bad": "fail", "TestPanics/later": "pass",
		"TestSkipped": "skip", "TestLast": "pass", atEnd: "pass",
	}, r)
	r, err = b.run("pass-through", "Skipped|Panics", nil, []string{"TestPanics/bad"})
	require.NoError(t, err)
	assert.Equal(t, results{
		"TestPanics": "fail", "TestPanics/good": "pass", "TestPanics/bad": "fail", "TestPanics/later": "pass",
		"TestSkipped": "skip", atEnd: "pass",
	}, r)
}

// TestApart checks that a mode that runs beside others has files of its own.
func TestApart(t *testing.T) {
	root := t.TempDir()
	module := filepath.Join(root, "m")
	require.NoError(t, os.MkdirAll(filepath.Join(module, "p"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(module, "p", "file"), []byte("text"), 0o666))
	b := &binary{&suite{pkg: "m/p"}, "", filepath.Join(module, "p"), module}
	same, err := b.apart("all-on")
	require.NoError(t, err)
	assert.Same(t, b, same)
	b.suite.modesAtOnce = 2
	for range 2 {
		other, err := b.apart("all-on")
		require.NoError(t, err)
		assert.Equal(t, filepath.Join(root, "m-all-on", "p"), other.dir)
		text, err := os.ReadFile(filepath.Join(other.dir, "file"))
		require.NoError(t, err)
		assert.Equal(t, "text", string(text))
		require.NoError(t, os.WriteFile(filepath.Join(other.dir, "later"), nil, 0o666))
	}
	assert.NoFileExists(t, filepath.Join(b.dir, "later"))
}

func TestDiffering(t *testing.T) {
	base := results{"A": "pass", "A/x": "pass", "A/y": "pass", "B": "fail", "C": "pass", "D": "skip", "E": "pass"}
	r := results{"A": "fail", "A/x": "fail", "B": "fail", "C": "fail", "D": "pass", "E": "pass", "F": "fail"}
	assert.Equal(t, []string{"A/x", "C", "D"}, differing(base, r))
}

func TestParseDifferences(t *testing.T) {
	all, err := parseDifferences("# not this\n\np\tTestA/x\tall-on first-fails hangs\tso it is\n")
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.False(t, all[0].sometimes)
	assert.True(t, all[0].hangs)
	assert.True(t, all[0].covers("p", "TestA/x/y", "503-amid"))
	assert.False(t, all[0].covers("p", "TestA/xy", "503-amid"))
	assert.False(t, all[0].covers("p", "TestA", "503-amid"))
	assert.False(t, all[0].covers("q", "TestA/x", "503-amid"))
	assert.False(t, all[0].covers("p", "TestA/x", "never-retries"))
	for _, wrong := range []string{"p\tTestA\tall-on", "p\tTestA\tall-on\t", "p\tTestA\tsome\twhy"} {
		_, err := parseDifferences(wrong)
		assert.Error(t, err, wrong)
	}
}

func TestEditThatDoesNotFit(t *testing.T) {
	e := edit{"f.go", "old", "new"}
	text, err := e.apply([]byte("the old text"))
	require.NoError(t, err)
	assert.Equal(t, "the new text", string(text))
	for _, wrong := range []string{"the text", "old old text"} {
		_, err := e.apply([]byte(wrong))
		assert.ErrorContains(t, err, "f.go")
	}
}

func TestMoveImports(t *testing.T) {
	const text = "package p\n\nimport (\n\t\"example.com/a\"\n\tb \"example.com/b\"\n\t\"fmt\"\n)\n\nvar s = \"example.com/a\"\n"
	moved, err := moveImports([]byte(text), func(path string) bool { return strings.HasPrefix(path, "example.com/") })
	require.NoError(t, err)
	assert.Equal(t, "package p\n\nimport (\n\t\"insistbetween/example.com/a\"\n\tb \"insistbetween/example.com/b\"\n\t\"fmt\"\n)\n\nvar s = \"example.com/a\"\n", string(moved))
}

func TestExactly(t *testing.T) {
	assert.Equal(t, "", exactly())
	assert.Equal(t, `^TestA$/^x\.y$|^TestB$`, exactly("TestA/x.y", "TestB"))
}

func TestFitting(t *testing.T) {
	assert.Equal(t, 0, fitting(nil))
	few := []string{"TestA", "TestB"}
	assert.Equal(t, 2, fitting(few))
	many := slices.Repeat([]string{"Test" + strings.Repeat("x", 93)}, 2000) // 100 bytes each
	n := fitting(many)
	assert.Equal(t, 1000, n)
	assert.Less(t, len(exactly(many[:n]...)), 128<<10)
	assert.Equal(t, 1, fitting([]string{strings.Repeat("x", 200_000), "TestB"}))
}

func TestReplace(t *testing.T) {
	page, err := replace("a <!-- n -->old<!-- end of n --> b", "n", "new")
	require.NoError(t, err)
	assert.Equal(t, "a <!-- n -->\nnew\n<!-- end of n --> b", page)
	_, err = replace("a <!-- n -->old", "n", "new")
	assert.Error(t, err)
}

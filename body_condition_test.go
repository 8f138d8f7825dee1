package insist

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ask returns what a condition says of a body, whatever the body comes in.
func ask(t *testing.T, c BodyCondition, body string) Verdict {
	t.Helper()
	got := c(nil, nil, 1, strings.NewReader(body)).Verdict
	assert.Equal(t, got, c(nil, nil, 1, iotest.OneByteReader(strings.NewReader(body))).Verdict, "a byte at a time: %s", body)
	assert.Equal(t, got, c(nil, nil, 1, iotest.DataErrReader(strings.NewReader(body))).Verdict, "EOF with the data: %s", body)
	return got
}

type retCode int

type picky int

func (p *picky) UnmarshalJSON(b []byte) error { *p = picky(len(b)); return nil }

type shout string

func (s *shout) UnmarshalText(b []byte) error { *s = shout(strings.ToUpper(string(b))); return nil }

func TestJSONField(t *testing.T) {
	not0 := JSONFieldNot("/ret_code", 0)
	present := JSONField[any]("/error", nil)
	for _, c := range []struct {
		name      string
		condition BodyCondition
		body      string
		want      Verdict
	}{
		{"not ok", not0, `{"ret_code": 5000}`, Retry},
		{"ok", not0, `{"ret_code": 0}`, unknown},
		{"ok in another spelling", not0, `{"ret_code": 0.0}`, unknown},
		{"not ok in another spelling", not0, `{"ret_code": 5e3}`, Retry},
		{"ok as a string", not0, `{"ret_code": "0"}`, unknown},
		{"not ok as a string", not0, `{"ret_code": "5000"}`, Retry},
		{"negative", not0, `{"ret_code": -1}`, Retry},
		{"no integer", not0, `{"ret_code": 0.5}`, unknown},
		{"no number", not0, `{"ret_code": "bad"}`, unknown},
		{"too large", not0, `{"ret_code": 99999999999999999999}`, unknown},
		{"null", not0, `{"ret_code": null}`, unknown},
		{"absent", not0, `{"other": 5000}`, unknown},
		{"an object", not0, `{"ret_code": {"a": 1}}`, unknown},
		{"the first of two", not0, `{"ret_code": 5000, "ret_code": 0}`, Retry},
		{"decided before the fault", not0, `{"ret_code": 5000, oops`, Retry},
		{"decided before the end", not0, `{"ret_code": 5000`, unknown},
		{"an escaped key", not0, `{"ret\u005fcode": 5000}`, Retry},
		{"no JSON", not0, `<html>ret_code 5000</html>`, unknown},
		{"nothing", not0, ``, unknown},
		{"a number by itself", JSONFieldNot("", 0), `5000`, Retry},

		{"deep", JSONFieldNot("/a/1/b~1c/~0", 0), `{"a": [0, {"b/c": {"~": 1}}]}`, Retry},
		{"deep, ok", JSONFieldNot("/a/1/b~1c/~0", 0), `{"a": [0, {"b/c": {"~": 0}}]}`, unknown},
		{"past the array", JSONFieldNot("/a/2", 0), `{"a": [1, 1]}`, unknown},

		{"a named type", JSONFieldNot("/c", retCode(0)), `{"c": 1}`, Retry},
		{"int8", JSONFieldNot("/c", int8(0)), `{"c": 127}`, Retry},
		{"int8 overflows", JSONFieldNot("/c", int8(0)), `{"c": 128}`, unknown},
		{"uint", JSONFieldNot("/c", uint16(0)), `{"c": 65535}`, Retry},
		{"uint overflows", JSONFieldNot("/c", uint16(0)), `{"c": 65536}`, unknown},
		{"uint is not negative", JSONFieldNot("/c", uint(0)), `{"c": -1}`, unknown},
		{"uint64 above MaxInt64", JSONFieldNot("/c", uint64(0)), `{"c": 18446744073709551615}`, Retry},
		{"uint64 overflows", JSONFieldNot("/c", uint64(0)), `{"c": 18446744073709551616}`, unknown},
		{"uintptr in another spelling", JSONFieldNot("/c", uintptr(0)), `{"c": 5e3}`, Retry},
		{"float64", JSONFieldNot("/c", 0.0), `{"c": 0.5}`, Retry},
		{"float64, an integer", JSONFieldNot("/c", 2.0), `{"c": 2}`, unknown},
		{"float32 overflows", JSONFieldNot("/c", float32(0)), `{"c": 1e300}`, unknown},
		{"float32 is rounded once", JSONFieldNot("/c", float32(1)), `{"c": 1.00000005960464477539062501}`, Retry},
		{"float32, the largest", JSONFieldNot("/c", float32(0)), `{"c": 3.4028235677973366e38}`, Retry},
		{"string", JSONFieldNot("/c", "OK"), `{"c": "Throttling"}`, Retry},
		{"string, ok", JSONFieldNot("/c", "OK"), `{"c": "\u004fK"}`, unknown},
		{"string, long", JSONFieldNot("/c", "OK"), `{"c": "` + strings.Repeat("x", 5000) + `"}`, Retry},
		{"string is no number", JSONFieldNot("/c", "OK"), `{"c": 1}`, unknown},
		{"bool", JSONFieldNot("/ok", true), `{"ok": false}`, Retry},
		{"bool, ok", JSONFieldNot("/ok", true), `{"ok": true}`, unknown},
		{"bool is no string", JSONFieldNot("/ok", true), `{"ok": "false"}`, unknown},
		{"json.Number", JSONFieldNot("/c", json.Number("1.50")), `{"c": 1.5}`, Retry},
		{"json.Number, the same text", JSONFieldNot("/c", json.Number("1.50")), `{"c": 1.50}`, unknown},
		{"its own decoder", JSONFieldNot("/c", picky(4)), `{"c": "12"}`, unknown},
		{"its own text", JSONFieldNot("/c", shout("OK")), `{"c": "ok"}`, unknown},
		{"its own text, no string", JSONFieldNot("/c", shout("OK")), `{"c": 5}`, unknown},
		{"any", JSONField("/c", func(v any) bool { return v == true }), `{"c": true}`, Retry},
		{"a slice", JSONField("/c", func(v []int) bool { return len(v) == 2 }), `{"c": [1, 2]}`, Retry},
		{"a struct", JSONField("/c", func(v struct{ A int }) bool { return v.A == 7 }), `{"c": {"a": 7}}`, Retry},
		{"raw", JSONField("/c", func(v json.RawMessage) bool { return string(v) == `[ 1 ]` }), `{"c": [ 1 ]}`, Retry},
		{"a pointer", JSONField("/c", func(v *int) bool { return v != nil && *v == 1 }), `{"c": 1}`, Retry},
		{"a pointer, as a string", JSONField("/c", func(v *int) bool { return *v == 1 }), `{"c": "1"}`, Retry},

		{"present: an object", present, `{"error": {"code": 1}}`, Retry},
		{"present: decided at the bracket", present, `{"error": {`, Retry},
		{"present: a string", present, `{"error": "x"}`, Retry},
		{"present: a long string", present, `{"error": "` + strings.Repeat("x", 5000) + `"}`, Retry},
		{"present: null", present, `{"error": null}`, unknown},
		{"present: absent", present, `{"result": 1}`, unknown},
		{"first of a list", JSONField[any]("/errors/0", nil), `{"errors": [{}]}`, Retry},
		{"first of none", JSONField[any]("/errors/0", nil), `{"errors": []}`, unknown},
		{"in a batch", JSONField[any]("/0/error", nil), `[{"error": {}}]`, Retry},
	} {
		assert.Equal(t, c.want, ask(t, c.condition, c.body), c.name)
	}
}

func TestAMalformedPointerPanicsAtSetUp(t *testing.T) {
	for _, pointer := range []string{"ret_code", "/a~2", "/~", "#/a"} {
		assert.Panics(t, func() { JSONFieldNot(pointer, 0) }, pointer)
	}
}

// It would panic later, in the middle of a call.
func TestAValueThatCannotBeComparedPanicsAtSetUp(t *testing.T) {
	assert.Panics(t, func() { JSONFieldNot[any]("/c", []any{1.0}) })
	assert.Panics(t, func() { JSONFieldNot("/c", struct{ A any }{map[string]any{}}) })
	assert.NotPanics(t, func() { JSONFieldNot[any]("/c", nil) })
	assert.Equal(t, Retry, ask(t, JSONFieldNot[any]("/c", 1.0), `{"c": [1]}`))
	assert.Equal(t, Retry, ask(t, JSONFieldNot("/c", struct{ A any }{1.0}), `{"c": {"a": {}}}`))
}

// An int in an any is no float64, which encoding/json makes of every number: compared as
// it is, it would make a failure of every response.
func TestAnyIsComparedAsDecoded(t *testing.T) {
	type code string
	for _, c := range []struct {
		ok   any
		body string
		want Verdict
	}{
		{0, `{"c": 0}`, unknown},
		{0, `{"c": 0.0}`, unknown},
		{0, `{"c": 1}`, Retry},
		{0, `{"c": "x"}`, Retry},
		{uint8(200), `{"c": 200}`, unknown},
		{float32(0.5), `{"c": 0.5}`, unknown},
		{json.Number("7"), `{"c": 7}`, unknown},
		{code("ok"), `{"c": "ok"}`, unknown},
		{"ok", `{"c": "no"}`, Retry},
		{true, `{"c": true}`, unknown},
		{true, `{"c": false}`, Retry},
	} {
		assert.Equal(t, c.want, ask(t, JSONFieldNot("/c", c.ok), c.body), "%T, %s", c.ok, c.body)
	}
	assert.Panics(t, func() { JSONFieldNot[any]("/c", time.Time{}) })
	assert.Panics(t, func() { JSONFieldNot[any]("/c", map[string]int(nil)) })
	assert.Panics(t, func() { JSONFieldNot[error]("/c", errLost) })
}

func TestAConditionReadsNoFurtherThanItMust(t *testing.T) {
	long := `{"ret_code": 5000, "data": "` + strings.Repeat("x", 4<<20) + `"}`
	body := strings.NewReader(long)
	assert.Equal(t, Retry, JSONFieldNot("/ret_code", 0)(nil, nil, 1, body).Verdict)
	assert.LessOrEqual(t, len(long)-body.Len(), 512)
	endless := io.MultiReader(strings.NewReader(`{"a": "`), endlessly('x'))
	assert.Equal(t, unknown, JSONFieldNot("/a", "")(nil, nil, 1, io.LimitReader(endless, 1<<30)).Verdict, "a value of 1 GiB")
	deep := io.LimitReader(endlessly('['), 100_000)
	assert.Equal(t, unknown, JSONFieldNot("/ret_code", 0)(nil, nil, 1, deep).Verdict)
	deep = io.MultiReader(strings.NewReader(`{"a":`), io.LimitReader(endlessly('['), 100_000), io.LimitReader(endlessly(']'), 100_000), strings.NewReader(`,"ret_code":1}`))
	assert.Equal(t, Retry, JSONFieldNot("/ret_code", 0)(nil, nil, 1, deep).Verdict)
}

type endlessly byte

func (b endlessly) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// TestAnyOf: each condition sees the body from its start, whatever it comes in.
func TestAnyOf(t *testing.T) {
	wait := func(d time.Duration) BodyCondition {
		return func(*http.Request, *http.Response, int, io.Reader) Decision { return Decision{Wait: d} }
	}
	reads := func(want string) BodyCondition {
		return func(_ *http.Request, _ *http.Response, _ int, body io.Reader) Decision {
			data, err := io.ReadAll(body)
			assert.NoError(t, err)
			assert.Equal(t, want, string(data))
			return Decision{}
		}
	}
	const body = `{"ret_code": 0, "error": {"code": "busy"}}`
	codes := []BodyCondition{JSONFieldNot("/ret_code", 0), JSONField("/error/code", func(c string) bool { return c == "busy" })}
	for _, c := range []struct {
		name       string
		conditions []BodyCondition
		want       Decision
	}{
		{"none", nil, Decision{}},
		{"nil ones", []BodyCondition{nil, nil}, Decision{}},
		{"the second", codes, Decision{Verdict: Retry}},
		{"after one that reads all", append([]BodyCondition{reads(body)}, codes...), Decision{Verdict: Retry}},
		{"not asked after the first", []BodyCondition{codes[1], func(*http.Request, *http.Response, int, io.Reader) Decision { panic("asked") }}, Decision{Verdict: Retry}},
		{"reads twice", []BodyCondition{reads(body), reads(body), codes[0]}, Decision{}},
		{"the first wait", []BodyCondition{wait(0), wait(time.Second), wait(time.Hour)}, Decision{Wait: time.Second}},
		{"nested", []BodyCondition{AnyOf(reads(body), codes[0]), AnyOf(codes[1])}, Decision{Verdict: Retry}},
	} {
		for _, r := range []io.Reader{strings.NewReader(body), iotest.OneByteReader(strings.NewReader(body)), iotest.DataErrReader(strings.NewReader(body))} {
			assert.Equal(t, c.want, AnyOf(c.conditions...)(nil, nil, 1, r), c.name)
		}
		b := script(func(*http.Request) (*http.Response, error) {
			resp := response(200)
			resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			return resp, nil
		}, status(204))
		rt := &RetryTransport{Base: b, Policy: Policy{MaxAttempts: 2, Backoff: Constant(0), RetryableBody: AnyOf(c.conditions...)}}
		resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		assert.Equal(t, c.want.Verdict == Retry, resp.StatusCode == 204, c.name)
		resp.Body.Close()
	}
}

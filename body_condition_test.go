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

	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/jsonscan"
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

// inPlace is a jsonscan.Source that is not read by copying.
type inPlace struct{ pieces []string }

func (p *inPlace) Read([]byte) (int, error) { panic("its bytes were copied") }

func (p *inPlace) Next() ([]byte, error) {
	if len(p.pieces) == 0 {
		return nil, io.EOF
	}
	piece := p.pieces[0]
	p.pieces = p.pieces[1:]
	return []byte(piece), nil
}

// Nothing but this test shows it if a look copies the body: it works without.
func TestALookCopiesNothing(t *testing.T) {
	body := &inPlace{pieces: []string{`{"ret_`, `code": 5`, `000}`}}
	assert.Equal(t, Retry, JSONFieldNot("/ret_code", 0)(nil, nil, 1, body).Verdict)
	seen := false
	look := func(_ *http.Request, _ *http.Response, _ int, body io.Reader) (d Decision) {
		source, ok := body.(jsonscan.Source)
		if assert.True(t, ok, "%T has no Next", body) {
			piece, err := source.Next()
			seen = err == nil && string(piece) == `{"a": 1}`
		}
		return d
	}
	runPeek(t, Policy{RetryableBody: look}, func(*insisttest.Script) {}, content(`{"a": 1}`))
	assert.True(t, seen)
}

type endlessly byte

func (b endlessly) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// A condition sees the head and the attempt, too, and may set the wait.
func TestACustomCondition(t *testing.T) {
	var seen []int
	telegram := func(req *http.Request, resp *http.Response, attempt int, body io.Reader) Decision {
		seen = append(seen, attempt)
		var answer struct {
			OK         bool
			Parameters struct {
				RetryAfter float64 `json:"retry_after"`
			}
		}
		if json.NewDecoder(body).Decode(&answer) != nil || answer.OK {
			return Decision{}
		}
		assert.Equal(t, "/bot", req.URL.Path)
		assert.Equal(t, 200, resp.StatusCode)
		return Decision{Verdict: Retry, Wait: seconds(answer.Parameters.RetryAfter)}
	}
	runPeek(t, Policy{RetryableBody: telegram}, func(b *insisttest.Script) {
		assert.Equal(t, []int{1, 2}, seen)
		assert.Equal(t, seconds(7), b.Waits()[0])
	}, content(`{"ok": false, "parameters": {"retry_after": 7}}`), content(`{"ok": true}`))
}

// Where the status says that it failed, the body still says for how long to wait.
func TestAConditionSetsTheWaitOfAFailedStatus(t *testing.T) {
	wait := func(_ *http.Request, resp *http.Response, attempt int, body io.Reader) Decision {
		data, err := io.ReadAll(body)
		assert.NoError(t, err)
		assert.Equal(t, "Too Many Requests", string(data))
		return Decision{Wait: seconds(float64(5 * attempt))}
	}
	runPeek(t, Policy{RetryableBody: wait}, func(b *insisttest.Script) {
		assert.Equal(t, []time.Duration{seconds(5), seconds(10)}, b.Waits())
		assert.Equal(t, 1, b.Bodies()[0].Closes())
	}, status(429))
	runPeek(t, Policy{RetryableBody: wait, MaxRetryAfter: seconds(7)}, func(b *insisttest.Script) {
		assert.Equal(t, []time.Duration{seconds(5)}, b.Waits(), "bounded as a Retry-After is")
	}, status(429))
}

// A failed answer that doesn't arrive holds the next attempt up no longer than
// draining it would.
func TestAConditionOnAFailedStatusHoldsNothingUp(t *testing.T) {
	runPeek(t, Policy{RetryableBody: JSONFieldNot("/a", 0), Backoff: Constant(0)}, func(b *insisttest.Script) {
		assert.Less(t, b.Waits()[0], time.Second)
	}, func(r *http.Request) (*http.Response, error) {
		resp, err := from(func() io.Reader { return &trickle{strings.NewReader(strings.Repeat(" ", 30))} })(r)
		resp.StatusCode = 503
		return resp, err
	}, func(r *http.Request) (*http.Response, error) {
		time.Sleep(time.Minute) // virtual: the trickle ignores its Close
		return content("{}")(r)
	})
}

package jsonscan

import (
	"bytes"
	"strings"
	"testing"
)

// feed scans head, n times the piece, and tail.
func feed(s *Scanner, head string, piece []byte, n int, tail string) Status {
	s.Scan([]byte(head))
	for range n {
		s.Scan(piece)
	}
	s.Scan([]byte(tail))
	return s.End()
}

// No document makes the scanner buffer more than MaxValue.
func TestScannerKeepsLittle(t *testing.T) {
	const mebibyte = 1 << 20
	xs := bytes.Repeat([]byte("x"), mebibyte)
	opening := bytes.Repeat([]byte("["), mebibyte)
	for _, tc := range []struct {
		name, pointer, head string
		piece               []byte
		tail                string
		options             Options
		status              Status
	}{
		{"string skipped", "/b", `{"a":"`, xs, `","b":1}`, Options{}, Found},
		{"string looked for", "/a", `{"a":"`, xs, `"}`, Options{}, TooLong},
		{"key", "/b", `{"`, xs, `":0,"b":1}`, Options{}, Found},
		{"key, escaped", "/b", `{"`, bytes.Repeat([]byte(`\u0062`), mebibyte/6), `":0,"b":1}`, Options{}, Found},
		{"backslashes", "/b", `{"a":"`, bytes.Repeat([]byte(`\`), mebibyte), `","b":1}`, Options{}, Found},
		{"number skipped", "/b", `{"a":1`, bytes.Repeat([]byte("1"), mebibyte), `,"b":1}`, Options{}, Found},
		{"number looked for", "/a", `{"a":1`, bytes.Repeat([]byte("1"), mebibyte), `}`, Options{}, TooLong},
		{"container looked for", "/a", `{"a":[`, bytes.Repeat([]byte("1,"), mebibyte/2), `1]}`, Options{Containers: true}, TooLong},
		{"space", "/b", `{`, bytes.Repeat([]byte(" "), mebibyte), `"b":1}`, Options{}, Found},
		{"nesting without end", "/b", `{"a":`, opening, ``, Options{}, Invalid},
		{"nesting looked for", "/a", `{"a":`, opening, ``, Options{Containers: true}, TooLong},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s Scanner
			p := mustParse(t, tc.pointer)
			s.Reset(p, tc.options)
			if got := feed(&s, tc.head, tc.piece, 16, tc.tail); got != tc.status {
				t.Errorf("got %v, want %v", got, tc.status)
			}
			if cap(s.buf) > 2*DefaultMaxValue {
				t.Errorf("the buffer grew to %d bytes", cap(s.buf))
			}
		})
	}
}

func TestScannerGoesDeep(t *testing.T) {
	const depth = 100_000
	open, close := strings.Repeat(`[{"a":`, depth), strings.Repeat(`}]`, depth)
	for _, tc := range []struct {
		name, pointer, json string
		status              Status
		value               string
	}{
		{"skipped", "/b", `{"a":` + open + `1` + close + `,"b":2}`, Found, "2"},
		{"on the way", strings.Repeat("/0/a", depth), open + `3` + close, Found, "3"},
		{"absent at the bottom", strings.Repeat("/0/a", depth) + "/b", open + `{"a":1}` + close, Absent, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := mustParse(t, tc.pointer)
			for _, size := range []int{len(tc.json), 1, 1000} {
				status, value := lookup(p, Options{}, tc.json, size)
				if status != tc.status || value != tc.value {
					t.Errorf("in pieces of %d: got %v %q, want %v %q", size, status, value, tc.status, tc.value)
				}
			}
		})
	}
}

func TestScannerAllocatesNothingInTheLongRun(t *testing.T) {
	var s Scanner
	p := mustParse(t, "/data/1/ret_code")
	pieces := [][]byte{[]byte(`{"x":"y","da`), []byte(`ta":[{},{"ret_co`), []byte(`de":"50`), []byte(`00"}]}`)}
	allocations := testing.AllocsPerRun(100, func() {
		s.Reset(p, Options{})
		for _, piece := range pieces {
			s.Scan(piece)
		}
		if n, ok := Int[int64](s.Value()); n != 5000 || !ok {
			t.Fatalf("got %q", s.Value())
		}
	})
	if allocations != 0 {
		t.Errorf("got %v allocations, want 0", allocations)
	}
}

func TestStatusString(t *testing.T) {
	for s, want := range map[Status]string{More: "More", Found: "Found", Absent: "Absent", Invalid: "Invalid", TooLong: "TooLong", 9: "unknown"} {
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

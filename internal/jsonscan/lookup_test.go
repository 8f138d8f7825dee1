package jsonscan

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// inPlace is a Source that returns the pieces, then err.
type inPlace struct {
	pieces []string
	err    error
}

func (*inPlace) Read([]byte) (int, error) { panic("its bytes were copied") }

func (p *inPlace) Next() ([]byte, error) {
	if len(p.pieces) == 0 {
		return nil, p.err
	}
	piece := p.pieces[0]
	p.pieces = p.pieces[1:]
	return []byte(piece), nil
}

// nothing is a reader that returns neither bytes nor an error.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestLookup(t *testing.T) {
	broken := errors.New("broken")
	long := `{"b":"` + strings.Repeat("x", 10_000) + `","a":1}`
	for _, tc := range []struct {
		name   string
		body   io.Reader
		status Status
		value  string
	}{
		{"at once", strings.NewReader(`{"a":1}`), Found, "1"},
		{"a byte at a time", iotest.OneByteReader(strings.NewReader(`{"a":1}`)), Found, "1"},
		{"more than the buffer", strings.NewReader(long), Found, "1"},
		{"end with the data", iotest.DataErrReader(strings.NewReader(`{"a":1}`)), Found, "1"},
		{"certain at the end only", strings.NewReader(`1`), Absent, ""},
		{"truncated", strings.NewReader(`{"a":1`), Invalid, ""},
		{"empty", strings.NewReader(``), Invalid, ""},
		{"broken", iotest.ErrReader(broken), More, ""},
		{"broken after", io.MultiReader(strings.NewReader(`{"a":1`), iotest.ErrReader(broken)), More, ""},
		{"certain before it is broken", io.MultiReader(strings.NewReader(`{"a":1,`), iotest.ErrReader(broken)), Found, "1"},
		{"source", &inPlace{[]string{`{"a`, ``, `":`, `1}`}, io.EOF}, Found, "1"},
		{"source, truncated", &inPlace{[]string{`{"a`}, io.EOF}, Invalid, ""},
		{"source, broken", &inPlace{[]string{`{"a`}, broken}, More, ""},
		{"no progress for a while", &inPlace{append(make([]string, 50), `{"a":1}`), io.EOF}, Found, "1"},
		{"no progress", nothing{}, More, ""},
		{"no progress after a while", io.MultiReader(strings.NewReader(`{`), nothing{}), More, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			value, status := new(Lookup).Find(tc.body, mustParse(t, "/a"), Options{})
			if status != tc.status || string(value) != tc.value {
				t.Errorf("got %v %q, want %v %q", status, value, tc.status, tc.value)
			}
		})
	}
	l, whole := new(Lookup), mustParse(t, "")
	for _, want := range []string{"12", "345"} {
		if value, status := l.Find(strings.NewReader(want), whole, Options{}); status != Found || string(value) != want {
			t.Errorf("got %v %q, want Found %q", status, value, want)
		}
	}
}

package sse

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const none = "\x00none"

var streams = []struct {
	name, stream, data, event string
}{
	{"one line", "data: x\n\n", "x", ""},
	{"no space", "data:x\n\n", "x", ""},
	{"one space is removed", "data:  x \n\n", " x ", ""},
	{"no other white space", "data:\tx\n\n", "\tx", ""},
	{"more colons", "data: a: b\n\n", "a: b", ""},
	{"CRLF", "data: x\r\n\r\n", "x", ""},
	{"CR", "data: x\r\r", "x", ""},
	{"mixed ends", "data: x\n\r", "x", ""},
	{"CR, then CRLF", "data: x\r\r\n", "x", ""},
	{"CRLF is one end", "event: a\r\ndata: x\r\n\r\n", "x", "a"},
	{"LF, then CR, is two", "event: a\n\rdata: x\n\n", "x", ""},
	{"lines", "data: {\ndata:   \"a\": 1\ndata: }\n\n", "{\n  \"a\": 1\n}", ""},
	{"lines that are empty", "data\ndata:\n\n", "\n", ""},
	{"empty data", "data\n\n", "", ""},
	{"empty data, with colon and space", "data: \n\n", "", ""},
	{"named", "event: error\ndata: x\n\n", "x", "error"},
	{"named after its data", "data: x\nevent:error\n\n", "x", "error"},
	{"named twice", "event: a\nevent: b\ndata: x\n\n", "x", "b"},
	{"name taken back", "event: a\nevent\ndata: x\n\n", "x", ""},
	{"the first of two", "data: x\n\ndata: y\n\n", "x", ""},
	{"comments", ": hello\n:\ndata: x\n: more\ndata: y\n\n", "x\ny", ""},
	{"comments apart", ":\n\n: OPENROUTER PROCESSING\n\ndata: x\n\n", "x", ""},
	{"blank lines", "\n\n\r\r\n\ndata: x\n\n", "x", ""},
	{"no event without data", "event: ping\n\ndata: x\n\n", "x", ""},
	{"other fields", "id: 1\nretry: 10\nfoo: bar\nfoo\ndata: x\n\n", "x", ""},
	{"only other fields", "id: 1\n\nretry: 10\n\ndata: x\n\n", "x", ""},
	{"names have a case", "Data: x\n\ndata: y\n\n", "y", ""},
	{"names are whole", "data : x\n\n data: y\n\ndata2: z\n\ndata: x\n\n", "x", ""},
	{"byte order mark", "\uFEFFdata: x\n\n", "x", ""},
	{"byte order mark, blank line", "\uFEFF\ndata: x\n\n", "x", ""},
	{"two byte order marks", "\uFEFF\uFEFFdata: x\n\ndata: y\n\n", "y", ""},
	{"byte order mark later", "\n\uFEFFdata: x\n\ndata: y\n\n", "y", ""},
	{"no UTF-8", "data: \xff\x00\n\n", "\xff\x00", ""},
	{"other ends of line", "data: a\u2028b\u0085c\vd\n\n", "a\u2028b\u0085c\vd", ""},
	{"Anthropic's error", "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
		`{"type":"error","error":{"type":"overloaded_error"}}`, "error"},
	{"OpenAI's end", "data: [DONE]\n\n", "[DONE]", ""},

	{"nothing", "", none, ""},
	{"no blank line", "data: x\n", none, ""},
	{"no end of line", "data: x", none, ""},
	{"only a comment", ": x\n\n", none, ""},
	{"only a name", "event: x\n\n", none, ""},
	{"half a byte order mark", "\xef\xbb", none, ""},
	{"no stream at all", `{"error": "x"}`, none, ""},
}

// feed feeds the pieces and returns what came of it.
func feed(max int64, pieces ...[]byte) (data, event string, state State) {
	s := Scanner{Max: max}
	for _, p := range pieces {
		own := bytes.Clone(p)
		state = s.Feed(own)
		clear(own) // the caller may use the memory again
	}
	return string(s.Data()), s.Event(), state
}

func TestScanner(t *testing.T) {
	for _, c := range streams {
		data, event, state := feed(1<<20, []byte(c.stream))
		if c.data == none {
			assert.Equal(t, Pending, state, c.name)
			c.data = ""
		} else {
			assert.Equal(t, Found, state, c.name)
		}
		assert.Equal(t, c.data, data, c.name)
		assert.Equal(t, c.event, event, c.name)
	}
}

// However a stream is cut into pieces, the event is the one that a parser of the
// whole text finds, and it is complete with the same byte.
func TestPieces(t *testing.T) {
	for _, c := range streams {
		inPieces(t, []byte(c.stream))
	}
	random := rand.New(rand.NewPCG(1, 2))
	words := []string{"data", "data:", "event", "event: ", ":", " ", "\r", "\n", "\r\n", "\uFEFF", "\xef", "x", "\n\n"}
	for range 1000 {
		var stream []byte
		for range random.IntN(20) {
			stream = append(stream, words[random.IntN(len(words))]...)
		}
		inPieces(t, stream)
	}
}

func inPieces(t *testing.T, stream []byte) {
	t.Helper()
	wantData, wantEvent, length := first(stream)
	want := Pending
	if length >= 0 {
		want = Found
	}
	check := func(max int64, pieces ...[]byte) {
		t.Helper()
		data, event, state := feed(max, pieces...)
		if data != wantData || event != wantEvent || state != want {
			t.Fatalf("%q in %q: got %q %q %d, want %q %q %d", stream, pieces, data, event, state, wantData, wantEvent, want)
		}
	}
	for i := range len(stream) + 1 {
		for j := i; j <= len(stream); j++ {
			check(math.MaxInt64, stream[:i], stream[i:j], stream[j:])
		}
	}
	var single [][]byte
	for i := range stream {
		single = append(single, stream[i:i+1])
	}
	check(int64(len(stream))+1, single...)
	if want == Pending {
		return
	}
	check(int64(length), stream)
	check(math.MaxInt64, stream[:length])
	if _, _, state := feed(math.MaxInt64, stream[:length-1]); state != Pending {
		t.Fatalf("%q: complete before byte %d", stream, length)
	}
	if _, _, state := feed(int64(length-1), stream); state != TooLong {
		t.Fatalf("%q: got %d with a byte less than its %d, want %d", stream, state, length, TooLong)
	}
}

// first parses a whole text as the standard tells it, and returns its first event
// and how many bytes that took, or -1.
func first(stream []byte) (data, event string, length int) {
	for length = 1; length <= len(stream); length++ {
		text := strings.TrimPrefix(string(stream[:length]), "\uFEFF")
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
		lines := strings.Split(text, "\n")
		data, event = "", ""
		for _, line := range lines[:len(lines)-1] {
			if line == "" && data != "" {
				return strings.TrimSuffix(data, "\n"), event, length
			}
			field, value := line, ""
			if i := strings.Index(line, ":"); i >= 0 {
				field, value = line[:i], strings.TrimPrefix(line[i+1:], " ")
			}
			switch {
			case line == "":
				event = ""
			case field == "data":
				data += value + "\n"
			case field == "event":
				event = value
			}
		}
	}
	return "", "", -1
}

func TestBounds(t *testing.T) {
	for _, max := range []int64{0, -1, math.MinInt64} {
		_, _, state := feed(max, []byte("data: x\n\n"))
		assert.Equal(t, TooLong, state)
		_, _, state = feed(max)
		assert.Equal(t, Pending, state, "nothing was fed")
	}
	endless := Scanner{Max: 1 << 16}
	state, fed := Pending, 0
	for state == Pending {
		state = endless.Feed([]byte(": wait\n\nevent: x\n\ndat"))
		fed += len(": wait\n\nevent: x\n\ndat")
	}
	assert.Equal(t, TooLong, state)
	assert.InDelta(t, 1<<16, fed, 30)
	assert.Nil(t, endless.Data())
	assert.Empty(t, endless.Event())
	assert.Equal(t, TooLong, endless.Feed([]byte("\n\n")), "what comes later is of no interest")

	s := Scanner{Max: 100}
	assert.Equal(t, Pending, s.Feed([]byte("event: e\ndata: x\n")))
	assert.Nil(t, s.Data(), "not complete")
	assert.Empty(t, s.Event())
	assert.Equal(t, Found, s.Feed([]byte("\n")))
	assert.Equal(t, Found, s.Feed([]byte("data: y\n\n")))
	assert.Equal(t, "x", string(s.Data()))
}

func FuzzScanner(f *testing.F) {
	for _, c := range streams {
		f.Add([]byte(c.stream), uint(1), uint(3), int64(20))
	}
	f.Fuzz(func(t *testing.T, stream []byte, i, j uint, max int64) {
		if len(stream) > 1000 {
			return
		}
		wantData, wantEvent, length := first(stream)
		want := Found
		switch {
		case length < 0 && max > int64(len(stream)):
			want = Pending
		case length < 0 || max < int64(length):
			want, wantData, wantEvent = TooLong, "", ""
		}
		a := int(min(i, uint(len(stream))))
		b := a + int(min(j, uint(len(stream)-a)))
		data, event, state := feed(max, stream[:a], stream[a:b], stream[b:])
		if data != wantData || event != wantEvent || state != want {
			t.Fatalf("%q, %d, %d, at most %d: got %q %q %d, want %q %q %d", stream, a, b, max, data, event, state, wantData, wantEvent, want)
		}
	})
}

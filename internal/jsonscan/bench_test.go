package jsonscan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
)

// shapes are what a document is mostly made of, in one value of about n bytes.
var shapes = []struct {
	name string
	make func(n int) string
}{
	{"strings", func(n int) string { return `["` + strings.Repeat(strings.Repeat("x", 1000)+`","`, n/1003) + `"]` }},
	{"objects", func(n int) string {
		return `[` + strings.Repeat(`{"id":12345,"name":"user","ok":true},`, n/37) + `{}]`
	}},
	{"numbers", func(n int) string { return `[` + strings.Repeat("3.14159,-27,", n/12) + `0]` }},
	{"indented", func(n int) string {
		return "[\n" + strings.Repeat("    {\n      \"id\": 12345,\n      \"name\": \"user\"\n    },\n", n/51) + "{}]"
	}},
	{"escapes", func(n int) string { return `["` + strings.Repeat(`{\"id\":12345,\"name\":\"user\"}\n`, n/33) + `"]` }},
}

// benchDocuments calls f with each document, in which ret_code is 5000.
func benchDocuments(b *testing.B, f func(b *testing.B, doc []byte)) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"1KiB", 1 << 10}, {"64KiB", 64 << 10}, {"4MiB", 4 << 20}} {
		for _, shape := range shapes {
			data := `"data":` + shape.make(size.bytes)
			for _, key := range []struct{ name, json string }{
				{"first", `{"ret_code":5000,` + data + `}`},
				{"last", `{` + data + `,"ret_code":5000}`},
			} {
				b.Run(fmt.Sprintf("%s/%s/%s", size.name, shape.name, key.name), func(b *testing.B) {
					b.SetBytes(int64(len(key.json)))
					b.ReportAllocs()
					f(b, []byte(key.json))
				})
			}
		}
	}
}

// Fields of the document itself, not inside a value of it, are the other kind
// of skipping: each key is compared.
func BenchmarkScannerFields(b *testing.B) {
	doc := []byte(`{` + strings.Repeat(`"id":12345,"name":"user","ok":true,`, 100) + `"ret_code":5000}`)
	b.SetBytes(int64(len(doc)))
	benchScanner(b, doc, "/ret_code")
}

func BenchmarkScannerElements(b *testing.B) {
	doc := []byte(`[` + strings.Repeat(`{"id":12345,"name":"user"},`, 100) + `5000]`)
	b.SetBytes(int64(len(doc)))
	benchScanner(b, doc, "/100")
}

func BenchmarkScanner(b *testing.B) {
	benchDocuments(b, func(b *testing.B, doc []byte) { benchScanner(b, doc, "/ret_code") })
}

// benchScanner scans in pieces as they come from a connection.
func benchScanner(b *testing.B, doc []byte, pointer string) {
	var s Scanner
	p := mustParse(b, pointer)
	for b.Loop() {
		s.Reset(p, Options{})
		for rest := doc; ; {
			n := min(4<<10, len(rest))
			if s.Scan(rest[:n]) != More {
				break
			}
			rest = rest[n:]
		}
		if n, ok := Int(s.Value()); n != 5000 || !ok {
			b.Fatal(s.status)
		}
	}
}

func BenchmarkReadAllUnmarshalStruct(b *testing.B) {
	benchDocuments(b, func(b *testing.B, doc []byte) {
		for b.Loop() {
			var v struct {
				RetCode int `json:"ret_code"`
			}
			read, _ := io.ReadAll(bytes.NewReader(doc))
			if json.Unmarshal(read, &v); v.RetCode != 5000 {
				b.Fatal(v)
			}
		}
	})
}

func BenchmarkReadAllUnmarshalMap(b *testing.B) {
	benchDocuments(b, func(b *testing.B, doc []byte) {
		for b.Loop() {
			var v map[string]any
			read, _ := io.ReadAll(bytes.NewReader(doc))
			if json.Unmarshal(read, &v); v["ret_code"] != 5000.0 {
				b.Fatal(v)
			}
		}
	})
}

func BenchmarkDecoderTokens(b *testing.B) {
	steps := referenceSteps("/ret_code")
	benchDocuments(b, func(b *testing.B, doc []byte) {
		for b.Loop() {
			if v, _ := reference(json.NewDecoder(bytes.NewReader(doc)), steps); string(v) != "5000" {
				b.Fatal(v)
			}
		}
	})
}

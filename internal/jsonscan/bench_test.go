package jsonscan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// shapes are the contents of the documents. item returns one of the many values in
// a document. They all differ, so that branches cannot be predicted.
var shapes = []struct {
	name string
	item func(r *rand.Rand) string
}{
	{"strings", func(r *rand.Rand) string { return `"` + strings.Repeat("x", 500+r.IntN(1000)) + `"` }},
	{"texts", func(r *rand.Rand) string { return `"` + strings.Repeat(letters(r)+" ", 1+r.IntN(6)) + `"` }},
	{"objects", object},
	{"records", func(r *rand.Rand) string {
		return fmt.Sprintf(`{"id": %d, "name": "item \"%s\"", "price": %d.5, "tags": ["a", "b"], "stock": {"here": true, "there": null}}`,
			r.IntN(1<<r.IntN(30)), letters(r), r.IntN(97))
	}},
	{"numbers", func(r *rand.Rand) string { return fmt.Sprint(r.IntN(1 << r.IntN(30))) }},
	{"indented", func(r *rand.Rand) string {
		var b bytes.Buffer
		json.Indent(&b, []byte(object(r)), "", "  ")
		return b.String()
	}},
	{"JSON in strings", func(r *rand.Rand) string {
		b, _ := json.Marshal("[" + object(r) + ",\n" + object(r) + "]")
		return string(b)
	}},
}

func letters(r *rand.Rand) string {
	b := make([]byte, 2+r.IntN(12))
	for i := range b {
		b[i] = byte('a' + r.IntN(26))
	}
	return string(b)
}

func object(r *rand.Rand) string {
	return fmt.Sprintf(`{"id":%d,"name":"%s","ok":%v,"tags":["%s"],"score":%.*f}`,
		r.IntN(1<<r.IntN(30)), letters(r), r.IntN(2) == 0, letters(r), r.IntN(5), r.Float64())
}

// array returns an array of about n bytes.
func array(n int, item func(r *rand.Rand) string) string {
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.WriteString("["); b.Len() < n; b.WriteString(",") {
		b.WriteString(item(r))
	}
	return b.String() + "0]"
}

// benchDocuments calls f with each document. In all of them ret_code is 5000.
func benchDocuments(b *testing.B, f func(b *testing.B, doc []byte)) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"1KiB", 1 << 10}, {"64KiB", 64 << 10}, {"4MiB", 4 << 20}} {
		for _, shape := range shapes {
			data := `"data":` + array(size.bytes, shape.item)
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

// Here each key is compared, since the document's own members are skipped.
func BenchmarkScannerMembers(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	doc := []byte{'{'}
	for len(doc) < 4<<20 {
		doc = fmt.Appendf(doc, `"%s":%d,"%s":"%s","%s":{"%s":%v},`, letters(r), r.IntN(1<<r.IntN(30)),
			letters(r), letters(r), letters(r), letters(r), r.IntN(2) == 0)
	}
	doc = append(doc, `"ret_code":5000}`...)
	b.SetBytes(int64(len(doc)))
	benchScanner(b, doc, "/ret_code")
}

// Here elements are counted, since the document is an array.
func BenchmarkScannerElements(b *testing.B) {
	doc := []byte(array(4<<20, object))
	doc = append(doc[:len(doc)-len("0]")], "5000]"...)
	last := strings.Count(string(doc), "{")
	b.SetBytes(int64(len(doc)))
	benchScanner(b, doc, fmt.Sprintf("/%d", last))
}

func BenchmarkScanner(b *testing.B) {
	benchDocuments(b, func(b *testing.B, doc []byte) { benchScanner(b, doc, "/ret_code") })
}

// benchScanner scans doc in pieces of 4 KiB.
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
		if n, ok := Int[int64](s.Value()); n != 5000 || !ok {
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

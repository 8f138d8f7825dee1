package head

import (
	"math/big"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	rangeSyntax       = regexp.MustCompile(`\A(?i:bytes) ([0-9]+)-([0-9]+)/([0-9]+|\*)\z`)
	unsatisfiedSyntax = regexp.MustCompile(`\A(?i:bytes) \*/([0-9]+)\z`)
)

// FuzzContentRange holds both kinds of range to RFC 9110's grammar and to exact
// arithmetic.
func FuzzContentRange(f *testing.F) {
	for _, value := range []string{"bytes 0-9/10", "bytes 3-3/*", "BYTES 3-5/10", "bytes 5-3/10", "bytes 0-10/10",
		"bytes */10", "bytes 0-9", "bytes -9/10", "bytes 0-9/-1", "bytes +1-9/10", "bytes 0-9/", "bytes  0-9/10",
		"bytes=0-9/10", "items 0-9/10", "bytes 0-4611686018427387903/*", "bytes 0-4611686018427387904/*", ""} {
		f.Add(value)
	}
	limit := new(big.Int).Lsh(big.NewInt(1), 62)
	f.Fuzz(func(t *testing.T, value string) {
		h := http.Header{"Content-Range": {value}}
		length, isLength := new(big.Int), false
		if parts := unsatisfiedSyntax.FindStringSubmatch(value); parts != nil {
			length, _ = length.SetString(parts[1], 10)
			isLength = length.Cmp(limit) < 0
		}
		if total, ok := UnsatisfiedRange(h); ok != isLength || ok && total != length.Int64() {
			t.Fatalf("%q: got %d %v, want %v %v", value, total, ok, length, isLength)
		}
		got, ok := ContentRange(h)
		parts := rangeSyntax.FindStringSubmatch(value)
		if parts == nil {
			if ok {
				t.Fatalf("%q: got %v", value, got)
			}
			return
		}
		first, _ := new(big.Int).SetString(parts[1], 10)
		last, _ := new(big.Int).SetString(parts[2], 10)
		total, known := new(big.Int).SetString(parts[3], 10)
		valid := first.Cmp(last) <= 0 && last.Cmp(limit) < 0 && (!known || last.Cmp(total) < 0 && total.Cmp(limit) < 0)
		if ok != valid {
			t.Fatalf("%q: got %v %v, want valid %v", value, got, ok, valid)
		}
		if !ok {
			return
		}
		want := Range{first.Int64(), last.Int64() + 1, -1}
		if known {
			want.Total = total.Int64()
		}
		if got != want {
			t.Fatalf("%q: got %v, want %v", value, got, want)
		}
	})
}

// FuzzIsStream holds the reading of a Content-Type to package mime's, where that
// can read it. Neither parameters nor case matter, whether it can or not.
func FuzzIsStream(f *testing.F) {
	for _, media := range append(streams, "application/json", "text/plain", "application/jsonp", "application/octet-stream") {
		f.Add(media, "")
		f.Add(strings.ToUpper(media), "; charset=utf-8")
		f.Add(" "+media+"\t", `;a="b;c" ; A=d`)
	}
	f.Fuzz(func(t *testing.T, media, parameters string) {
		media, _, _ = strings.Cut(media, ";")
		parameters = ";" + parameters
		got := IsStream(media)
		if IsStream(media+parameters) != got {
			t.Fatalf("%q: %v, but not with %q", media, got, parameters)
		}
		if IsStream(asciiUpper(media)) != got {
			t.Fatalf("%q: %v, but not in upper case", media, got)
		}
		parsed, _, err := mime.ParseMediaType(media + parameters)
		if err != nil {
			return
		}
		want := slices.Contains(streams, parsed)
		for _, kind := range streamKinds {
			want = want || strings.HasPrefix(parsed, kind)
		}
		if got != want {
			t.Fatalf("%q: got %v, want %v", media+parameters, got, want)
		}
	})
}

var (
	streams = []string{"text/event-stream", "application/x-ndjson", "application/ndjson", "application/jsonl",
		"application/json-seq", "application/stream+json"}
	streamKinds = []string{"multipart/", "application/grpc", "application/connect+", "audio/", "video/", "image/"}
)

func asciiUpper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

package head

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestContentRange(t *testing.T) {
	none := Range{}
	for value, want := range map[string]Range{
		"bytes 0-0/1":                     {0, 1, 1},
		"bytes 5-25/26":                   {5, 26, 26},
		"Bytes 5-25/*":                    {5, 26, -1},
		"bytes 007-009/0010":              {7, 10, 10},
		"bytes 0-4611686018427387903/*":   {0, 1 << 62, -1},
		"bytes 0-4611686018427387904/*":   none,
		"bytes 0-1/99999999999999999999":  none,
		"bytes 18446744073709551616-17/*": none,
		"bytes 5-4/26":                    none,
		"bytes 5-26/26":                   none,
		"bytes */26":                      none,
		"bytes 5-/26":                     none,
		"bytes -5/26":                     none,
		"bytes 5--7/26":                   none,
		"bytes +5-7/26":                   none,
		"bytes 5-7/-1":                    none,
		"bytes 5-7":                       none,
		"bytes 5-7/":                      none,
		"bytes 0x5-0x7/26":                none,
		"bytes 1_0-2_0/26":                none,
		"bytes  5-7/26":                   none,
		"bytes=5-7/26":                    none,
		"items 5-7/26":                    none,
		"":                                none,
	} {
		got, ok := ContentRange(http.Header{"Content-Range": {value}})
		assert.Equal(t, want, got, value)
		assert.Equal(t, want != none, ok, value)
	}
}

func TestUnsatisfiedRange(t *testing.T) {
	for value, want := range map[string]int64{
		"bytes */26":                  26,
		"Bytes */026":                 26,
		"bytes */0":                   0,
		"bytes */4611686018427387903": 1<<62 - 1,
		"bytes */9223372036854775808": -1,
		"bytes */*":                   -1,
		"bytes */-1":                  -1,
		"bytes */":                    -1,
		"bytes 5-25/26":               -1,
		"bytes  */26":                 -1,
		"bytes=*/26":                  -1,
		"items */26":                  -1,
		"bytes */26, bytes */26":      -1,
		"":                            -1,
	} {
		total, ok := UnsatisfiedRange(http.Header{"Content-Range": {value}})
		assert.Equal(t, want >= 0, ok, value)
		if ok {
			assert.Equal(t, want, total, value)
		}
	}
	for _, values := range [][]string{nil, {"bytes */26", "bytes */26"}} {
		_, ok := UnsatisfiedRange(http.Header{"Content-Range": values})
		assert.False(t, ok, values)
	}
}

func TestContentRangeOfOnePart(t *testing.T) {
	one := []string{"bytes 5-7/26"}
	for name, h := range map[string]http.Header{
		"none":   {},
		"two":    {"Content-Range": {one[0], one[0]}},
		"parts":  {"Content-Range": one, "Content-Type": {"multipart/byteranges; boundary=x"}},
		"Parts":  {"Content-Range": one, "Content-Type": {" Multipart/ByteRanges"}},
		"a list": {"Content-Range": {"bytes 5-7/26, bytes 5-7/26"}},
	} {
		_, ok := ContentRange(h)
		assert.False(t, ok, name)
	}
	_, ok := ContentRange(http.Header{"Content-Range": one, "Content-Type": {"multipart/form-data"}})
	assert.True(t, ok, "this is what the parts are of")
}

var bytesForm = regexp.MustCompile(`(?:^|,)[\t-\r\x{85}\pZ]*(?i:bytes)[\t-\r\x{85}\pZ]*(?:,|$)`)

// FuzzAcceptsRanges: a regular expression says the same, of one line and of two.
func FuzzAcceptsRanges(f *testing.F) {
	f.Fuzz(func(t *testing.T, line, other string) {
		want := bytesForm.MatchString(line) || bytesForm.MatchString(other)
		assert.Equal(t, want, AcceptsRanges(http.Header{"Accept-Ranges": {line, other}}))
	})
}

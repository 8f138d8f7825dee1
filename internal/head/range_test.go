package head

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestContentRange(t *testing.T) {
	none := Span{}
	for value, want := range map[string]Span{
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

func TestContentRangeOfOnePiece(t *testing.T) {
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
	assert.True(t, ok, "this is what the pieces are of")
}

// TestValidatorOfAPiece: a piece that names a Validator of another kind, even an
// empty one, is not known to be of the same version.
func TestValidatorOfAPiece(t *testing.T) {
	const modified = "Mon, 02 Jan 2006 15:04:05 GMT"
	byTag, byDate := Validator{etag: `"v1"`}, Validator{modified: modified}
	for _, c := range []struct {
		v    Validator
		h    http.Header
		want bool
	}{
		{byTag, http.Header{"Etag": {`"v1"`}}, true},
		{byTag, http.Header{"Etag": {`"v1"`}, "Last-Modified": {"yesterday"}}, true},
		{byTag, http.Header{"Etag": {`W/"v1"`}}, false},
		{byTag, http.Header{"Last-Modified": {modified}}, false},
		{byDate, http.Header{"Last-Modified": {modified}}, true},
		{byDate, http.Header{"Last-Modified": {modified}, "Etag": {`"v1"`}}, false},
		{byDate, http.Header{"Last-Modified": {modified}, "Etag": {""}}, false},
		{byDate, http.Header{"Last-Modified": {"yesterday"}, "Etag": {""}}, false},
		{byDate, http.Header{}, false},
		{Validator{}, http.Header{}, false},
		{Validator{}, http.Header{"Etag": {""}, "Last-Modified": {""}}, false},
	} {
		assert.Equal(t, c.want, c.v.In(c.h), "%v %v", c.v, c.h)
	}
}

// taken reports whether net/http's server gives a piece to whom If-Range is v.
func taken(v, etag string, modified time.Time) bool {
	w := httptest.NewRecorder()
	if etag != "" {
		w.Header().Set("Etag", etag)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Range", "bytes=5-")
	r.Header.Set("If-Range", v)
	http.ServeContent(w, r, "", modified, strings.NewReader("0123456789"))
	return w.Code == http.StatusPartialContent
}

// FuzzValidator: what is taken for strong is what net/http's server, asked with
// it, takes for strong.
func FuzzValidator(f *testing.F) {
	f.Fuzz(func(t *testing.T, etag, modified, date string) {
		h := http.Header{"Last-Modified": {modified}, "Date": {date}}
		if etag != "" {
			h.Set("Etag", etag)
		}
		v := ValidatorOf(h)
		m, err1 := http.ParseTime(modified)
		d, err2 := http.ParseTime(date)
		switch {
		case etag != "" && strings.ContainsFunc(etag, func(r rune) bool { return r <= ' ' || r == 0x7f }):
			// No server sends it, and none would take it.
		case etag != "":
			assert.Equal(t, taken(etag, etag, time.Time{}), v.etag == etag)
		default:
			assert.Equal(t, err1 == nil && err2 == nil && !d.Before(m.Add(time.Second)), v.modified != "")
		}
		if v == (Validator{}) {
			assert.Empty(t, v.IfRange())
			assert.False(t, v.In(h))
			return
		}
		assert.True(t, v.In(h))
		assert.True(t, v.etag == "" || v.modified == "", "not both: If-Range has one")
		if v.modified != "" {
			assert.True(t, m.IsZero() || taken(v.IfRange(), "", m))
		}
		for _, other := range []http.Header{
			{}, {"Etag": {`"other` + etag + `"`}}, {"Etag": {"W/" + etag}}, {"Etag": {etag, etag}}, {"Etag": {""}},
			{"Last-Modified": {modified + " "}}, {"Last-Modified": {modified, modified}},
			{"Last-Modified": {modified}, "Etag": {`"new"` + etag}},
		} {
			assert.False(t, v.In(other), other)
		}
	})
}

var bytesForm = regexp.MustCompile(`(?:^|,)[\t-\r\x{85}\pZ]*(?i:bytes)[\t-\r\x{85}\pZ]*(?:,|$)`)

// FuzzAcceptsRanges: a regular expression says the same, of one line and of two.
func FuzzAcceptsRanges(f *testing.F) {
	f.Fuzz(func(t *testing.T, line, other string) {
		want := bytesForm.MatchString(line) || bytesForm.MatchString(other)
		assert.Equal(t, want, AcceptsRanges(http.Header{"Accept-Ranges": {line, other}}))
	})
}

package head

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestValidatorOfAPart: a part that names a Validator of another kind, even an
// empty one, is not known to be of the same version.
func TestValidatorOfAPart(t *testing.T) {
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
		assert.Equal(t, c.want, c.v.Matches(c.h), "%v %v", c.v, c.h)
	}
}

// taken reports whether net/http's server sends a part to a client whose If-Range is v.
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
		v, why := ValidatorOf(h, nil)
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
		assert.Equal(t, v.IfRange() == "", why != "")
		if why != "" {
			assert.False(t, v.Matches(h))
			return
		}
		assert.True(t, v.Matches(h))
		assert.True(t, v.etag == "" || v.modified == "", "not both: If-Range has one")
		if v.modified != "" {
			assert.True(t, m.IsZero() || taken(v.IfRange(), "", m))
		}
		for _, other := range []http.Header{
			{}, {"Etag": {`"other` + etag + `"`}}, {"Etag": {"W/" + etag}}, {"Etag": {etag, etag}}, {"Etag": {""}},
			{"Last-Modified": {modified + " "}}, {"Last-Modified": {modified, modified}},
			{"Last-Modified": {modified}, "Etag": {`"new"` + etag}},
		} {
			assert.False(t, v.Matches(other), other)
		}
	})
}

func TestWhyThereIsNoValidator(t *testing.T) {
	const modified = "Mon, 02 Jan 2006 15:04:05 GMT"
	for _, c := range []struct {
		name string
		h    http.Header
		want Obstacle
	}{
		{"strong ETag", http.Header{"Etag": {`"v1"`}}, ""},
		{"weak ETag", http.Header{"Etag": {`W/"v1"`}}, WeakValidator},
		{"weak ETag, modified before", http.Header{"Etag": {`W/"v1"`}, "Last-Modified": {modified}, "Date": {"Mon, 02 Jan 2006 15:04:06 GMT"}}, WeakValidator},
		{"modified before", http.Header{"Last-Modified": {modified}, "Date": {"Mon, 02 Jan 2006 15:04:06 GMT"}}, ""},
		{"modified just now", http.Header{"Last-Modified": {modified}, "Date": {modified}}, WeakValidator},
		{"modified, no date", http.Header{"Last-Modified": {modified}}, WeakValidator},
		{"nothing", http.Header{"Date": {modified}}, NoValidator},
	} {
		_, why := ValidatorOf(c.h, nil)
		assert.Equal(t, c.want, why, c.name)
	}
}

func TestACustomValidator(t *testing.T) {
	digest := func(h http.Header) string { return h.Get("Repr-Digest") }
	one := http.Header{"Repr-Digest": {"sha-256=:a:"}, "Etag": {`"node1"`}}
	v, why := ValidatorOf(one, digest)
	assert.Empty(t, why)
	assert.Empty(t, v.IfRange(), "a server doesn't know it")
	assert.True(t, v.Matches(one))
	assert.True(t, v.Matches(http.Header{"Repr-Digest": {"sha-256=:a:"}, "Etag": {`"node2"`}}))
	assert.False(t, v.Matches(http.Header{"Repr-Digest": {"sha-256=:b:"}, "Etag": {`"node1"`}}))
	assert.False(t, v.Matches(http.Header{"Etag": {`"node1"`}}))
	assert.False(t, v.MayMatch(http.Header{}), "nothing was asked for by it")

	v, why = ValidatorOf(http.Header{"Etag": {`"v1"`}}, digest)
	assert.Empty(t, why)
	assert.Equal(t, `"v1"`, v.IfRange(), "where there is no digest")
	_, why = ValidatorOf(http.Header{}, digest)
	assert.Equal(t, NoValidator, why)
}

// TestMayMatch: a 416 need not have a validator, since If-Range was evaluated before
// Range; but it must not have another.
func TestMayMatch(t *testing.T) {
	const modified = "Mon, 02 Jan 2006 15:04:05 GMT"
	byTag, byDate := Validator{etag: `"v1"`}, Validator{modified: modified}
	for _, c := range []struct {
		v    Validator
		h    http.Header
		want bool
	}{
		{byTag, http.Header{}, true},
		{byTag, http.Header{"Etag": {`"v1"`}}, true},
		{byTag, http.Header{"Etag": {`"v2"`}}, false},
		{byTag, http.Header{"Last-Modified": {modified}}, false},
		{byDate, http.Header{}, true},
		{byDate, http.Header{"Last-Modified": {modified}}, true},
		{byDate, http.Header{"Last-Modified": {"yesterday"}}, false},
		{byDate, http.Header{"Etag": {`"v1"`}}, false},
	} {
		assert.Equal(t, c.want, c.v.MayMatch(c.h), "%v %v", c.v, c.h)
	}
}

package head

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Validator identifies a version of a representation. It is strong: the bodies of
// responses that it matches may be combined (RFC 9110, section 15.3.7.3). The zero value
// matches nothing.
type Validator struct {
	etag, modified string // at most one of them

	custom func(http.Header) string // used instead of both; nil if not
	value  string                   // what custom returned for this version
}

// ValidatorOf returns the validator of the response with the header h. It is the first of
// these that exists:
//
//   - what custom returns, if custom is not nil and that is not empty;
//   - the ETag, which must be strong;
//   - Last-Modified, which must be at least a second before Date: otherwise a second
//     change may have the same time (RFC 9110, section 8.8.2.2).
//
// If there is no strong validator, it returns why not.
func ValidatorOf(h http.Header, custom func(http.Header) string) (Validator, Obstacle) {
	if custom != nil {
		if value := custom(h); value != "" {
			return Validator{custom: custom, value: value}, ""
		}
	}
	if tags := h["Etag"]; len(tags) > 0 {
		tag := tags[0]
		if len(tags) > 1 || len(tag) < 2 || tag[0] != '"' || strings.IndexByte(tag[1:], '"') != len(tag)-2 {
			return Validator{}, WeakValidator
		}
		return Validator{etag: tag}, ""
	}
	if len(h["Last-Modified"]) == 0 {
		return Validator{}, NoValidator
	}
	modified, err1 := http.ParseTime(h.Get("Last-Modified"))
	date, err2 := http.ParseTime(h.Get("Date"))
	if err1 != nil || err2 != nil || date.Sub(modified) < time.Second {
		return Validator{}, WeakValidator
	}
	return Validator{modified: h.Get("Last-Modified")}, ""
}

// IfRange returns the value of the If-Range header. For a custom validator it is empty.
func (v Validator) IfRange() string { return v.etag + v.modified }

// Matches reports whether a response with the header h has the same version.
func (v Validator) Matches(h http.Header) bool {
	switch {
	case v.custom != nil:
		return v.custom(h) == v.value
	case v.etag != "":
		return slices.Equal(h["Etag"], []string{v.etag})
	}
	return v.modified != "" && len(h["Etag"]) == 0 && slices.Equal(h["Last-Modified"], []string{v.modified})
}

// MayMatch reports whether a 416 with the header h is about the same version. Its request
// had If-Range set to v's IfRange. If h has no validator and v is not custom, the version
// is the same: a server evaluates If-Range first, and if it doesn't match, ignores Range
// and so doesn't respond 416 (RFC 9110, section 14.2).
func (v Validator) MayMatch(h http.Header) bool {
	silent := v.custom == nil && len(h["Etag"]) == 0 && len(h["Last-Modified"]) == 0
	return silent || v.Matches(h)
}

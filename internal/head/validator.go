package head

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Validator identifies a version of a representation. It is strong: parts of responses
// that it matches may be combined (RFC 9110, section 15.3.7.3). The zero value matches
// nothing.
type Validator struct {
	etag, modified string // at most one of them

	custom func(http.Header) string // in place of both
	value  string                   // what custom returns for this version
}

// ValidatorOf returns the validator of the response with the header h: what custom
// returns for it, unless custom is nil or that is empty; else the strong ETag; else,
// if there is no ETag, the Last-Modified, which is strong if the same second can't
// have seen another change before the response (RFC 9110, section 8.8.2.2). If there
// is none, it says why.
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

// IfRange returns the value for the If-Range header, or "" if there is none for such a
// validator.
func (v Validator) IfRange() string { return v.etag + v.modified }

// Matches reports whether a response with the header h is of the same version.
func (v Validator) Matches(h http.Header) bool {
	switch {
	case v.custom != nil:
		return v.custom(h) == v.value
	case v.etag != "":
		return slices.Equal(h["Etag"], []string{v.etag})
	}
	return v.modified != "" && len(h["Etag"]) == 0 && slices.Equal(h["Last-Modified"], []string{v.modified})
}

// MayMatch reports whether a 416 with the header h, to a request with IfRange, is about
// the same version. It need not have a validator: the server evaluates If-Range first,
// and ignores the Range if that is false (RFC 9110, section 14.2).
func (v Validator) MayMatch(h http.Header) bool {
	silent := v.custom == nil && len(h["Etag"]) == 0 && len(h["Last-Modified"]) == 0
	return silent || v.Matches(h)
}

package head

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Span is what a Content-Range says: the bytes from First up to, but not including,
// End, of Total (negative if not known). RFC 9110, section 14.4.
type Span struct{ First, End, Total int64 }

// ContentRange parses the Content-Range of a 206 that consists of one part.
func ContentRange(h http.Header) (s Span, ok bool) {
	values := h["Content-Range"]
	if len(values) != 1 || mediaType(h.Get("Content-Type")) == "multipart/byteranges" {
		return Span{}, false
	}
	unit, rest, _ := strings.Cut(values[0], " ")
	place, total, _ := strings.Cut(rest, "/")
	first, last, _ := strings.Cut(place, "-")
	s.First, s.End, s.Total = digits(first), digits(last), digits(total)
	switch {
	case !strings.EqualFold(unit, "bytes"), s.First < 0, s.End < s.First, s.Total < 0 && total != "*",
		s.Total >= 0 && s.End >= s.Total:
		return Span{}, false
	}
	s.End++
	return s, true
}

// digits parses 1*DIGIT. It returns -1 for anything else, and for a number too large
// to add to.
func digits(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 63)
	if err != nil || s[0] == '+' || s[0] == '-' {
		return -1
	}
	return n
}

// Validator tells two states of a resource apart. It is strong enough to combine
// parts of one. The zero value is none.
type Validator struct{ etag, modified string }

// ValidatorOf returns the response's strong ETag, or, where there is no ETag, its
// Last-Modified, which is strong if the same second can't have seen another
// change before the response (RFC 9110, section 8.8.2.2).
func ValidatorOf(h http.Header) Validator {
	if tags := h["Etag"]; len(tags) > 0 {
		tag := tags[0]
		if len(tags) > 1 || len(tag) < 2 || tag[0] != '"' || strings.IndexByte(tag[1:], '"') != len(tag)-2 {
			return Validator{} // weak, or none at all
		}
		return Validator{etag: tag}
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return Validator{}
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil || date.Sub(modified) < time.Second {
		return Validator{}
	}
	return Validator{modified: h.Get("Last-Modified")}
}

// IfRange is the value for the If-Range header.
func (v Validator) IfRange() string { return v.etag + v.modified }

// in reports whether an answer of which a piece is to be taken has this Validator.
func (v Validator) In(h http.Header) bool {
	if v.etag != "" {
		return slices.Equal(h["Etag"], []string{v.etag})
	}
	return v.modified != "" && len(h["Etag"]) == 0 && slices.Equal(h["Last-Modified"], []string{v.modified})
}

// AcceptsRanges reports whether the server says that it serves ranges of bytes.
func AcceptsRanges(h http.Header) bool {
	for _, line := range h["Accept-Ranges"] {
		for unit := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(unit), "bytes") {
				return true
			}
		}
	}
	return false
}

// IsPlain reports whether the body is the representation itself, byte by byte, and
// so one that a range can continue.
func IsPlain(resp *http.Response) bool {
	return encodingOf(resp.Header) == identity && !resp.Uncompressed
}

// Redirected reports whether the base has followed a redirect, as http.Client does.
// The response's Validator is then that of another resource.
func Redirected(req *http.Request, resp *http.Response) bool {
	return resp.Request != nil && resp.Request.Response != req.Response
}

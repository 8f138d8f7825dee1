package insist

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// span is what a Content-Range says: the bytes from first to before end, of total
// (negative if not known). RFC 9110, section 14.4.
type span struct{ first, end, total int64 }

// contentRange parses the one Content-Range of a 206 that is of one piece.
func contentRange(h http.Header) (s span, ok bool) {
	values := h["Content-Range"]
	if len(values) != 1 || mediaType(h.Get("Content-Type")) == "multipart/byteranges" {
		return span{}, false
	}
	unit, rest, _ := strings.Cut(values[0], " ")
	place, total, _ := strings.Cut(rest, "/")
	first, last, _ := strings.Cut(place, "-")
	s.first, s.end, s.total = digits(first), digits(last), digits(total)
	switch {
	case !strings.EqualFold(unit, "bytes"), s.first < 0, s.end < s.first, s.total < 0 && total != "*",
		s.total >= 0 && s.end >= s.total:
		return span{}, false
	}
	s.end++
	return s, true
}

// digits parses 1*DIGIT. What is none, or too large to count on from, is -1.
func digits(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 63)
	if err != nil || s[0] == '+' || s[0] == '-' {
		return -1
	}
	return n
}

// validator is what tells two states of a resource apart, strong enough to put
// pieces of one together. The zero value is none.
type validator struct{ etag, modified string }

// validatorOf returns the response's strong ETag, or, where there is no ETag, its
// Last-Modified, which is strong if the same second can't have seen another
// change before the answer (RFC 9110, section 8.8.2.2).
func validatorOf(h http.Header) validator {
	if tags := h["Etag"]; len(tags) > 0 {
		tag := tags[0]
		if len(tags) > 1 || len(tag) < 2 || tag[0] != '"' || strings.IndexByte(tag[1:], '"') != len(tag)-2 {
			return validator{} // weak, or none at all
		}
		return validator{etag: tag}
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return validator{}
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil || date.Sub(modified) < time.Second {
		return validator{}
	}
	return validator{modified: h.Get("Last-Modified")}
}

// ifRange is the value by which a server compares.
func (v validator) ifRange() string { return v.etag + v.modified }

// in reports whether an answer of which a piece is to be taken has this validator.
func (v validator) in(h http.Header) bool {
	if v.etag != "" {
		return slices.Equal(h["Etag"], []string{v.etag})
	}
	return v.modified != "" && len(h["Etag"]) == 0 && slices.Equal(h["Last-Modified"], []string{v.modified})
}

func acceptsRanges(h http.Header) bool {
	for _, line := range h["Accept-Ranges"] {
		for unit := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(unit), "bytes") {
				return true
			}
		}
	}
	return false
}

// isPlain reports whether the body is the representation itself, byte by byte.
func isPlain(resp *http.Response) bool {
	switch resp.Header.Get("Content-Encoding") {
	case "", "identity":
		return !resp.Uncompressed
	}
	return false
}

// redirected reports whether the base has followed a redirect, as http.Client does.
// The answer's validator is then that of another resource.
func redirected(req *http.Request, resp *http.Response) bool {
	return resp.Request != nil && resp.Request.Response != req.Response
}

package head

import (
	"net/http"
	"strconv"
	"strings"
)

// Range is a range of the bytes of a representation: from First up to, but not including,
// End. Total is the length of the representation. A negative End or Total is unknown.
type Range struct{ First, End, Total int64 }

// ContentRange parses the Content-Range of a 206 that consists of one part (RFC 9110,
// section 14.4). The range's End is known.
func ContentRange(h http.Header) (r Range, ok bool) {
	values := h["Content-Range"]
	if len(values) != 1 || mediaType(h.Get("Content-Type")) == "multipart/byteranges" {
		return Range{}, false
	}
	unit, rest, _ := strings.Cut(values[0], " ")
	place, total, _ := strings.Cut(rest, "/")
	first, last, _ := strings.Cut(place, "-")
	r.First, r.End, r.Total = digits(first), digits(last), digits(total)
	switch {
	case !strings.EqualFold(unit, "bytes"), r.First < 0, r.End < r.First, r.Total < 0 && total != "*",
		r.Total >= 0 && r.End >= r.Total:
		return Range{}, false
	}
	r.End++
	return r, true
}

// digits parses 1*DIGIT. It returns -1 for anything else, and for a number so large that
// adding to it could overflow.
func digits(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 63)
	if err != nil || s[0] == '+' || s[0] == '-' {
		return -1
	}
	return n
}

// UnsatisfiedRange returns the length of the representation from the Content-Range of a
// 416 (RFC 9110, section 15.5.17).
func UnsatisfiedRange(h http.Header) (total int64, ok bool) {
	values := h["Content-Range"]
	if len(values) != 1 {
		return 0, false
	}
	unit, rest, _ := strings.Cut(values[0], " ")
	length, ok := strings.CutPrefix(rest, "*/")
	total = digits(length)
	return total, ok && total >= 0 && strings.EqualFold(unit, "bytes")
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

// IsPlain reports whether the body's bytes are those of the representation. Only then can
// a range request continue the body.
func IsPlain(resp *http.Response) bool {
	return encodingOf(resp.Header) == identity && !resp.Uncompressed
}

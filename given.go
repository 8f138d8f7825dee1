package insist

import (
	"io"
	"net/http"
	"net/url"
	"slices"
)

// given is the head of the caller's request before the base saw it. Some bases change
// the request in place: they add headers or query parameters, move the user from the URL
// to a header, or the method to X-HTTP-Method-Override. Each attempt starts from the
// head that the caller gave. Otherwise an added value would be there twice in the second
// attempt, and a moved one would be missing. net/http's transport changes nothing, so
// nothing is stored for it.
type given struct {
	taken bool
	target
	headers givenHeaders
}

// target is all of a head but its headers.
type target struct {
	bodyless     bool          // body is nil or http.NoBody
	body         io.ReadCloser // restored only if bodyless; else each attempt has its own reader
	method, host string        // Request.Method and Request.Host
	length       int64
	encoding     []string
	u            *url.URL // Request.URL
	url          url.URL  // a copy of *u, which a base may change
}

// givenHeaders is a list, since a map would cost an allocation.
type givenHeaders struct {
	first [usualHeaders]givenHeader
	n     int
	more  []givenHeader // those beyond usualHeaders
}

// usualHeaders is the number of headers that most requests don't exceed. More cost an
// allocation.
const usualHeaders = 8

// givenHeader is a copy of a header: a base may change the slice of its values in place.
type givenHeader struct {
	key, value string
	values     *[]string // nil if there is exactly one value
}

func newGivenHeader(key string, values []string) givenHeader {
	if len(values) == 1 {
		return givenHeader{key: key, value: values[0]}
	}
	own := slices.Clone(values)
	return givenHeader{key: key, values: &own}
}

// all returns a copy of the values.
func (h *givenHeader) all() []string {
	if h.values == nil {
		return []string{h.value}
	}
	return slices.Clone(*h.values)
}

func (h *givenHeader) equals(values []string) bool {
	if h.values == nil {
		return len(values) == 1 && values[0] == h.value
	}
	return slices.Equal(values, *h.values)
}

// keepsHead reports whether base is known to leave the request's head alone.
func keepsHead(base http.RoundTripper) bool {
	_, netHTTP := base.(*http.Transport)
	return netHTTP
}

// take stores req's head, unless base is known to leave it alone.
func (g *given) take(base http.RoundTripper, req *http.Request) {
	if keepsHead(base) {
		return
	}
	g.taken = true
	g.target.take(req)
	g.headers.take(req)
}

func (t *target) take(req *http.Request) {
	t.method, t.host, t.length = req.Method, req.Host, req.ContentLength
	t.encoding, t.body = req.TransferEncoding, req.Body
	t.bodyless = req.Body == nil || req.Body == http.NoBody
	if t.u = req.URL; t.u != nil {
		t.url = *t.u
	}
}

// urlOf returns the URL of req, the caller's request, as the caller gave it.
func (t *target) urlOf(req *http.Request) *url.URL {
	if t.u == nil { // not stored
		return req.URL
	}
	return &t.url
}

func (g *givenHeaders) take(req *http.Request) {
	for key, values := range req.Header {
		if g.n < usualHeaders {
			g.first[g.n] = newGivenHeader(key, values)
		} else {
			g.more = append(g.more, newGivenHeader(key, values))
		}
		g.n++
	}
}

// restore gives out, a copy of the caller's request, the head that the caller gave. own
// reports whether out.Header is then a new map.
func (g *given) restore(out *http.Request) (own bool) {
	if !g.taken {
		return false
	}
	out.Method, out.Host, out.ContentLength = g.method, g.host, g.length
	out.TransferEncoding = g.encoding
	if g.bodyless {
		out.Body = g.body
	}
	if out.URL = g.u; g.u != nil && *g.u != g.url {
		out.URL = cloneURL(&g.url)
	}
	if g.headers.isIn(out.Header) {
		return false
	}
	out.Header = make(http.Header, g.headers.n)
	for i := range g.headers.n {
		h := g.headers.at(i)
		out.Header[h.key] = h.all()
	}
	return true
}

// isIn reports whether h has the headers that the caller gave, and no others.
func (g *givenHeaders) isIn(h http.Header) bool {
	if len(h) != g.n {
		return false
	}
	for i := range g.n {
		was := g.at(i)
		if is, ok := h[was.key]; !ok || !was.equals(is) {
			return false
		}
	}
	return true
}

// at returns the i-th of the headers that the caller gave.
func (g *givenHeaders) at(i int) *givenHeader {
	if i < usualHeaders {
		return &g.first[i]
	}
	return &g.more[i-usualHeaders]
}

func cloneURL(u *url.URL) *url.URL {
	c := *u // its User is immutable
	return &c
}

package insist

import (
	"net/http"
	"slices"
)

// given is the head of the caller's request before any base saw it. Some bases add
// headers, or to the query, in place. Each attempt starts from what the caller gave,
// so that nothing is sent twice on the second attempt and three times on the third.
// net/http's own transport changes nothing, so that it costs nothing there.
type given struct {
	taken bool
	target
	headers givenHeaders
}

// target is where a request goes.
type target struct {
	host              string // Request.Host
	urlHost, path     string
	rawPath, rawQuery string
}

// givenHeaders is a list since a map would have to be allocated.
type givenHeaders struct {
	first [usualHeaders]givenHeader
	n     int
	more  []givenHeader // what does not fit there
}

// usualHeaders is how many headers a request mostly has at most. More cost an
// allocation.
const usualHeaders = 8

type givenHeader struct {
	key    string
	values []string
}

// keepsHead reports whether base is known to leave the request's head alone.
func keepsHead(base http.RoundTripper) bool {
	_, netHTTP := base.(*http.Transport)
	return netHTTP
}

// take notes req's head, unless base leaves that alone.
func (g *given) take(base http.RoundTripper, req *http.Request) {
	if keepsHead(base) {
		return
	}
	g.taken = true
	g.target.take(req)
	g.headers.take(req)
}

func (t *target) take(req *http.Request) {
	t.host = req.Host
	if u := req.URL; u != nil {
		t.urlHost, t.path, t.rawPath, t.rawQuery = u.Host, u.Path, u.RawPath, u.RawQuery
	}
}

func (g *givenHeaders) take(req *http.Request) {
	for key, values := range req.Header {
		if g.n < usualHeaders {
			g.first[g.n] = givenHeader{key, values}
		} else {
			g.more = append(g.more, givenHeader{key, values})
		}
		g.n++
	}
}

// restore gives out, a copy of the caller's request, the head that the caller gave.
// It reports whether out.Header is a map of its own then.
func (g *given) restore(out *http.Request) (own bool) {
	if !g.taken {
		return false
	}
	out.Host = g.host
	if u := out.URL; u != nil && (u.Host != g.urlHost || u.Path != g.path || u.RawPath != g.rawPath || u.RawQuery != g.rawQuery) {
		out.URL = cloneURL(u)
		out.URL.Host, out.URL.Path, out.URL.RawPath, out.URL.RawQuery = g.urlHost, g.path, g.rawPath, g.rawQuery
	}
	if g.headers.isIn(out.Header) {
		return false
	}
	out.Header = make(http.Header, g.headers.n)
	for i := range g.headers.n {
		h := g.headers.at(i)
		out.Header[h.key] = slices.Clone(h.values)
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
		if is, ok := h[was.key]; !ok || !slices.Equal(is, was.values) {
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

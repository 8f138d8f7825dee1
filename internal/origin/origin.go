// Package origin normalizes the host of a URL, so that two URLs with the same scheme, host
// and port get the same text, however they are written. It resolves no names.
package origin

import (
	"net/netip"
	"net/url"
	"strings"
)

// Host returns the host of u in normal form, and its port unless that is the default of
// the scheme (RFC 3986, section 6.2.3). ASCII letters are lower case, there is no dot at
// the end, and an IPv6 address has its shortest form (RFC 5952), in brackets. If the host
// is already in normal form, Host allocates nothing. If it is invalid, as it may be in a
// URL made by hand, it is only made lower case. Internationalized names are not converted.
func Host(u *url.URL) string {
	if u == nil {
		return ""
	}
	if isNormal(u.Scheme, u.Host) {
		return u.Host
	}
	return normalize(u)
}

// isNormal reports whether one pass over the bytes proves that host is in normal form, as
// nearly every host is. normalize takes ten times as long.
func isNormal(scheme, host string) bool {
	i := 0
	for i < len(host) && nameBytes[host[i]] {
		i++
	}
	if i > 0 && host[i-1] == '.' {
		return false
	}
	if i == len(host) {
		return true
	}
	port := host[i+1:]
	if host[i] != ':' || port == "" || port[0] == '0' {
		return false
	}
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
	}
	return !isDefault(scheme, port)
}

// nameBytes are the bytes that may occur in a name or an IPv4 address in normal form. It
// is a table, because a chain of comparisons takes three times as long.
var nameBytes = func() (known [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyz0123456789.-_") {
		known[c] = true
	}
	return known
}()

func normalize(u *url.URL) string {
	host, port, ok := split(u.Host)
	if !ok {
		return lower(u.Host)
	}
	short := strings.TrimLeft(port, "0")
	if isDefault(u.Scheme, short) {
		return name(host)
	}
	switch n := name(host); {
	case port == "":
		return n
	case n == host && short == port:
		return u.Host
	case short == "":
		return n + ":0"
	default:
		return n + ":" + short
	}
}

// split separates the host from the port, which must consist of digits. If there is no
// port, or only a colon, port is empty.
func split(s string) (host, port string, ok bool) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']') + 1
		host, port = s[:end], s[end:]
		ok = end > 0 && (port == "" || port[0] == ':')
		port = strings.TrimPrefix(port, ":")
	} else {
		host, port, _ = strings.Cut(s, ":")
		ok = true
	}
	return host, port, ok && strings.Trim(port, "0123456789") == ""
}

func isDefault(scheme, port string) bool {
	switch port {
	case "80":
		return strings.EqualFold(scheme, "http")
	case "443":
		return strings.EqualFold(scheme, "https")
	}
	return false
}

func name(host string) string {
	if !strings.HasPrefix(host, "[") {
		return lower(strings.TrimRight(host, "."))
	}
	ip, err := netip.ParseAddr(host[1 : len(host)-1])
	if err != nil {
		return lower(host)
	}
	var space [64]byte
	short := append(ip.AppendTo(append(space[:0], '[')), ']') // the zone keeps its case
	if string(short) == host {
		return host
	}
	return string(short)
}

// lower makes ASCII letters lower case.
func lower(s string) string {
	first := strings.IndexFunc(s, isUpper)
	if first < 0 {
		return s
	}
	b := []byte(s)
	for i := first; i < len(b); i++ {
		if isUpper(rune(b[i])) {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

func isUpper(r rune) bool { return 'A' <= r && r <= 'Z' }

package origin

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var hosts = []struct{ url, want string }{
	{"http://api.test/", "api.test"},
	{"http://API.test/", "api.test"},
	{"http://api.test:80/", "api.test"},
	{"HTTP://aPi.TeSt:80/", "api.test"},
	{"http://api.test:/", "api.test"},
	{"http://api.test:0080/", "api.test"},
	{"http://api.test.:80/", "api.test"},
	{"http://api.test./", "api.test"},
	{"http://user:secret@api.test/", "api.test"},
	{"http://api.test:443/", "api.test:443"},
	{"http://api.test.:443/", "api.test:443"},
	{"http://API.test:08080/", "api.test:8080"},
	{"http://api.test:8080/", "api.test:8080"},
	{"http://api.test:0/", "api.test:0"},
	{"http://api.test:000/", "api.test:0"},
	{"https://api.test/", "api.test"},
	{"https://api.test:443/", "api.test"},
	{"https://api.test:80/", "api.test:80"},
	{"HTTPS://API.TEST:443/", "api.test"},
	{"ftp://api.test:80/", "api.test:80"},
	{"//api.test:80/", "api.test:80"},

	{"http://127.0.0.1/", "127.0.0.1"},
	{"http://127.0.0.1:80/", "127.0.0.1"},
	{"http://127.0.0.1:8080/", "127.0.0.1:8080"},
	{"http://[::1]/", "[::1]"},
	{"http://[::1]:80/", "[::1]"},
	{"http://[::1]:/", "[::1]"},
	{"http://[::1]:8080/", "[::1]:8080"},
	{"http://[0:0:0:0:0:0:0:1]/", "[::1]"},
	{"http://[0000::1]:8080/", "[::1]:8080"},
	{"http://[2001:DB8::A]/", "[2001:db8::a]"},
	{"http://[::FFFF:1.2.3.4]/", "[::ffff:1.2.3.4]"},
	{"http://[FE80::1%25Eth0]:80/", "[fe80::1%Eth0]"},

	{"http://bücher.test/", "bücher.test"},
	{"http://BÜCHER.test/", "bÜcher.test"},
	{"http://XN--Bcher-kva.test/", "xn--bcher-kva.test"},
	{"http://under_score.test/", "under_score.test"},
	{"http:///path", ""},
	{"/path", ""},
	{"mailto:a@api.test", ""},
}

// byHand has hosts that no URL that was parsed has.
var byHand = []struct{ host, want string }{
	{"", ""},
	{":", ""},
	{":80", ""},
	{":8080", ":8080"},
	{".", ""},
	{"a..", "a"},
	{"Api.test:http", "api.test:http"},
	{"Api.test:-80", "api.test:-80"},
	{"Api.test:+80", "api.test:+80"},
	{"a:80:80", "a:80:80"},
	{"::1", "::1"},
	{"ABCD::1", "abcd::1"},
	{"[", "["},
	{"[]", "[]"},
	{"[::1", "[::1"},
	{"[::1]80", "[::1]80"},
	{"[::G]:80", "[::g]"},
	{"[1.2.3.4]:80", "[1.2.3.4]"},
	{"]:80", "]"},
	{"A\xff.test", "a\xff.test"},
	{"A" + strings.Repeat("a", 1<<16) + ":80", strings.Repeat("a", 1<<16+1)},
}

func TestHost(t *testing.T) {
	for _, c := range hosts {
		u, err := url.Parse(c.url)
		require.NoError(t, err)
		assert.Equal(t, c.want, Host(u), c.url)
	}
	for _, c := range byHand {
		assert.Equal(t, c.want, Host(&url.URL{Scheme: "http", Host: c.host}), c.host)
	}
	assert.Empty(t, Host(nil))
}

func TestNormalFormCostsNothing(t *testing.T) {
	for _, s := range []string{
		"http://api.test/", "https://api.test/", "http://api.test:80/", "http://api.test./", "http://api.test:8080/",
		"http://[::1]/", "http://[2001:db8::a]:80/", "http://[2001:db8::a]:8080/", "http://127.0.0.1:8080/",
	} {
		u, err := url.Parse(s)
		require.NoError(t, err)
		assert.Zero(t, testing.AllocsPerRun(100, func() { Host(u) }), s)
	}
}

// What is taken for normal at first sight is.
func TestNormalAtFirstSight(t *testing.T) {
	var u url.URL
	for _, host := range []string{"", "api.test", "a-b_c.test", "127.0.0.1", "api.test:8080", "127.0.0.1:443", ":8080"} {
		u = url.URL{Scheme: "http", Host: host}
		assert.True(t, isNormal(u.Scheme, u.Host), host)
		assert.Equal(t, host, normalize(&u))
	}
	for _, host := range []string{"API.test", "api.test.", "api.test:80", "api.test:08", "api.test:", "api.test:a", "[::1]", "a:80:80", "."} {
		assert.False(t, isNormal("http", host), host)
	}
}

func BenchmarkHost(b *testing.B) {
	for _, s := range []string{
		"https://api.test/", "https://api.a-long-name.example.com/", "http://127.0.0.1:8080/",
		"http://api.test:80/", "http://API.test/", "http://[::1]:8080/",
	} {
		u, err := url.Parse(s)
		require.NoError(b, err)
		b.Run(u.Host, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Host(u)
			}
		})
	}
}

// The normal form has itself as its normal form, and other ways to write a host
// lead to it.
func FuzzHost(f *testing.F) {
	for _, c := range hosts {
		if u, err := url.Parse(c.url); err == nil {
			f.Add(u.Scheme, u.Host)
		}
	}
	for _, c := range byHand {
		f.Add("http", c.host)
	}
	f.Fuzz(func(t *testing.T, scheme, host string) {
		normal := Host(&url.URL{Scheme: scheme, Host: host})
		if slow := normalize(&url.URL{Scheme: scheme, Host: host}); slow != normal {
			t.Errorf("%q: %q at first sight, and %q", host, normal, slow)
		}
		again := func(host string) {
			if got := Host(&url.URL{Scheme: scheme, Host: host}); got != normal {
				t.Errorf("%q: %q becomes %q, and %q %q", scheme, host, got, host, normal)
			}
		}
		again(normal)
		if u, err := url.Parse("http://" + host); err != nil || u.Host != host || strings.ContainsAny(host, "[%") {
			return
		}
		again(lower(host))
		upper := []byte(host)
		for i, c := range upper {
			if 'a' <= c && c <= 'z' {
				upper[i] = c - ('a' - 'A')
			}
		}
		again(string(upper))
		if !strings.Contains(normal, ":") {
			port := map[string]string{"http": ":80", "https": ":443"}[scheme]
			again(normal + port)
			again(normal + "." + port)
		}
	})
}

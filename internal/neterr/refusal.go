package neterr

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
)

// ProxyRefused is the class of the error when a proxy refused a CONNECT.
const ProxyRefused = "proxy_refused"

// IsProxyRefusal reports whether the error of a RoundTrip means that a proxy refused a
// CONNECT. net/http returns an error whose whole text is the reason phrase of the proxy's
// response (Transport.dialConn). In an error of anything else than a RoundTrip, such a
// text proves nothing.
func IsProxyRefusal(err error) bool { return proxyStatus(err) != 0 }

// isRefusedURL is IsProxyRefusal for an error that http.Client returned.
func isRefusedURL(err error) bool {
	u, ok := errors.AsType[*url.Error](err)
	return ok && IsProxyRefusal(u.Err)
}

// isPermanentProxyRefusal reports whether the proxy would refuse again: it refused the
// credentials or the destination.
func isPermanentProxyRefusal(err error) bool {
	switch proxyStatus(err) {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired:
		return true
	}
	return false
}

// proxyStatus returns the status whose reason phrase is the complete text of err's
// innermost error, or 0.
func proxyStatus(err error) int {
	if err == nil {
		return 0
	}
	if err = innermost(err); reflect.TypeOf(err) != reflect.TypeOf(errors.New("")) {
		return 0
	}
	for status, text := 400, err.Error(); text != "" && status < 600; status++ {
		if http.StatusText(status) == text {
			return status
		}
	}
	return 0
}

// isTokenRefusal reports whether an authorization server refused to issue a token for a
// permanent reason (RFC 6749, section 5.2). It recognizes golang.org/x/oauth2's error by
// the names of its type and of a field, so that package isn't imported.
func isTokenRefusal(err error) bool {
	for e := range tree(err) {
		if fmt.Sprintf("%T", e) != "*oauth2.RetrieveError" {
			continue
		}
		v := reflect.ValueOf(e)
		if v.IsNil() || v.Elem().Kind() != reflect.Struct {
			continue
		}
		code := v.Elem().FieldByName("ErrorCode")
		if !code.IsValid() || code.Kind() != reflect.String {
			continue
		}
		switch code.String() {
		case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope":
			return true
		}
	}
	return false
}

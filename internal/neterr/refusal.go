package neterr

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
)

// ProxyRefused is the class of a proxy's refusal.
const ProxyRefused = "proxy_refused"

// IsProxyRefusal reports whether the error of a request is a proxy's refusal of a
// CONNECT. net/http makes the reason phrase of the proxy's response the error's text,
// and adds nothing (Transport.dialConn). As that of anything but a request such a text
// says nothing.
func IsProxyRefusal(err error) bool { return proxyStatus(err) != 0 }

// isRefusedURL is IsProxyRefusal for what http.Client returns.
func isRefusedURL(err error) bool {
	u, ok := errors.AsType[*url.Error](err)
	return ok && IsProxyRefusal(u.Err)
}

// isPermanentProxyRefusal reports a refusal that the proxy would repeat: of the
// credentials, or of the destination.
func isPermanentProxyRefusal(err error) bool {
	switch proxyStatus(err) {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired:
		return true
	}
	return false
}

// proxyStatus returns the status whose reason phrase is all that err has, or 0.
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

// isTokenRefusal reports that an authorization server refused a token for a reason
// that stays (RFC 6749, section 5.2), as golang.org/x/oauth2 reports it. It is known by
// the name of its type and of a field.
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

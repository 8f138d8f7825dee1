// Package signers shows how a RoundTripper that signs request bodies, or authenticates by
// them, goes below a [github.com/seed-552c89fc/insist.RetryTransport]: as its Base. Then
// every attempt is signed anew, with a time of its own.
//
// Within an attempt Request.GetBody returns a copy of the body, and reading that leaves
// Body alone. This holds for a body of any kind: in memory, with a GetBody of the
// caller's, a file, and one that can be read only once, if the request is idempotent.
// The tests run the signer of this package, and HTTP Digest with qop=auth-int
// (github.com/icholy/digest), against a server that fails.
package signers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"time"
)

// Signer signs requests by HMAC-SHA256 over the time, the method, the path and the body.
type Signer struct {
	Key  []byte
	Base http.RoundTripper
}

// The headers that a Signer sets.
const (
	TimeHeader      = "X-Time"
	SignatureHeader = "X-Signature"
)

// RoundTrip reads a copy of the body, and then sends the request with its signature.
func (s *Signer) RoundTrip(req *http.Request) (*http.Response, error) {
	at := time.Now().UTC().Format(time.RFC3339)
	signature, err := s.sign(at, req)
	if err != nil {
		if req.Body != nil {
			req.Body.Close() // also where nothing is sent
		}
		return nil, err
	}
	signed := req.Clone(req.Context()) // the caller's request is not to be changed
	signed.Header.Set(TimeHeader, at)
	signed.Header.Set(SignatureHeader, signature)
	return s.Base.RoundTrip(signed)
}

func (s *Signer) sign(at string, req *http.Request) (string, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return Signature(s.Key, at, req.Method, req.URL.Path, http.NoBody)
	}
	if req.GetBody == nil {
		return "", errors.New("signers: the request body can be read only once")
	}
	body, err := req.GetBody()
	if err != nil {
		return "", err
	}
	defer body.Close()
	return Signature(s.Key, at, req.Method, req.URL.Path, body)
}

// Signature returns the signature of a request.
func Signature(key []byte, at, method, path string, body io.Reader) (string, error) {
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, at+"\n"+method+"\n"+path+"\n")
	if _, err := io.Copy(mac, body); err != nil {
		return "", err
	}
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// Package golangx has tests of insist with golang.org/x/net/http2 and
// golang.org/x/oauth2, which the core does not import.
package golangx

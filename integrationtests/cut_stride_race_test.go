//go:build race

package integrationtests

// stride is how many bytes lie between two cuts. The race detector makes each ten
// times as slow.
const stride = 23

//go:build !race

package integrationtests

// stride is how many bytes lie between two cuts.
const stride = 1

// Package integrationtests holds the tests of insist that use only what it exports:
// net/http's own servers and transports on real sockets, networks in memory in
// virtual time, scripted bases, random faults.
//
// TestEveryCut cuts one exchange at every byte, and prints what came of it:
//
//	go test -v -run EveryCut ./integrationtests
package integrationtests

// Package integrationtests tests insist as its users have it: the exported API
// alone, above net/http's own transport and server.
//
// TestEveryCut cuts one exchange at every byte, and prints what came of it:
//
//	go test -v -run EveryCut ./integrationtests
package integrationtests

// Package servertest is shared by insist's own tests: servers on real sockets and on
// networks in memory, an HTTP/2 server that sends exactly the frames that a test chooses,
// scripted bases, and request bodies that misbehave.
//
// It does not import insist, so that insist's internal tests can import it.
package servertest

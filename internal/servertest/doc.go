// Package servertest is what insist's own tests share: servers on real sockets and
// on networks in memory, an HTTP/2 server that is told each frame to send, scripted
// bases, and request bodies that misbehave.
//
// It does not import insist, so that insist's internal tests can import it.
package servertest

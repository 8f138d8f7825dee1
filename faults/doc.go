// Package faults has no code of its own. Its test puts proxies that inject faults between
// insist and a server, and checks that what the client reports agrees with what the server
// recorded. See TestMixedFaults.
package faults

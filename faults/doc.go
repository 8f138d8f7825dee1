// Package faults has no code of its own: its test puts proxies that break things
// between insist and a server, and holds both ends against each other. See
// TestMixedFaults.
package faults

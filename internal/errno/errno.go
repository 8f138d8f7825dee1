// Package errno has the operating systems' errors of the network under one name each:
// Windows has other numbers than those of package syscall's names, and Plan 9 has
// texts.
package errno

import "errors"

// Kind is an error of the network. A system may have several for it.
type Kind []error

// Is reports whether err is, or wraps, an error of this kind.
func (k Kind) Is(err error) bool {
	for _, e := range k {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Err returns an error of this kind, for a network that is none of the system's. It
// is the one that package syscall has a name for, if any.
func (k Kind) Err() error { return k[0] }

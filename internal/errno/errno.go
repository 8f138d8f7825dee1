// Package errno gives each kind of network error one name on all operating systems. On
// Windows, system calls return other numbers than the constants that package syscall
// defines under the usual names; on Plan 9, errors are texts.
package errno

import "errors"

// Kind is a kind of network error. A system may have several errors of one kind.
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

// Err returns an error of this kind, for a network in memory. It is the error that package
// syscall has a name for, if there is one.
func (k Kind) Err() error { return k[0] }

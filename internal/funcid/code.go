//go:build gc && !purego && !tinygo && !gopherjs

// Package funcid identifies functions: it returns the same number for all values of one
// function, without an allocation. Use the number as a key only; it is an address.
package funcid

import "unsafe"

// Of returns the address of the code of fn, which must be a function. All values made
// from one function literal have the same address, and so have the values of one method
// for all receivers. Different literals and methods have different addresses. If the
// compiler inlines a function that returns a literal, each inlined copy has its own
// address. If fn is nil, Of returns zero.
//
// A function value is a pointer to the address of its code. reflect.Value.Pointer reads
// that address, too, but moves fn to the heap: each call with a closure would allocate.
func Of[F any](fn F) uintptr {
	code := *(**uintptr)(unsafe.Pointer(&fn))
	if code == nil {
		return 0
	}
	return *code
}

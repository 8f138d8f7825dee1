//go:build gc && !purego && !tinygo && !gopherjs

// Package funcid tells functions apart.
package funcid

import "unsafe"

// Of returns the address of the code of fn, which is a function: the same for all
// values made of one function literal, and for a method of all receivers, and another
// one for each other literal and method. Where the compiler inlines a function that
// returns a literal, each copy has an address of its own. It is zero if fn is nil.
//
// A function value is a pointer to the address of its code. reflect.Value.Pointer
// reads it in the same way, but moves fn to the heap, which costs each call with a
// closure an allocation.
func Of[F any](fn F) uintptr {
	code := *(**uintptr)(unsafe.Pointer(&fn))
	if code == nil {
		return 0
	}
	return *code
}

//go:build !gc || purego || tinygo || gopherjs

// Package funcid identifies functions: it returns the same number for all values of one
// function. Use the number as a key only; it is an address.
package funcid

import "reflect"

// Of returns the address of the code of fn, which must be a function. If fn is nil, it
// returns zero.
func Of[F any](fn F) uintptr { return reflect.ValueOf(fn).Pointer() }

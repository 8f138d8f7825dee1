//go:build !gc || purego || tinygo || gopherjs

// Package funcid tells functions apart.
package funcid

import "reflect"

// Of returns the address of the code of fn, which is a function. It is zero if fn is
// nil.
func Of[F any](fn F) uintptr { return reflect.ValueOf(fn).Pointer() }

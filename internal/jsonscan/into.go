package jsonscan

import (
	"encoding"
	"encoding/json"
	"reflect"
)

// maxDecoded is the maximum length in bytes of a value that is decoded.
const maxDecoded = 1 << 20

// DecoderFor returns a function that decodes a raw value into a T, and the
// [Options] for a [Scanner] that looks up such values. The value must not be
// null.
//
// The function decodes as [json.Unmarshal] does, and returns false if that
// returns an error. There is one exception: if T is a number or a pointer to
// one, numbers go by their value, as described at [Int]. That does not hold for
// numbers inside a struct, slice or map, nor if T has a method UnmarshalJSON or
// UnmarshalText.
func DecoderFor[T any]() (func(raw []byte) (T, bool), Options) {
	t := reflect.TypeFor[T]()
	store := storeInto(t)
	if store == nil {
		return unmarshal[T], Options{MaxValue: maxDecoded, Containers: true}
	}
	o := Options{MaxValue: maxDecoded}
	if decode, ok := scalarOf(t).decode.(func([]byte) (T, bool)); ok {
		return decode, o // unlike store, it allocates nothing
	}
	return func(raw []byte) (v T, ok bool) {
		ok = store(reflect.ValueOf(&v), raw)
		return v, ok
	}, o
}

func unmarshal[T any](raw []byte) (v T, ok bool) {
	ok = json.Unmarshal(raw, &v) == nil
	return v, ok
}

// storeInto returns a function that decodes raw and stores the value in *p, which
// is a t. It returns nil if t has to be decoded by encoding/json.
func storeInto(t reflect.Type) func(p reflect.Value, raw []byte) bool {
	if p := reflect.PointerTo(t); p.Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return nil
	}
	if t.Kind() != reflect.Pointer {
		return scalarOf(t).store
	}
	elem := t.Elem()
	if elem.Kind() == reflect.Pointer {
		return nil // a type P *P has no end
	}
	store := storeInto(elem)
	if store == nil {
		return nil
	}
	return func(p reflect.Value, raw []byte) bool {
		v := reflect.New(elem)
		ok := store(v, raw)
		if ok {
			p.Elem().Set(v)
		}
		return ok
	}
}

// scalar decodes values of one kind.
type scalar struct {
	decode any // a func(raw []byte) (T, bool), T being the kind's predeclared type
	store  func(p reflect.Value, raw []byte) bool
}

// scalarOf returns the scalar for t's kind: string, number or boolean. For any
// other kind it returns the zero scalar.
func scalarOf(t reflect.Type) scalar {
	if t == reflect.TypeFor[json.Number]() {
		return scalarBy(Number)
	}
	switch t.Kind() {
	case reflect.Bool:
		return scalarBy(Bool)
	case reflect.String:
		return scalarBy(String)
	case reflect.Int:
		return scalarBy(Int[int])
	case reflect.Int8:
		return scalarBy(Int[int8])
	case reflect.Int16:
		return scalarBy(Int[int16])
	case reflect.Int32:
		return scalarBy(Int[int32])
	case reflect.Int64:
		return scalarBy(Int[int64])
	case reflect.Uint:
		return scalarBy(Uint[uint])
	case reflect.Uint8:
		return scalarBy(Uint[uint8])
	case reflect.Uint16:
		return scalarBy(Uint[uint16])
	case reflect.Uint32:
		return scalarBy(Uint[uint32])
	case reflect.Uint64:
		return scalarBy(Uint[uint64])
	case reflect.Uintptr:
		return scalarBy(Uint[uintptr])
	case reflect.Float32:
		return scalarBy(Float[float32])
	case reflect.Float64:
		return scalarBy(Float[float64])
	}
	return scalar{}
}

// scalarBy returns the scalar for T's kind. To store into another type of that
// kind, it converts the pointer to *T.
func scalarBy[T any](decode func(raw []byte) (T, bool)) scalar {
	return scalar{decode, func(p reflect.Value, raw []byte) bool {
		v, ok := decode(raw)
		if ok {
			*p.Convert(reflect.TypeFor[*T]()).Interface().(*T) = v
		}
		return ok
	}}
}

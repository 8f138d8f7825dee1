package jsonscan

import (
	"encoding"
	"encoding/json"
	"reflect"
)

// maxDecoded is the length up to which a value is kept to be decoded.
const maxDecoded = 1 << 20

// DecoderFor returns a function that turns a raw value into a T, and the
// [Options] with which a [Scanner] finds such values.
//
// The function decides as encoding/json does, which is to say that it reports
// false where [json.Unmarshal] returns an error. It is more lenient in that
// numbers go by their value, as [Int] says. That holds for T and pointers to
// T; inside slices, maps and structs, and with a T that has a method
// UnmarshalJSON or UnmarshalText, encoding/json decides. The value must not be
// null.
func DecoderFor[T any]() (func(raw []byte) (T, bool), Options) {
	t := reflect.TypeFor[T]()
	store := storeInto(t)
	if store == nil {
		return unmarshal[T], Options{MaxValue: maxDecoded, Containers: true}
	}
	o := Options{MaxValue: maxDecoded}
	if decode, ok := scalarOf(t).decode.(func([]byte) (T, bool)); ok {
		return decode, o // without an allocation
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

// storeInto returns the function that decodes raw and stores the value where p,
// a pointer to a t, points, or nil if encoding/json has to do that.
func storeInto(t reflect.Type) func(p reflect.Value, raw []byte) bool {
	if p := reflect.PointerTo(t); p.Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return nil
	}
	if t.Kind() != reflect.Pointer {
		return scalarOf(t).store
	}
	store := storeInto(t.Elem())
	if store == nil {
		return nil
	}
	return func(p reflect.Value, raw []byte) bool {
		v := reflect.New(t.Elem())
		ok := store(v, raw)
		if ok {
			p.Elem().Set(v)
		}
		return ok
	}
}

// scalar is how values of one kind are decoded.
type scalar struct {
	decode any // func(raw []byte) (T, bool), where T is the predeclared type
	store  func(p reflect.Value, raw []byte) bool
}

// scalarOf returns how values of t's kind are decoded. It returns the zero
// scalar if they are no strings, numbers or booleans.
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

// scalarBy returns the scalar of the kind of T, which decode returns. A named
// type of that kind is stored through a pointer that is converted to *T.
func scalarBy[T any](decode func(raw []byte) (T, bool)) scalar {
	return scalar{decode, func(p reflect.Value, raw []byte) bool {
		v, ok := decode(raw)
		if ok {
			*p.Convert(reflect.TypeFor[*T]()).Interface().(*T) = v
		}
		return ok
	}}
}

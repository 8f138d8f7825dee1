//go:build !race

package reqbody

import (
	"encoding/binary"
	"hash/maphash"
	"net/http"
	"reflect"
	"sync"
	"time"
)

var stateSeed = maphash.MakeSeed()

// state returns a hash of all that decides what happens next: every field of the source
// and its readers, what the actors have done and are in, where goroutines stand, what the
// caller's readers have returned, and the time. What is not in it are the local variables
// of operations that wait; the operation, when it began and the fields decide these.
func (x *execution) state() uint64 {
	s := &state{numbers: make(map[uintptr]uint64)}
	s.hash.SetSeed(stateSeed)
	s.add(uint64(x.ticks))
	for i, b := range x.bodies {
		s.numbers[reflect.ValueOf(b).Pointer()] = uint64(1000 + i)
	}
	for i, at := range x.attempts {
		s.numbers[reflect.ValueOf(at.lease).Pointer()] = uint64(2000 + i)
	}
	for _, a := range x.actors {
		s.text(a.name)
		s.text(a.next)
		s.text(a.current)
		if a.current != "" {
			s.add(uint64(time.Since(a.since)))
		}
		if a.view != nil {
			s.walk(reflect.ValueOf(a.view.body))
			s.add(uint64(a.view.off))
			s.flag(a.view.closed)
			s.flag(a.view.of.revoked)
		}
	}
	for _, g := range x.gates {
		s.text(g.label)
	}
	for _, b := range x.bodies {
		s.add(uint64(*b.off))
		s.add(uint64(b.opened<<8 | b.closes))
		s.flag(b.inClose)
		s.flag(b.closed)
		s.flag(b.inRead)
	}
	s.flag(x.opened2)
	s.flag(x.over)
	s.flag(x.resends)
	s.walk(reflect.ValueOf(x.body.stream))
	return s.hash.Sum64()
}

type state struct {
	hash    maphash.Hash
	numbers map[uintptr]uint64 // of what pointers point to
	met     uint64             // in the order in which it was met
}

func (s *state) text(t string) { s.hash.WriteString(t); s.hash.WriteByte(0) }

func (s *state) flag(b bool) {
	if b {
		s.hash.WriteByte(1)
	} else {
		s.hash.WriteByte(2)
	}
}

func (s *state) add(n uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	s.hash.Write(b[:])
}

var (
	opaque = map[reflect.Type]bool{
		reflect.TypeFor[sync.Mutex](): true, reflect.TypeFor[sync.Cond](): true, reflect.TypeFor[http.Request](): true,
		reflect.TypeFor[Lease]():      true, // which one it is says all
		reflect.TypeFor[callerBody](): true, // is added by itself
	}
	ourPackage = reflect.TypeFor[reader]().PkgPath()
)

// walk adds a value: of pointers which of those that were met before it is and, if it
// points to a type of this package, what it points to.
func (s *state) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		s.flag(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.add(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s.add(v.Uint())
	case reflect.String:
		s.text(v.String())
	case reflect.Chan, reflect.Func, reflect.Map:
		s.flag(v.IsNil())
	case reflect.Interface:
		if v.IsNil() {
			s.add(0)
			return
		}
		s.text(v.Elem().Type().String())
		s.walk(v.Elem())
	case reflect.Pointer:
		s.pointer(v)
	case reflect.Slice:
		s.add(uint64(v.Len()))
		if v.Type().Elem().Kind() != reflect.Uint8 { // which bytes they are is decided by how many
			for i := range v.Len() {
				s.walk(v.Index(i))
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			s.walk(v.Index(i))
		}
	case reflect.Struct:
		s.fields(v)
	}
}

func (s *state) pointer(v reflect.Value) {
	if v.IsNil() {
		s.add(0)
		return
	}
	n, known := s.numbers[v.Pointer()]
	if !known {
		s.met++
		n = s.met
		s.numbers[v.Pointer()] = n
	}
	s.add(n)
	t := v.Type().Elem()
	if !known && (t.PkgPath() == ourPackage || t.PkgPath() == "errors") && !opaque[t] {
		s.walk(v.Elem())
	}
}

func (s *state) fields(v reflect.Value) {
	if opaque[v.Type()] {
		return
	}
	for i := range v.NumField() {
		s.walk(v.Field(i))
	}
}

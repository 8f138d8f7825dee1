package insist

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"sync"

	"github.com/seed-552c89fc/insist/internal/jsonscan"
)

// BodyCondition decides by the body of a response: Retry means that it reports a
// failure; anything else leaves the response to the other rules. It is the type of
// Policy.RetryableBody. resp is the response's head; its Body must not be touched.
// body has the same bytes, unzipped; it must not be used after the condition has
// returned. A condition should stop reading when it knows, since the response
// waits for it. Beyond MaxPeekBytes and MaxPeekTime body
// returns an error: then return the zero Decision, and the response is the
// caller's. A Wait in the Decision is a wait that the server asks for in the body.
// attempt counts from 1.
type BodyCondition func(req *http.Request, resp *http.Response, attempt int, body io.Reader) Decision

// JSONField returns a condition that reports a failure if the JSON body has a
// value at pointer (RFC 6901) for which retry reports true:
//
//	insist.JSONField("/ret_code", func(code int) bool { return code == 5000 || code == 5100 })
//
// A nil retry reports true for every value but null: use it with T any for an API
// that has the field only in failures (JSON-RPC's "/error", GraphQL's
// "/errors/0"). It decides as soon as the value has arrived, whatever may follow;
// so of duplicate keys the first one counts.
//
// A body that is no JSON, has no such value, or has null there, is the caller's,
// and so is one whose value is not a T. Numbers go by their value: 0.0 is the
// int 0, and so is "0", since APIs send both; 0.5 is not an int. For T any,
// json.RawMessage, structs, slices and maps the value is decoded by encoding/json.
// The Content-Type doesn't matter. A malformed pointer panics.
func JSONField[T any](pointer string, retry func(T) bool) BodyCondition {
	p, err := jsonscan.Parse(pointer)
	if err != nil {
		panic(fmt.Sprintf("insist: JSONField(%q): %v", pointer, err))
	}
	decode, options := decoderFor[T]()
	failed := func(raw []byte) bool {
		v, ok := decode(raw)
		return ok && retry(v)
	}
	if retry == nil {
		options = jsonscan.Options{} // that it is there is enough
	}
	return func(_ *http.Request, _ *http.Response, _ int, body io.Reader) (d Decision) {
		l := lookupPool.Get().(*lookup)
		defer lookupPool.Put(l)
		switch raw, status := l.find(body, p, options); {
		case status == jsonscan.TooLong && retry == nil,
			status == jsonscan.Found && string(raw) != "null" && (retry == nil || failed(raw)):
			d.Verdict = Retry
		}
		return d
	}
}

// JSONFieldNot is shorthand for JSONField with a retry that reports whether the
// value is not ok: JSONFieldNot("/ret_code", 0).
func JSONFieldNot[T comparable](pointer string, ok T) BodyCondition {
	return JSONField(pointer, func(v T) bool { return v != ok })
}

// AnyOf returns a condition that reports a failure if one of conditions does. Each
// of them sees the body from its start; those after the first that says Retry are not
// asked. Where none does, the first Wait counts. Use it for an API that reports
// failures in several ways. Nil conditions are left out.
func AnyOf(conditions ...BodyCondition) BodyCondition {
	return func(req *http.Request, resp *http.Response, attempt int, body io.Reader) Decision {
		again, ok := body.(rewinder)
		if !ok {
			again = &rereader{src: body}
		}
		var waits Decision
		for _, condition := range conditions {
			if condition == nil {
				continue
			}
			again.Rewind()
			d := condition(req, resp, attempt, again)
			if d.Verdict == Retry {
				return d
			}
			if waits.Wait == 0 {
				waits.Wait = d.Wait
			}
		}
		return waits
	}
}

// rewinder is a body that can be read once more.
type rewinder interface {
	io.Reader
	Rewind()
}

// rereader makes a rewinder of any reader, which bounds what is kept by its own end.
type rereader struct {
	src  io.Reader
	kept []byte
	off  int
	err  error
}

func (r *rereader) Rewind() { r.off = 0 }

func (r *rereader) Read(p []byte) (int, error) {
	if r.off == len(r.kept) {
		if r.err != nil || len(p) == 0 {
			return 0, r.err
		}
		var n int
		n, r.err = r.src.Read(p)
		r.kept = append(r.kept, p[:n]...)
		r.off += n
		return n, r.err
	}
	n := copy(p, r.kept[r.off:])
	r.off += n
	return n, nil
}

// decoderFor returns how raw JSON becomes a T.
func decoderFor[T any]() (func(raw []byte) (T, bool), jsonscan.Options) {
	var into func(reflect.Value, []byte) bool
	switch t := reflect.TypeFor[T](); {
	case reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()):
	case t == reflect.TypeFor[json.Number]():
		into = intoNumber
	case t.Kind() == reflect.Bool:
		into = intoBool
	case t.Kind() == reflect.String:
		into = intoString
	case reflect.Int <= t.Kind() && t.Kind() <= reflect.Int64:
		into = intoInt
	case reflect.Uint <= t.Kind() && t.Kind() <= reflect.Uint64:
		into = intoUint
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		into = intoFloat
	}
	if into == nil {
		return func(raw []byte) (v T, ok bool) {
			ok = json.Unmarshal(raw, &v) == nil
			return v, ok
		}, jsonscan.Options{Containers: true, MaxValue: maxJSONValue}
	}
	return func(raw []byte) (v T, ok bool) {
		ok = into(reflect.ValueOf(&v).Elem(), raw)
		return v, ok
	}, jsonscan.Options{}
}

// maxJSONValue bounds what is kept, beside the body itself, of a value that is
// decoded by encoding/json.
const maxJSONValue = 1 << 20

func intoInt(v reflect.Value, raw []byte) bool {
	n, ok := jsonscan.Int(raw)
	if ok = ok && !v.OverflowInt(n); ok {
		v.SetInt(n)
	}
	return ok
}

func intoUint(v reflect.Value, raw []byte) bool {
	n, ok := jsonscan.Int(raw)
	if ok = ok && n >= 0 && !v.OverflowUint(uint64(n)); ok {
		v.SetUint(uint64(n))
	}
	return ok
}

func intoFloat(v reflect.Value, raw []byte) bool {
	f, ok := jsonscan.Float(raw)
	if ok = ok && !v.OverflowFloat(f); ok {
		v.SetFloat(f)
	}
	return ok
}

func intoBool(v reflect.Value, raw []byte) bool {
	b, ok := jsonscan.Bool(raw)
	v.SetBool(b)
	return ok
}

func intoString(v reflect.Value, raw []byte) bool {
	s, ok := jsonscan.String(raw)
	v.SetString(s)
	return ok
}

func intoNumber(v reflect.Value, raw []byte) bool {
	s, ok := jsonscan.Number(raw)
	v.SetString(s)
	return ok
}

// lookup is what looking into a body takes.
type lookup struct {
	scanner jsonscan.Scanner
	buf     [4 << 10]byte
}

var lookupPool = sync.Pool{New: func() any { return new(lookup) }}

// find looks for the raw value at p, as far as the body can be read.
func (l *lookup) find(body io.Reader, p jsonscan.Pointer, options jsonscan.Options) ([]byte, jsonscan.Status) {
	l.scanner.Reset(p, options)
	inPlace, _ := body.(jsonscan.Source)
	for most := 512; ; most = len(l.buf) { // the first bytes mostly suffice
		var piece []byte
		var err error
		if inPlace != nil {
			piece, err = inPlace.Next()
		} else {
			var n int
			n, err = body.Read(l.buf[:most])
			piece = l.buf[:n]
		}
		status := l.scanner.Scan(piece)
		if err == io.EOF && status == jsonscan.More {
			status = l.scanner.End()
		}
		if status != jsonscan.More || err != nil {
			return l.scanner.Value(), status
		}
	}
}

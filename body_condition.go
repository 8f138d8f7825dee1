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

// BodyCondition decides by the body of a response: the Verdict Retry means that the body
// reports a failure; anything else leaves the response to the other rules. It is the
// type of Policy.RetryableBody and Policy.RetryableEvent. resp is the response's head;
// its Body must not be touched. body has the body's bytes, unzipped; it must not be used
// after the condition has returned. A condition should stop reading as soon as it can
// decide, since the response is held up until it returns. At MaxPeekBytes or MaxPeekTime
// body returns an error: then return the zero Decision, and the response is the
// caller's. If the body says how long to wait, return that as the Decision's Wait.
// attempt counts from 1.
type BodyCondition func(req *http.Request, resp *http.Response, attempt int, body io.Reader) Decision

// JSONField returns a condition that reports a failure if the JSON body has a
// value at pointer (RFC 6901) for which retry reports true:
//
//	insist.JSONField("/ret_code", func(code int) bool { return code == 5000 || code == 5100 })
//
// If retry is nil, every value but null is a failure: use that, with T any, for an API
// that has the field only in failures (JSON-RPC's "/error", GraphQL's "/errors/0"). The
// condition decides as soon as the value has arrived, whatever follows it. So if a key
// is there twice, the first one counts.
//
// The response is the caller's if its body is not JSON, has no such value, or has null
// there; also if the value is not a T: it has another type, is out of T's range, or is
// longer than 1 MiB. The value is decoded into T as by encoding/json, with T's own
// UnmarshalJSON or UnmarshalText if it has one. But if T is a number or a pointer to one,
// the numeric value counts, not the spelling: 0.0 and "0" are the int 0, since APIs send
// both; 0.5 is not an int. This does not apply to numbers inside a struct, slice or map.
// The Content-Type doesn't matter. A malformed pointer panics.
func JSONField[T any](pointer string, retry func(T) bool) BodyCondition {
	p, err := jsonscan.Parse(pointer)
	if err != nil {
		panic(fmt.Sprintf("insist: JSONField(%q): %v", pointer, err))
	}
	decode, options := jsonscan.DecoderFor[T]()
	failed := func(raw []byte) bool {
		v, ok := decode(raw)
		return ok && retry(v)
	}
	if retry == nil {
		options = jsonscan.Options{} // it is enough that the value is there
	}
	return func(_ *http.Request, _ *http.Response, _ int, body io.Reader) (d Decision) {
		l := lookups.Get().(*jsonscan.Lookup)
		defer lookups.Put(l)
		raw, status := l.Find(body, p, options)
		switch {
		case status == jsonscan.TooLong && retry == nil,
			status == jsonscan.Found && string(raw) != "null" && (retry == nil || failed(raw)):
			d.Verdict = Retry
		}
		return d
	}
}

// JSONFieldNot is shorthand for JSONField with a retry that reports whether the
// value is not ok: JSONFieldNot("/ret_code", 0). If T is any, a number as ok is compared
// as the float64 that encoding/json makes of a number; an ok that no JSON value is equal
// to, such as a map or a time.Time in an any, panics.
func JSONFieldNot[T comparable](pointer string, ok T) BodyCondition {
	if v := reflect.ValueOf(&ok).Elem(); v.Kind() == reflect.Interface && !v.IsNil() {
		var fits bool
		if ok, fits = asDecoded(v.Elem()).(T); !fits {
			panic(fmt.Sprintf("insist: JSONFieldNot(%q): no JSON value is equal to a %v", pointer, v.Elem().Type()))
		}
	}
	if !reflect.ValueOf(&ok).Elem().Comparable() {
		panic(fmt.Sprintf("insist: JSONFieldNot(%q): a value of type %T cannot be compared", pointer, ok))
	}
	return JSONField(pointer, func(v T) bool { return v != ok })
}

// asDecoded returns v as encoding/json decodes a value into an any, or nil if it never
// gives such a value.
func asDecoded(v reflect.Value) any {
	if n, ok := v.Interface().(json.Number); ok {
		f, _ := n.Float64()
		return f
	}
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	case v.CanFloat():
		return v.Float()
	case v.Kind() == reflect.String:
		return v.String()
	case v.Kind() == reflect.Bool:
		return v.Bool()
	}
	return nil
}

// AnyOf returns a condition that reports a failure if one of conditions does. Use it for
// an API that reports failures in several ways. The conditions are asked in order, until
// one says Retry; each sees the body from its start. If none says Retry, the first Wait
// counts. Nil conditions are left out.
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

// rewinder is a body that can be read again from its start.
type rewinder interface {
	io.Reader
	Rewind()
}

// rereader makes a rewinder of any reader. It keeps all bytes in memory: src must be
// bounded, as the body that a condition is given is.
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

var lookups = sync.Pool{New: func() any { return new(jsonscan.Lookup) }}

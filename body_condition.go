package insist

import (
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
// waits for it. Beyond MaxPeekBytes and MaxPeekTime body returns an error: then return
// the zero Decision, and the response is the caller's. A Wait in the Decision is a wait
// that the server asks for in the body. attempt counts from 1.
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
// and so is one whose value is not a T: of another type, out of T's range, or
// longer than 1 MiB. The value is decoded into T as encoding/json does it, with
// T's own UnmarshalJSON or UnmarshalText if it has one. But numbers go by their
// value: 0.0 is the int 0, and so is "0", since APIs send both; 0.5 is not an int.
// That goes for T a number or a pointer to one, not for numbers inside a struct,
// slice or map. The Content-Type doesn't matter. A malformed pointer panics.
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
		options = jsonscan.Options{} // that it is there is enough
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
// value is not ok: JSONFieldNot("/ret_code", 0). An ok that cannot be compared,
// such as a map in an any, panics.
func JSONFieldNot[T comparable](pointer string, ok T) BodyCondition {
	if !reflect.ValueOf(&ok).Elem().Comparable() {
		panic(fmt.Sprintf("insist: JSONFieldNot(%q): a value of type %T cannot be compared", pointer, ok))
	}
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

var lookups = sync.Pool{New: func() any { return new(jsonscan.Lookup) }}

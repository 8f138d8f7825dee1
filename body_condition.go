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

var lookups = sync.Pool{New: func() any { return new(jsonscan.Lookup) }}

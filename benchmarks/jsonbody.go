package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/bytedance/sonic"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed-552c89fc/insist"
	"github.com/tidwall/gjson"
)

// A look reports whether the body's ret_code is there and not 0.
type look func(body []byte) bool

var looks = []struct {
	name string
	look look
}{
	{"encoding/json, map", func(body []byte) bool {
		var v map[string]any
		code, ok := 0.0, json.Unmarshal(body, &v) == nil
		if ok {
			code, ok = v["ret_code"].(float64)
		}
		return ok && code != 0
	}},
	{"encoding/json, struct", func(body []byte) bool {
		var v struct {
			RetCode int `json:"ret_code"`
		}
		return json.Unmarshal(body, &v) == nil && v.RetCode != 0
	}},
	{"gjson", func(body []byte) bool {
		v := gjson.GetBytes(body, "ret_code")
		return v.Exists() && v.Int() != 0
	}},
	{"sonic", func(body []byte) bool {
		v, err := sonic.Get(body, "ret_code")
		if err != nil {
			return false
		}
		code, err := v.Int64()
		return err == nil && code != 0
	}},
}

var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

// jsontextLook reads body only as far as it has to.
func jsontextLook(body io.Reader) bool {
	d := decoders.Get().(*jsontext.Decoder)
	defer decoders.Put(d)
	d.Reset(body)
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return false
	}
	for {
		name, err := d.ReadToken()
		if err != nil || name.Kind() != '"' {
			return false
		}
		if name.String() != "ret_code" {
			if d.SkipValue() != nil {
				return false
			}
			continue
		}
		v, err := d.ReadToken()
		if err != nil || v.Kind() != '0' {
			return false
		}
		code, err := v.Int()
		return err == nil && code != 0
	}
}

// fillers make what is in a body beside the key, of about size bytes.
var fillers = []struct {
	name string
	make func(size int) string
}{
	{"records", func(size int) string {
		var b strings.Builder
		for i := 0; b.Len() < size-130; i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"id": %d, "name": "item \"%d\"", "price": %d.5, "tags": ["a", "b"], "stock": {"here": true, "there": null}}`, i, i, i%97)
		}
		return "[" + b.String() + "]"
	}},
	{"one long string", func(size int) string { return `"` + strings.Repeat("x", size-40) + `"` }},
}

// document is a body with the key first or last.
func document(filler string, last bool) string {
	if last {
		return `{"data": ` + filler + `, "ret_code": 0}`
	}
	return `{"ret_code": 0, "data": ` + filler + `}`
}

func jsonRows(jobs func(doc string) []job, sizes []int, last bool) (rows []row) {
	for _, filler := range fillers {
		for _, size := range sizes {
			doc := document(filler.make(size), last)
			rows = append(rows, row{name: filler.name + ", " + unit(float64(size)), jobs: jobs(doc)})
		}
	}
	return rows
}

// reader is a response's body that can be given again and again. It has no
// method but Read, as a body off the wire.
type reader struct{ from strings.Reader }

func (r *reader) Read(p []byte) (int, error) { return r.from.Read(p) }
func (r *reader) Close() error               { return nil }

// lookJobs decide by a body that is read from a reader, and no more.
func lookJobs(doc string) []job {
	r, condition := new(reader), insist.JSONFieldNot("/ret_code", 0)
	jobs := []job{
		{"insist", func() {
			r.from.Reset(doc)
			mustNot(condition(nil, nil, 1, r).Verdict == insist.Retry)
		}},
		{"jsontext", func() {
			r.from.Reset(doc)
			mustNot(jsontextLook(r))
		}},
	}
	for _, l := range looks {
		jobs = append(jobs, job{l.name, func() {
			r.from.Reset(doc)
			body, err := io.ReadAll(r)
			mustNot(err != nil || l.look(body))
		}})
	}
	return jobs
}

func mustNot(failed bool) {
	if failed {
		panic("it was taken for a failure")
	}
}

// byHand is a RoundTripper as one would write it for a single call: it reads the
// body, looks, and puts it back.
type byHand struct {
	base http.RoundTripper
	look look
}

func (t *byHand) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	mustNot(t.look(body))
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// inMemoryRows are rows of transportLookJobs in which the base has the response's body in
// memory, as caches and recorders have: insist sees that, and needs no bound in time.
func inMemoryRows(last bool) (rows []row) {
	for _, filler := range fillers {
		doc, r := document(filler.make(1<<10), last), new(strings.Reader)
		rows = append(rows, row{name: filler.name + ", 1 KiB, in memory", jobs: lookThrough(doc, io.NopCloser(r), r)})
	}
	return rows
}

// transportLookJobs send a request that is answered by doc, look, and read the
// answer.
func transportLookJobs(doc string) []job {
	r := new(reader)
	return lookThrough(doc, r, &r.from)
}

// lookThrough is transportLookJobs with a body that reads from.
func lookThrough(doc string, body io.ReadCloser, from *strings.Reader) []job {
	good := newAnswer(200)
	good.Header.Set("Content-Type", "application/json")
	good.ContentLength = int64(len(doc))
	base := roundTripper(func(*http.Request) (*http.Response, error) {
		from.Reset(doc)
		good.Body = body
		return good, nil
	})
	policy := insist.Policy{RetryableBody: insist.JSONFieldNot("/ret_code", 0), MaxPeekBytes: 8 << 20, MaxAttempts: 2}
	jobs := []job{
		{"insist", readAnswer(&insist.RetryTransport{Base: base, Policy: policy}, len(doc))},
		{"no look", readAnswer(base, len(doc))},
	}
	for _, l := range looks {
		jobs = append(jobs, job{l.name, readAnswer(&byHand{base, l.look}, len(doc))})
	}
	return jobs
}

// readAnswer sends a GET and reads its response of n bytes.
func readAnswer(rt http.RoundTripper, n int) func() {
	req, buf := newRequest("GET", nil), make([]byte, 32<<10)
	return func() {
		resp, err := rt.RoundTrip(req)
		if err != nil {
			panic(err)
		}
		read := 0
		for err == nil {
			n := 0
			n, err = resp.Body.Read(buf)
			read += n
		}
		resp.Body.Close()
		mustNot(err != io.EOF || read != n)
	}
}

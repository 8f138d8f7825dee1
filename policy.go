package insist

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/seed-552c89fc/insist/internal/origin"
)

// Policy says when another attempt is made, and after which wait. The zero
// value has the defaults of the package documentation; Standard returns the
// rules to choose for production.
//
// A Policy is a plain value: copy it, share it, use it from many goroutines at
// once. Each field's comment says whether it counts for a RetryTransport only, or
// for functions (Do, Run, Func, Attempts), too. No value of any field panics.
type Policy struct {
	// Disabled turns retrying off: a RetryTransport passes each request to its
	// base, Do makes one call and returns its result, and no attempt is put on
	// record. Transport and functions. Zero means that retrying is on.
	Disabled bool

	// Name names the calls in records, logs and metrics: as Attempt.Name, and from
	// there in Record.String, sloginsist and otelinsist. Choose a constant, such as
	// "publish" or "search"; a metric has a series for each name. In a Budget, functions
	// with the same Name share a bucket; a request's bucket is its host's, with or
	// without a Name. Transport and functions.
	// Empty means no name; see Budget for the bucket of a function without one.
	Name string

	// MaxAttempts bounds the attempts of one call, the first one included.
	// A Budget, which Standard has, may end a call before: while nothing succeeds, the
	// first call that fails has all of them, later ones soon have only one. Set Budget to nil
	// where each call is to have all. Transport and functions.
	// Zero means 3; negative means that only the other bounds hold: time, Budget,
	// context.
	MaxAttempts int

	// Backoff gives the wait before the next attempt. A longer wait that the
	// server asks for (Retry-After) wins. Transport and functions.
	// If nil, Constant(2 * time.Second).
	Backoff Backoff

	// MaxRetryAfter bounds the waits that others ask for: the server by
	// Retry-After or retry-after-ms, a Decision by its Wait, an error by its
	// RetryAfter method. A longer wait is not shortened: the call ends, and the caller
	// gets that response or error. Transport and functions.
	// Zero means 30 seconds; negative means that any wait that others ask for ends the
	// call (to retry without that wait instead, see IgnoreRetryAfter).
	MaxRetryAfter time.Duration

	// RetryAfterJitter adds a random time, from zero up to this, to each wait that a
	// server asks for, so that clients that were asked for the same wait do not come
	// back in the same millisecond. A wait is never shorter than asked for. Set it, to
	// a second or so, if many clients call one server. Transport and functions.
	// Zero or negative means that nothing is added.
	RetryAfterJitter time.Duration

	// IgnoreRetryAfter ignores the waits that the server asks for by Retry-After and the
	// like, or an error by its RetryAfter method: Backoff alone decides. Use it only for
	// a server that asks for absurd waits; other servers may ban a client that comes
	// back too early. A Decision's Wait still counts. Transport and functions.
	// Zero means that the wait is as asked for, up to MaxRetryAfter.
	IgnoreRetryAfter bool

	// MaxElapsed bounds a call in time: no attempt begins later than this after the call
	// began, and no wait is begun that would end later. An attempt in flight is not
	// ended. Use it if a request is valid for a limited time (a signature), or if an SDK
	// passes no context. Transport and functions.
	// Zero or negative means no bound.
	MaxElapsed time.Duration

	// PerAttemptTimeout bounds each attempt until its response is accepted. That
	// includes the look of RetryableBody, so it should be longer than MaxPeekTime. It
	// does not bound how long the caller reads the response. An attempt that takes
	// longer fails with an error whose Timeout method reports true and that matches
	// context.DeadlineExceeded; the rules for errors decide whether it is retried. On
	// HTTP/2, no later request is sent on its connection, but requests in flight on it
	// continue; see Attempt.ConnRetired. A function gets a context that ends after this
	// time or when the function returns; but if it returns an *http.Response in time,
	// that can be read to its end, and its context has no deadline of its own.
	// Transport and functions.
	// Zero or negative means no bound.
	PerAttemptTimeout time.Duration

	// BodyIdleTimeout bounds how long a Read of a response body may wait for data. Use
	// it for downloads on connections that may die, which TCP reports after minutes or
	// never; 30 seconds is a common value. It does not bound the body as a whole, and
	// the time between the caller's Reads does not count. When it is over, Read fails
	// with an error whose Timeout method reports true and that matches
	// context.DeadlineExceeded. With ResumeDownloads, the download is then resumed. If
	// it is over while MaxWholeBytes or RetryableBody reads, the body counts as
	// truncated. Streams that are often silent (server-sent events, watches, long polls)
	// need a longer value, or none: set it for these requests by EditPolicy. Responses
	// with status 101 and to CONNECT are not bounded. The attempt's context ends the
	// Read, so a base whose bodies ignore their request's context is not bounded either.
	// It costs each attempt a copy of the request and a context. Transport only.
	// Zero or negative means no bound.
	BodyIdleTimeout time.Duration

	// Classify is asked about each attempt before the other rules, and may decide in
	// their place; see Decision. resp is the response's head: its Body must not be read
	// or closed (use RetryableBody to decide by the body). Exactly one of resp and err
	// is set. attempt counts from 1. If it returns Retry, NonIdempotent does not apply;
	// the other bounds do. Transport only. If nil, the other rules decide.
	Classify func(req *http.Request, resp *http.Response, err error, attempt int) Decision

	// RetryableStatus reports whether a response with this status code is a
	// failure. It is not asked about 1xx. Transport only.
	// If nil, StatusAbove(400).
	RetryableStatus func(code int) bool

	// RetryableError reports whether another attempt is made after err.
	// Transport and functions. If nil, a RetryTransport retries all errors but
	// those that the next attempt would meet again (bad certificates, unknown
	// hosts, malformed requests), and Do retries every error or, if it is given a
	// retryIf, none.
	RetryableError func(err error) bool

	// RetryableBody looks into the body of a response that no other rule counts as
	// a failure, for APIs that answer 200 {"ret_code": 5000}. JSONField and
	// JSONFieldNot return such conditions. If RetryableStatus counts the response as a
	// failure, it is asked as well, but only its Wait counts. The body is read only as
	// far as the condition reads it, at most to MaxPeekBytes and MaxPeekTime, and the
	// caller still gets every byte. It is asked about an empty body, too. It is not
	// asked about responses to HEAD and CONNECT, 1xx, 204 and 304, encodings other than
	// gzip alone, streams (text/event-stream, multipart, gRPC, NDJSON), and responses
	// that come while a request body that is not in memory is still being sent. If it
	// panics, or the body does, so does RoundTrip. Transport only.
	// If nil, bodies are not looked into.
	RetryableBody BodyCondition

	// NonIdempotent says when a request that is not idempotent, and that the
	// server may have acted on, is retried. Transport only.
	// Zero means ResendUnlessLost.
	NonIdempotent Resend

	// Idempotent reports whether req may be carried out twice without harm. Set it if
	// the method does not say so: an API that creates with GET, a search by POST. It
	// replaces the default rule; call IsIdempotent to keep that for other requests:
	//
	//	func(r *http.Request) bool { return r.URL.Path == "/search" || insist.IsIdempotent(r) }
	//
	// If it reports false for a GET, net/http does not repeat the request either. (By
	// default it does so when a kept connection is closed before the response.) To
	// prevent that, the request has an empty body, which over HTTP/2 the server sees.
	// Transport only. If nil, IsIdempotent.
	Idempotent func(req *http.Request) bool

	// Budget bounds the retries of all calls that share it, so that there are none
	// while a service is down; see Budget. It is asked last, if all other bounds allow
	// the retry. Transport and functions: a RetryTransport draws on the bucket of the
	// request's host, a function on its own, see Name.
	// If nil, there is no such bound.
	Budget *Budget

	// MaxReplayBytes bounds how much of a request body is buffered, in bytes. Only a
	// body that can be read once is buffered: the request has no GetBody, and the body
	// is none of bytes.Reader, bytes.Buffer and strings.Reader, and does not seek as a
	// file does. A longer body is sent all the same, but once more than this has been
	// read of it, the request is not retried. Transport only. Zero means 16 MiB; negative
	// means that nothing is buffered, so that such a request is retried only if its body
	// was not read.
	MaxReplayBytes int64

	// RetryableEvent is a condition on the data of the first event of a response of type
	// text/event-stream that no other rule counts as a failure, for services that
	// answer 200 and then say in the first event that they are overloaded, as language
	// models do. It is given the event's data as the body: JSONField and AnyOf can be
	// used here, too. Comments, and events without data, before that event are skipped.
	// The stream is read up to the end of that event, or to MaxPeekBytes or MaxPeekTime;
	// the caller still gets every byte. Transport only.
	// If nil, event streams are not looked into.
	RetryableEvent BodyCondition

	// MaxPeekBytes bounds how much of a body RetryableBody and RetryableEvent see, in
	// bytes. If that is not enough to decide, the response is the caller's. These bytes
	// stay in memory until the caller has read them. Transport only.
	// Zero means 64 KiB; negative means that no body is looked into.
	MaxPeekBytes int64

	// MaxPeekTime bounds how long RetryableBody, RetryableEvent and, if the head does
	// not say the length, MaxWholeBytes may wait for a body. Then the response is the
	// caller's. If the status already counts as a failure, the bound is at most half a
	// second. Transport only.
	// Zero means 1 second; negative means that only what has arrived is seen.
	MaxPeekTime time.Duration

	// MaxWholeBytes is the length, in bytes, up to which responses are read before they
	// are handed over. A truncated one then counts as a failure: the rules for a lost
	// response decide whether the request is retried. If it is not, the caller gets the
	// response with the partial body. Use it for the small responses of an API. Streams
	// (see RetryableBody) and longer responses are handed over as soon as they are known
	// to be such. If its head does not say its length, a response is held up for
	// MaxPeekTime at most. Transport only. Zero or negative means that none is read.
	MaxWholeBytes int64

	// ResumeDownloads resumes the body of a response to a GET where it was
	// truncated, by Range and If-Range (RFC 9110, section 13.1.5). Use it for large
	// downloads. The response must have a strong ETag, or else a Last-Modified at
	// least one second older than its Date (see also ResumeValidator). It must not be
	// compressed, even if the base decompresses it: set Accept-Encoding in the request,
	// since net/http otherwise requests gzip by itself. It must announce no trailers, and
	// must not refuse ranges (Accept-Ranges: none). If the caller requested a range, the
	// download is resumed within it. If a server ignores Range, but sends the same
	// version, the bytes that the caller has are read again and discarded; in each
	// download, at most as many as it is long.
	//
	// The requests are made in the body's Read, under this policy. MaxAttempts, Backoff
	// and the Budget count anew after each progress (16 KiB, or a sixteenth of what was
	// left); MaxElapsed counts from the beginning of the call. If no attempt brings the
	// rest of the same version, Read returns the error with which the body was
	// truncated, and the record says why: see ReasonNotResumable. Transport only.
	// Zero means that a truncated body is the caller's to handle.
	ResumeDownloads bool

	// Cooldown has all calls that share it wait until a pause ends that the service has
	// asked one of them for; see Cooldown. Transport, and functions that have a Name.
	// If nil, each call waits only for what it was asked for itself.
	Cooldown *Cooldown

	// Hedge begins another attempt beside one whose response is slow; see Hedge.
	// Transport only. If nil, there is one attempt at a time.
	Hedge *Hedge

	// IdempotencyKey returns a value for the Idempotency-Key header (IETF draft
	// "The Idempotency-Key HTTP Header Field"; Stripe, Adyen, OpenAI and others) of a
	// request that is not idempotent and has none. It is called once for each call, so
	// that all its attempts have the same key. With a key, the request counts as
	// idempotent. An empty value means no key. The caller's request is not changed.
	// crypto/rand.Text returns a good value; put it in quotes if the server follows the
	// draft to the letter. Use this only if the server honors the header: a server that
	// ignores it may carry the request out twice.
	// Transport only. If nil, no key is added.
	IdempotencyKey func(req *http.Request) string

	// ResumeValidator returns the version of a representation, from the header of a
	// response. It is for servers whose ETag is weak, or differs from node to node, but
	// that send a checksum or a version number of the complete representation:
	//
	//	ResumeValidator: func(h http.Header) string { return h.Get("Docker-Content-Digest") }
	//
	// A download is then resumed without If-Range, by responses for which it returns the
	// same version. It must not change h. Transport only.
	// If nil, or if it returns "", the ETag or Last-Modified counts.
	ResumeValidator func(h http.Header) string

	// Prepare changes the request of each attempt but the first before it is sent: to
	// sign it anew, to refresh a token after a 401, to use a server's nonce, to try
	// another host. req is a new copy, made from the caller's headers and URL; its body
	// must not be touched. last is the head of the last attempt's response, whose body
	// has been discarded. It is nil if there was no response, and when a download is
	// resumed whose response the caller has. err is the last attempt's error; it is nil
	// if a complete response came. If Prepare changes the host, the record, the Budget
	// and relative redirects use the new one. An error ends the call with an *Error. So
	// does the end of MaxElapsed or of the context while Prepare runs.
	// Transport only. If nil, the request is sent as it is.
	Prepare func(req *http.Request, last *http.Response, err error) error

	// OnAttempt is called with each attempt, after the rules have decided and before the
	// wait, on the caller's goroutine. If the wait is cut short, the next attempt can't
	// begin, or the body is truncated (with ResumeDownloads), it is called once more for
	// the same attempt, with Amended set.
	// Transport and functions.
	// If nil, nothing is reported.
	OnAttempt func(ctx context.Context, a Attempt)
}

// Standard returns the policy to start from in production, the rules on which
// the large cloud SDKs agree: 3 attempts; statuses 408, 425, 429, 500, 502, 503, 504,
// 520 to 524 and 529, and 413 with Retry-After; waits by Exponential(200 ms, 10 s),
// with full jitter; a request that is not idempotent is retried only if nothing of it
// was sent, or if the server says that it did nothing (ResendOnlyUnsent); and a Budget.
//
// Each call of Standard makes a new Budget, which all copies of the returned value
// share: call Standard once, and copy the result. If EditPolicy sets the policy of one
// request to Standard(), that request uses the transport's own Budget, or none if the
// transport has none.
func Standard() Policy {
	return Policy{
		Backoff:         Exponential(200*time.Millisecond, 10*time.Second),
		RetryableStatus: standardStatus,
		NonIdempotent:   ResendOnlyUnsent,
		Budget:          &Budget{standard: true},
	}
}

func standardStatus(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		520, 521, 522, 523, 524, // Cloudflare: the origin failed
		529: // Anthropic and others: overloaded
		return true
	}
	return false
}

// isStandardTooLarge reports whether resp is a 413 with Retry-After, which is temporary
// (RFC 9110, section 15.5.14), and the policy has Standard's rule for statuses, which
// counts it as a failure.
func (p *Policy) isStandardTooLarge(resp *http.Response) bool {
	return resp.StatusCode == http.StatusRequestEntityTooLarge && len(resp.Header["Retry-After"]) > 0 &&
		reflect.ValueOf(p.RetryableStatus).Pointer() == reflect.ValueOf(standardStatus).Pointer()
}

// StatusAbove returns a RetryableStatus rule that reports whether a status code
// is greater than code. StatusAbove(400) is the default; with StatusAbove(499) only
// server errors (5xx) are retried.
func StatusAbove(code int) func(int) bool {
	return func(c int) bool { return c > code }
}

// The defaults of Policy, resolved here and nowhere else.
const (
	defaultMaxAttempts    = 3
	defaultInterval       = 2 * time.Second
	defaultStatusAbove    = 400
	defaultMaxRetryAfter  = 30 * time.Second
	defaultMaxReplayBytes = 16 << 20
	defaultMaxPeekBytes   = 64 << 10
	defaultMaxPeekTime    = time.Second
)

func (p *Policy) maxAttempts() int {
	switch {
	case p.MaxAttempts == 0:
		return defaultMaxAttempts
	case p.MaxAttempts < 0:
		return math.MaxInt
	}
	return p.MaxAttempts
}

// mostRetries is how many retries a call may make; negative means no bound.
func (p *Policy) mostRetries() int {
	if p.MaxAttempts < 0 {
		return -1
	}
	return p.maxAttempts() - 1
}

func (p *Policy) backoff(failed int) time.Duration {
	if p.Backoff == nil {
		return defaultInterval
	}
	return max(0, p.Backoff(failed))
}

func (p *Policy) maxRetryAfter() time.Duration {
	if p.MaxRetryAfter == 0 {
		return defaultMaxRetryAfter
	}
	return max(0, p.MaxRetryAfter)
}

func (p *Policy) maxReplayBytes() int64 {
	if p.MaxReplayBytes == 0 {
		return defaultMaxReplayBytes
	}
	return max(0, p.MaxReplayBytes)
}

func (p *Policy) maxPeekBytes() int64 {
	if p.MaxPeekBytes == 0 {
		return defaultMaxPeekBytes
	}
	return p.MaxPeekBytes
}

func (p *Policy) maxPeekTime() time.Duration {
	if p.MaxPeekTime == 0 {
		return defaultMaxPeekTime
	}
	return max(0, p.MaxPeekTime)
}

func (p *Policy) retryableStatus(code int) bool {
	if p.RetryableStatus == nil {
		return code > defaultStatusAbove
	}
	return p.RetryableStatus(code)
}

// hostKey returns the key of u's host. Without a Budget it is the zero key.
func (p *Policy) hostKey(u *url.URL) bucketKey {
	if p.Budget == nil {
		return bucketKey{}
	}
	return bucketKey{text: origin.Host(u)}
}

// functionKey returns the key of a function. code is the result of funcid.Of for it.
func (p *Policy) functionKey(code uintptr) bucketKey {
	if p.Name != "" {
		return bucketKey{p.Name, namedFunction}
	}
	return bucketKey{code: code}
}

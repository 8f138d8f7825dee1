package insist

import (
	"context"
	"math"
	"net/http"
	"reflect"
	"time"
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
	// "publish" or "search"; a metric has a series for each name. In a Budget, the
	// calls of functions with the same Name have a bucket of their own; a request's
	// bucket is its host's, with or without a Name. Transport and functions.
	// Empty means no name; see Budget for how it tells such functions apart.
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
	// RetryAfter method. A longer one is not shortened: it ends retrying, and
	// the caller gets that response or error. Transport and functions.
	// Zero means 30 seconds; negative means that none is waited for: whatever asks for
	// a wait ends the call (IgnoreRetryAfter has it retried instead).
	MaxRetryAfter time.Duration

	// RetryAfterJitter adds a random time, from zero up to this, to each wait that a
	// server asks for, so that many clients that were told the same do not come back
	// in the same millisecond. A wait is never shorter than asked. Set it, to a second
	// or so, where a fleet calls one server. Transport and functions.
	// Zero or negative means that the wait is as asked.
	RetryAfterJitter time.Duration

	// IgnoreRetryAfter has Backoff alone decide on waits, whatever the server asks for
	// by Retry-After and the like, or an error by its RetryAfter method. Use it for a
	// server that asks for absurd waits; others will count the earlier attempts
	// against you. A Decision's Wait still counts. Transport and functions.
	// Zero means that what is asked for is waited for, up to MaxRetryAfter.
	IgnoreRetryAfter bool

	// MaxElapsed bounds a call in time: no attempt begins later than this after
	// the first one did, and no wait is begun that would end later. An attempt in
	// flight is not cut. Use it where a request is good for a limited time (a
	// signature), or where an SDK passes no context. Transport and functions.
	// Zero or negative means no bound.
	MaxElapsed time.Duration

	// PerAttemptTimeout bounds each attempt up to the decision to keep its
	// response, the look of RetryableBody included, so that it should be longer
	// than MaxPeekTime; the caller's reading of that response is not cut. An
	// attempt that takes longer fails with an error whose Timeout method reports
	// true and that matches context.DeadlineExceeded; it is judged as any error
	// is. On HTTP/2 no later request is sent on its connection, on which requests in
	// flight go on; see Attempt.ConnRetired. A function gets a context that ends after
	// this time or when the function returns; but if it returns an *http.Response in
	// time, that can be read to its end, and that context has no deadline of its own.
	// Transport and functions.
	// Zero or negative means no bound.
	PerAttemptTimeout time.Duration

	// BodyIdleTimeout bounds how long a response body may bring nothing while it is
	// being read, as a dead connection does, which TCP reports after minutes or never.
	// Use it for downloads; 30 seconds is a common value. It is no bound on the whole
	// body, and time between the caller's Reads does not count. Then Read fails with an
	// error whose Timeout method reports true and that matches
	// context.DeadlineExceeded; with ResumeDownloads the download is resumed; with
	// MaxWholeBytes, or while RetryableBody looks, the body is truncated, and the rules
	// for that apply. Streams that are quiet by nature (server-sent events, watches,
	// long polls) need a longer value, or none: set it by request, by EditPolicy. A 101
	// is not bounded, nor is CONNECT. Read is ended by the attempt's context, so that a
	// base whose bodies ignore their request's context is not bounded either. It costs
	// each attempt a copy of the request and a context. Transport only.
	// Zero or negative means no bound.
	BodyIdleTimeout time.Duration

	// Classify sees each attempt before the other rules do and may decide on
	// its own; see Decision. resp is the response's head: its Body is not to
	// be read or closed (use RetryableBody to decide by the body). Exactly one
	// of resp and err is set. attempt counts from 1. A Retry from here passes
	// the NonIdempotent gate; the bounds on attempts and time still hold.
	// Transport only. If nil, the other rules decide.
	Classify func(req *http.Request, resp *http.Response, err error, attempt int) Decision

	// RetryableStatus reports whether a response with this status code is a
	// failure. It is not asked about 1xx. Transport only.
	// If nil, StatusAbove(400).
	RetryableStatus func(code int) bool

	// RetryableError reports whether another attempt is made after err.
	// Transport and functions. If nil, a RetryTransport retries all errors but
	// those that the next attempt would meet again (bad certificates, unknown
	// hosts, malformed requests), and Do retries every error, or none where it
	// was given a condition on the result.
	RetryableError func(err error) bool

	// RetryableBody looks into the body of a response that no other rule counts as
	// a failure, for APIs that answer 200 {"ret_code": 5000}. JSONField and
	// JSONFieldNot make such conditions. If RetryableStatus has found a failure, it
	// is asked as well, but only for the Wait. It looks only as far as
	// it has to, at most MaxPeekBytes and MaxPeekTime, and the caller gets the
	// body whole. It is asked about an empty body, too. Not looked into are responses
	// to HEAD and CONNECT, 1xx, 204 and 304, encodings other than gzip alone, streams
	// (text/event-stream, multipart, gRPC, NDJSON), and responses that come while a
	// request body that is not in memory is still being sent. If it panics, or the
	// body does, so does RoundTrip. Transport only.
	// If nil, bodies are not looked into.
	RetryableBody BodyCondition

	// NonIdempotent says when a request that is not idempotent, and that the
	// server may have acted on, is retried. Transport only.
	// Zero means ResendUnlessLost.
	NonIdempotent Resend

	// Idempotent reports whether repeating req does no harm. Set it where the
	// method does not tell: an API that creates with GET, a search by POST. It
	// replaces the default rule; call IsIdempotent to keep that for the rest:
	//
	//	func(r *http.Request) bool { return r.URL.Path == "/search" || insist.IsIdempotent(r) }
	//
	// A GET for which it reports false is not repeated by net/http either, which
	// would do so when a kept connection is closed before the response; over HTTP/2
	// it has an empty body for that.
	// Transport only. If nil, IsIdempotent.
	Idempotent func(req *http.Request) bool

	// Budget bounds the retries of all calls that share it, so that they end
	// where a service is down; see Budget. It is asked last, when a retry would
	// be made. Transport and functions: a RetryTransport draws on the bucket of
	// the request's host, a function on its own, see Name.
	// If nil, there is no such bound.
	Budget *Budget

	// MaxReplayBytes bounds what is kept in memory, in bytes, of a request body
	// that can be read only once: it has no GetBody, is none of bytes.Reader,
	// bytes.Buffer and strings.Reader, and does not seek as a file does. A longer
	// body is sent all the same, but only once. Transport only. Zero means 16 MiB;
	// negative means that nothing is kept, so that such a request is retried only if
	// its body had not been read.
	MaxReplayBytes int64

	// RetryableEvent is a condition on the data of the first event of a response of type
	// text/event-stream that no other rule counts as a failure, for services that
	// answer 200 and then say in the first event that they are overloaded, as language
	// models do. It is given the event's data as the body: JSONField and AnyOf serve
	// here, too. Comments and events without data before it are passed over. The look
	// ends with the first event, or at MaxPeekBytes or MaxPeekTime; the caller gets the
	// stream byte for byte. Transport only.
	// If nil, event streams are not looked into.
	RetryableEvent BodyCondition

	// MaxPeekBytes bounds what RetryableBody sees of a body, in bytes; if that
	// does not tell, the response is the caller's. As much is held in memory
	// until the caller has read it. Transport only.
	// Zero means 64 KiB; negative means that no body is looked into.
	MaxPeekBytes int64

	// MaxPeekTime bounds for how long RetryableBody holds up a response whose
	// body does not arrive; then the response is the caller's. Where the status
	// is a failure already, half a second is the most. Transport only.
	// Zero means 1 second; negative means that only what has arrived is seen.
	MaxPeekTime time.Duration

	// MaxWholeBytes has responses that are no longer than this, in bytes, read
	// before they are handed over. A truncated one is then a failure: the request is
	// retried by the rules for a lost response, and if it is not, the caller gets
	// the response with the partial body. Use it for the small responses of an API.
	// Streams (see RetryableBody) and longer responses are handed over as soon as
	// they are known to be that; a response
	// whose head does not say its length is held up for MaxPeekTime at most.
	// Transport only. Zero or negative means that none is read.
	MaxWholeBytes int64

	// ResumeDownloads resumes the body of a response to a GET where it was
	// truncated, by Range and If-Range (RFC 9110, section 13.1.5). Use it for large
	// downloads. The response must have a strong ETag, or else a Last-Modified at
	// least one second older than its Date (see also ResumeValidator). It must not be
	// compressed, nor unpacked by the base: net/http asks for gzip by itself, unless
	// the request has an Accept-Encoding. It must announce no trailers, and must not
	// refuse ranges (Accept-Ranges: none). A range that the caller asked for is resumed
	// within that range. If a server ignores Range, but sends the same version, the
	// bytes that are known are read and thrown away, of each download no more than it
	// is long.
	//
	// The requests are made in the body's Read, by this policy. MaxAttempts, Backoff
	// and the Budget count from the last progress on (16 KiB, or a sixteenth of what
	// was left, have come since they began to count), MaxElapsed from the call's first
	// attempt. If no attempt brings the rest of the same version, Read returns the
	// error that it would have without this, and the record says why: see
	// ReasonNotResumable. Transport only.
	// Zero means that a truncated body is the caller's to handle.
	ResumeDownloads bool

	// Cooldown has calls that share it wait for the end of a pause that the service has
	// asked any of them for; see Cooldown. Transport, and functions that have a Name.
	// If nil, each call knows only what it was told itself.
	Cooldown *Cooldown

	// Hedge begins another attempt beside one whose response is slow; see Hedge.
	// Transport only. If nil, there is one attempt at a time.
	Hedge *Hedge

	// IdempotencyKey returns a value for the Idempotency-Key header (IETF draft
	// "The Idempotency-Key HTTP Header Field"; Stripe, Adyen, OpenAI and others) of a
	// request that is not idempotent and has none. It is called once for each call, so
	// that all its attempts have the same key; they count as idempotent then. An empty
	// value means no key. The caller's request is not changed. crypto/rand.Text makes a
	// good value, in quotes where the server follows the draft to the letter. Use it
	// only where the server honors the header: others carry the request out twice.
	// Transport only. If nil, no key is added.
	IdempotencyKey func(req *http.Request) string

	// ResumeValidator names the version of a representation by the header of a
	// response, for servers whose ETag is weak, or differs from node to node, but that
	// send a checksum or a version number of the whole:
	//
	//	ResumeValidator: func(h http.Header) string { return h.Get("Docker-Content-Digest") }
	//
	// A download is then resumed without If-Range, from responses for which it returns
	// the same. It must not change h. Transport only.
	// If nil, or if it returns "", the ETag or Last-Modified counts.
	ResumeValidator func(h http.Header) string

	// Prepare changes each request from the second attempt on before it is sent: to
	// sign it anew, to refresh a token after a 401, to answer a nonce, to try another
	// host. req is a copy of its own, made from the caller's headers and URL; its body
	// is not to be touched. last is the head of the last attempt's response, whose
	// body has been discarded; it is nil if none came, or if the caller has it, whose
	// Read resumes a download. err is the last attempt's error; it is nil if a complete
	// response came. If Prepare changes the host, the record, the Budget and relative
	// redirects follow. An error ends the call with an *Error; so does the end of
	// MaxElapsed or of the context before it has returned.
	// Transport only. If nil, the request is sent as it is.
	Prepare func(req *http.Request, last *http.Response, err error) error

	// OnAttempt is given each attempt, after it was judged and before the wait. It is
	// called on the caller's goroutine. An attempt whose wait is cut short, or whose
	// body is truncated (with ResumeDownloads), is reported once more, with Amended set.
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
// The Budget is new with each call of Standard, and shared by all that is given
// the same returned value: call Standard once, and copy that. Where EditPolicy
// sets one request's policy to Standard(), the transport's own budget stays in
// use, or none if it has none.
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

// isStandardTooLarge reports that Standard's rule counts resp as a failure for its
// Retry-After: a 413 with one is temporary (RFC 9110, section 15.5.14).
func (p *Policy) isStandardTooLarge(resp *http.Response) bool {
	return resp.StatusCode == http.StatusRequestEntityTooLarge && len(resp.Header["Retry-After"]) > 0 &&
		reflect.ValueOf(p.RetryableStatus).Pointer() == reflect.ValueOf(standardStatus).Pointer()
}

// StatusAbove returns a RetryableStatus rule that reports whether a status code
// is greater than code. StatusAbove(400) is the default; StatusAbove(499) keeps
// to server errors.
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

// Package insist retries HTTP requests safely: only requests that may be repeated, each
// with its whole body, after the wait that the server asks for, and not while the
// service is down. [RetryTransport] is an [http.RoundTripper] for any [http.Client],
// also for the one inside an SDK:
//
//	client := &http.Client{
//		Transport: &insist.RetryTransport{Policy: insist.Standard()},
//	}
//
// For an API that answers 200 {"ret_code": 5000} when it failed:
//
//	policy := insist.Standard()
//	policy.RetryableBody = insist.JSONField("/ret_code", func(code int) bool {
//		return code == 5000 || code == 5100
//	})
//
// For what is not HTTP, by the same [Policy]; [Run], [Func] and [Attempts] are its
// other forms:
//
//	n, err := insist.Do(ctx, policy, func(ctx context.Context) (int, error) {
//		return shop.Count(ctx, "apple")
//	})
//
// The caller gets the last response, whatever its status, with all of its body, or the
// last error as the base returned it. Start from [Standard], the policy for
// production. The directory docs has short pages, with recipes.
//
// # When another attempt is made
//
// This section says why a request was retried, or why not. The first of these rules that
// applies to an attempt decides:
//
//	Attempt ended in        Rule                                 Decides on
//	an error                the request's own body failed        no retry
//	an error                the context has ended                no retry
//	a response or an error  Classify says Retry or Stop (it is   what it says
//	                        not asked when the context has ended)
//	a response              its status is 101                    no retry
//	a response              x-should-retry: true or false, as    what it says
//	                        OpenAI and Anthropic send it
//	a response              417, and the request has Expect      a retry without
//	                                                             Expect, at once
//	a response              RetryableStatus reports true         a retry
//	a response              RetryableBody says Retry             a retry
//	an event stream         RetryableEvent says Retry            a retry
//	an error                it was marked by Permanent           no retry
//	an error                RetryableError reports true          a retry
//
// A retry is made only within these bounds. The first that does not hold, in this
// order, ends the call:
//
//	Bound                                                        Reason
//	the context has not ended                                    ReasonContext
//	the request body can be resent in full                       ReasonBody
//	the request is idempotent, or NonIdempotent allows another   ReasonMaybeDone
//	attempt (not asked after a Retry from Classify)
//	fewer than MaxAttempts have been made                        ReasonAttempts
//	the wait that is asked for, or the pause of a Cooldown, is   ReasonWait
//	no longer than MaxRetryAfter
//	the wait ends before the context's deadline, and within      ReasonWait
//	MaxElapsed
//	the Budget has a retry left                                  ReasonBudget
//
// A nil RetryableError retries all errors but these, which the next attempt would meet
// again: a bad certificate, a TLS alert other than those about a damaged record or an
// internal error, no TLS at the other end, a host name that is known not to exist, a
// request that net/http refuses to send, a proxy's 401, 403, 405 or 407 to CONNECT, a
// token that golang.org/x/oauth2 was refused for good (invalid_grant and the others of
// RFC 6749, section 5.2), and an [Error] of a RetryTransport further below.
//
// A request that is not idempotent (see [IsIdempotent]) is not retried by default when
// its response was lost. It is retried when it is proven that the server can't have
// acted on it: there was no connection, nothing of the request was written to it, or
// HTTP/2 says so (REFUSED_STREAM, GOAWAY). With ResendUnlessLost it is also retried after
// any response that counts as a failure. With ResendOnlyUnsent, which Standard has, it
// is retried only after a response by which the server says that it did nothing: 408,
// 417, 425, 429, 521, 523, 529, and 413 or 503 with Retry-After. So with Standard a POST
// is not retried for what the body of a 200 says. To have it retried, set Idempotent if
// it changes nothing, ResendUnlessLost if the response means that nothing was done, or
// IdempotencyKey if the server honors it.
//
// # Defaults
//
// This is what the zero Policy does, and what that costs.
//
//	Field             Zero means          What it costs
//	Disabled          retrying is on      -
//	Name              calls have no name  -
//	MaxAttempts       3, the first one    a server that is down gets three times
//	                  included            the requests
//	Backoff           Constant(2s)        4 s in all; clients that failed
//	                                      together come back together
//	MaxRetryAfter     30 s                up to 30 s before each further
//	                                      attempt, if the server asks for it
//	RetryAfterJitter  none                clients that were asked for the same
//	                                      wait come back in the same instant
//	IgnoreRetryAfter  servers are obeyed  -
//	MaxElapsed        no bound            a call may take all its attempts and
//	                                      waits
//	PerAttemptTimeout no bound            an attempt may take as long as the
//	                                      base lets it
//	BodyIdleTimeout   no bound            a Read of a body that brings nothing
//	                                      waits until the context ends
//	Classify          no rule             -
//	RetryableStatus   StatusAbove(400)    a 404 that is an ordinary response is
//	                                      requested three times, in 4 s; so are
//	                                      401, 403, 409 and 422, which seldom
//	                                      change
//	RetryableError    all but those that  -
//	                  the next attempt
//	                  would meet again
//	RetryableBody     bodies are not      -
//	                  looked into
//	RetryableEvent    event streams are   -
//	                  not looked into
//	NonIdempotent     ResendUnlessLost    a POST is retried after an error status:
//	                                      what it had done before it failed may
//	                                      be done twice
//	Idempotent        IsIdempotent        a GET with an effect may have it twice
//	IdempotencyKey    no key is added     -
//	Budget            none                three times the requests for as long
//	                                      as a service is down, which may keep
//	                                      it down
//	Cooldown          none                each call runs into a limit by itself
//	Hedge             none                a call waits for a slow response
//	MaxReplayBytes    16 MiB              up to that much memory for a call in
//	                                      flight whose body can be read only
//	                                      once
//	MaxPeekBytes      64 KiB              up to that much memory until the
//	                                      caller has read the body
//	MaxPeekTime       1 s                 a response whose body arrives slowly is
//	                                      held up for that long
//	MaxWholeBytes     no response is read a truncated body is the caller's to
//	                  beforehand          handle
//	ResumeDownloads   off                 the same
//	ResumeValidator   ETag, Last-Modified -
//	Prepare           nothing to prepare  -
//	OnAttempt         nothing is reported -
//
// Standard sets four fields: RetryableStatus to 408, 425, 429, 500, 502, 503, 504, 520
// to 524 and 529 (and 413 with Retry-After); Backoff to Exponential(200 ms, 10 s), which
// has full jitter; NonIdempotent to ResendOnlyUnsent; and a Budget, shared by the copies
// of the returned value.
//
// # One request, some requests
//
// This is for requests that need another policy than the rest, also inside an SDK.
// RetryTransport.PolicyFor chooses by the request; [EditPolicy] changes the policy for
// the requests of a context. Policy.Prepare changes the request of each attempt but the
// first: to sign it anew, to refresh a token, to try another host.
//
// # Conditions on the body
//
// RetryableBody is for APIs that answer 200 and say in the body that they failed. It
// looks into the body of a response that no other rule counts as a failure, whatever
// its Content-Type. If the status already counts as a failure, it looks, too, but only
// its Wait counts.
// [JSONField] and [JSONFieldNot] decide by a value in JSON, [AnyOf] combines conditions;
// a [BodyCondition] of another kind reads the body as it likes, and may set the wait.
// The examples have one for each usual shape of an error, and say when retrying is
// wrong.
//
// The condition decides as soon as it can. Then the next attempt begins, or the
// response is the caller's, with every byte, and every error, where it would be without
// insist. The response is also the caller's if what arrives within MaxPeekBytes and
// MaxPeekTime is not enough to decide, if the body is truncated before that, and if the
// attempts are used up.
//
// A condition is asked about an empty body, too. Not looked into are responses that
// have no body (to HEAD and CONNECT, 1xx, 204, 304); streams, by their type (event
// streams, NDJSON, multipart, gRPC, Connect, audio, video, images); encodings other
// than gzip alone; and a response that comes while a request body that is not in memory
// is still being sent. A stream may have the type of a document, as a watch of
// Kubernetes has. With JSONField it is handed over after the first JSON value, with any
// other condition after MaxPeekTime at the latest.
//
// RetryableEvent is for event streams that may begin with an error, as those of language
// models do. It looks at the data of the first event and at nothing behind it.
//
// # Truncated responses and downloads
//
// This is for connections that die when the head of a response has come and its body
// has not. Without these fields a truncated body is the caller's to handle.
//
// With MaxWholeBytes, a response of up to that size is read before it is handed over. If
// it is truncated, that is an error: the rules for errors and the bounds above decide,
// so a POST is not retried. If there is no other attempt, the caller gets the response,
// with its partial body and then the error. Longer responses and streams are not read.
// If the head does not say the length, the body is read for MaxPeekTime at most.
//
// With ResumeDownloads, the body of a GET is resumed where it was truncated. The rest
// is requested by Range and If-Range, in the body's Read, after the policy's wait. What
// follows depends on the response:
//
//   - A 206 with the same validator and the right Content-Range continues the body.
//   - A 200 with the same validator, from a server that ignores Range, continues it,
//     too: the bytes that the caller has are read again and discarded. That is done
//     for at most as many bytes as the download is long, so that it costs at most
//     twice its bytes.
//   - A 416 that says that all bytes have come ends a download whose length was not
//     known.
//   - After what the rules count as a failure, there is another attempt.
//   - Anything else ends the body with the error with which it was truncated, and is
//     on record with [ReasonNotResumable].
//
// That reason is also on record for a truncated body that can't be resumed: it has no
// validator, it is compressed or announces trailers, or the base follows redirects. If
// the context ends during the wait, Read returns an [Error]. Close may be called at any
// time, from any goroutine.
//
// Progress begins a new count of attempts, and the request after it is not charged to
// the Budget. Progress is any byte of the first response; after that, 16 KiB, or a
// sixteenth of what was left. A server may send a complete part that is shorter than
// the requested range. If that part makes progress, the next one is requested at once;
// otherwise it counts as truncated. So a download of n bytes takes at most
// MaxAttempts × (n/16 KiB + 200) requests.
//
// BodyIdleTimeout ends a Read that has waited for data for so long, as on a dead
// connection, and no sooner.
//
// # Waits and time limits
//
// This says how long a call takes. The wait is the Backoff's, or the Wait of the
// [Decision] that Classify or a condition made. It is never shorter than what was asked
// for: by the response's Retry-After header (RFC 9110, section 10.2.3), in seconds or as
// a date, which counts from the response's own Date; by retry-after-ms,
// x-ms-retry-after-ms or x-amz-retry-after, which go first; or by an error with a method
// RetryAfter() time.Duration. Values that can't be parsed are ignored. Package ratelimit
// reads limits in other headers.
//
// A response that is discarded is closed before the wait. On HTTP/1, one of up to 64 KiB
// is read to its end first, within half a second, so that its connection can be used
// again. If the base's bodies are not net/http's and the length is not known, that is
// done only if the attempt has its own context, which can end a Read
// (PerAttemptTimeout, BodyIdleTimeout, RetryableBody or MaxWholeBytes).
//
// The request's context and http.Client.Timeout bound the call with all its attempts
// and waits. PerAttemptTimeout bounds an attempt until its response is accepted, and
// MaxElapsed the time in which attempts may begin; neither cuts a response that is
// kept. When the context ends, a wait ends at once. The error is then an [Error] that
// matches the context's error, its cause, and the last attempt's error, if there was
// one. A wait that would not end before the context's deadline is not begun: the last
// response or error is returned at once.
//
// # A service that is down, slow, or says "not now"
//
// [Budget], [Cooldown] and [Hedge] are shared by the calls to a service. If a service has
// just enough capacity for first attempts, the retries of many clients keep it down. A
// Budget is filled by calls that end well, so if none does, there are no retries. First
// attempts are always made, and the first call that fails gets all its attempts. A
// Budget has a bucket for each host, and one for each function, which is identified by
// its Policy.Name or else by its code.
//
// If a service asks one call to pause, by a 429 or 503 with a wait or by the Wait of a
// Decision, a Cooldown has all calls to it wait until the pause ends.
//
// A Hedge begins another attempt beside one whose response is slow, and takes the first
// response that no rule counts as a failure.
//
// # Request bodies
//
// This says what attempts after the first send. The first sends the body as it is
// produced; nothing waits for the whole body. Then there are four ways:
//
//	In memory   a bytes.Reader, bytes.Buffer or strings.Reader, as
//	            http.NewRequest wraps it: read again, by a reader of its own for
//	            each attempt
//	GetBody     called before each further attempt, once nothing reads the last
//	            attempt's body any more: it may rewind one reader that all share,
//	            which is closed before, unless it is an io.Seeker
//	Seeks       a regular file, an io.SectionReader or another io.Seeker, also in
//	            io.NopCloser, without GetBody: sent from where it stood when the
//	            call began, and as long as it was then, without memory
//	Neither     buffered in memory while it is sent, up to MaxReplayBytes; a
//	            longer body is sent on, but only once
//
// A body that seeks is closed when the call ends, not between attempts. If its size
// changes after the call began, that is an error. The offset of a file or a section is
// not changed; another io.Seeker is left where the last attempt stopped reading. A type
// that embeds a file, but has its own Read, which counts, hashes or encrypts, is
// buffered: give it its own Seek if it can be rewound.
//
// A body is sent in full or the attempt fails. An error of the caller's own reader is
// returned as it is, and never retried. Neither is a request whose body is shorter or
// longer than its ContentLength. If a method of the body panics, the panic reaches the
// goroutine that called RoundTrip.
//
// Within an attempt, Request.GetBody returns a copy and leaves Body alone: a signer below
// may hash the one and send the other. If the body is too long to be buffered, only one
// reader gets all of it; others get an error. If the caller's request has no GetBody and
// is not idempotent, its attempts have no GetBody either.
//
// The caller's request is not changed. Its body is closed on every path.
//
// # Functions and blocks
//
// Do, Run, Func and Attempts are for what is not HTTP. Do calls a function until it
// succeeds or the policy says stop; Run is for one without a value; Func wraps one and
// keeps its type; Attempts runs the body of a loop. These failures are retried:
//
//	Set                   Errors                         Values
//	nothing               all                            none
//	RetryableError        those it accepts               none
//	retryIf               none                           those it reports
//	both                  those RetryableError accepts   those retryIf reports
//	Permanent, or the     none                           none
//	context has ended
//
// The last value and the error are returned together. After one call the error is the
// function's own. After more, for a value that retryIf reported, and if the context has
// ended, it is an [Error] that matches the last error and, if the context has ended, the
// context's error and its cause.
//
// The comment of each field of Policy says whether the field applies to functions.
// EditPolicy is for transports only.
//
// If both Do and a transport inside it retry, there are 3 times 3 requests by default.
// To have only Do retry, use EditPolicy with Disabled.
//
// # Seeing what happened
//
// Policy.OnAttempt and [WithRecord] show each [Attempt], also of calls that succeed. The
// [Reason] says why there was another attempt or why there was none. A [Record] prints
// as a line for humans, and an Attempt as a part of it; both are safe to log, having
// method and host, but no path, query, header or body. Package sloginsist has an
// OnAttempt that logs, module otelinsist one that counts, and spans. [AttemptNumber]
// tells a RoundTripper below, Policy.Prepare, and a function under Do, Run or Func which
// attempt they belong to.
//
// # Nested retries
//
// This is for a request that passes two RetryTransports: only the outer one retries. It
// finds the inner one through wrappers that have a method WrappedRoundTripper()
// http.RoundTripper, and marks the requests that it sends. Behind a wrapper without that
// method the first attempt may be unmarked, and up to M+N-1 attempts are made. An outer
// one that is Disabled or has MaxAttempts 1 leaves retrying to the inner.
//
// net/http by itself repeats a request whose kept connection turned out to be dead, and
// on HTTP/2 one that the server did not process. insist counts that as one attempt. A
// request that must not be repeated is sent in a form that net/http does not repeat. If
// there is none (on HTTP/2, if it has no body, or if a layer below may need the GetBody),
// the attempt ends when net/http is about to send it on a second connection.
//
// # Connections that went silent
//
// This is for the connections that die unnoticed: a NAT table forgets one, a laptop
// sleeps, a node is drained. Nothing arrives any more, and TCP notices after many
// minutes. An attempt without a time limit hangs for as long; so set PerAttemptTimeout,
// or, for the response's head alone, ResponseHeaderTimeout of an *http.Transport of your
// own. If the base is net/http's transport, an attempt that times out is then the last
// one on its connection:
//
//   - HTTP/2: no later request, of this call or of others, is sent on the connection.
//     Requests in flight on it continue, and it is closed after the last one; see
//     Attempt.ConnRetired. So one dead connection costs one attempt. It costs two if
//     the base has the time limit, or if the transport is not found below the base,
//     since a wrapper has no method WrappedRoundTripper. If the server is slow rather
//     than dead, an attempt that times out costs a new connection, as on HTTP/1.
//   - HTTP/1: net/http closes the connection. Other connections to that host that have
//     been idle since before the attempt may have died with it: later attempts of the
//     call close them and dial. The same holds after a kept connection broke.
//
// Connections to other hosts are left alone.
//
// Without a time limit a nil Base finds a dead HTTP/2 connection after half a minute,
// by pings; see [DefaultBase].
//
// # What is not done
//
// These are the limits, on HTTP/1 and HTTP/2 alike. The rules see a response's head, and
// as much of its body as RetryableBody, RetryableEvent and MaxWholeBytes ask for. Once it
// has been handed over, a truncated body is the caller's to handle, except with
// ResumeDownloads.
//
// Cookies of discarded responses don't reach http.Client's Jar, which sees only the last
// response.
//
// Further attempts have the headers of the first, Authorization included, unless
// Policy.Prepare changes them.
//
// http.Client follows a 307 or 308 with a body only if the request has GetBody. That
// insist has buffered the body doesn't change that.
package insist

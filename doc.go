// Package insist sends HTTP requests again when they fail. [RetryTransport] is an
// [http.RoundTripper] that goes into any [http.Client], also into the one inside
// an SDK, with no other code changed:
//
//	client := &http.Client{Transport: &insist.RetryTransport{Policy: insist.Standard()}}
//
// [Policy] says when there is another attempt and after which wait. [Standard]
// is the policy to start from in production. The caller gets the last response,
// its body whole, or the last error as the base returned it.
//
// For what is not HTTP there are [Do], [Run], [Func] and [Attempts], which call
// functions and run blocks of code by the same Policy.
//
// # Defaults
//
// These are the defaults of a zero Policy, and what they cost.
//
//	Field            Zero means            What it costs
//	Disabled         retrying is on        -
//	MaxAttempts      3, the first one      a server that is down gets three times
//	                 included              the requests
//	Backoff          Constant(2s)          4 s in all; clients that failed together
//	                                       come back together
//	MaxRetryAfter    30 s                  up to 30 s before each further attempt,
//	                                       where the server asks for it
//	MaxElapsed       no bound              a call may take all its attempts and
//	                                       waits
//	PerAttempt-      no bound              an attempt may take as long as the base
//	Timeout                                lets it
//	BodyIdle-        no bound              the caller's Read of a body that brings
//	Timeout                                nothing waits until the context ends
//	Classify         no rule               -
//	RetryableStatus  StatusAbove(400)      a 404 that is an ordinary answer is asked
//	                                       for three times, in 4 s; so are 401,
//	                                       403, 409 and 422, which seldom change
//	RetryableError   all but those that    -
//	                 another attempt
//	                 would meet again
//	RetryableBody    bodies are not        -
//	                 looked into
//	NonIdempotent    ResendUnlessLost      a POST answered by an error status is sent
//	                                       again: what it had done before it failed
//	                                       may be done twice
//	Idempotent       by the method, or an  a GET with an effect may have it twice
//	                 idempotency key
//	Budget           none                  three times the requests for as long as a
//	                                       service is down, which may keep it down
//	MaxReplayBytes   16 MiB                up to that much memory for a call under
//	                                       way, if its body can be read only once
//	MaxPeekBytes     64 KiB                up to that much memory until the caller
//	                                       has read the body
//	MaxPeekTime      1 s                   a body that arrives slowly holds its
//	                                       response up for that long
//	MaxWholeBytes    no answer is read     a body that breaks off is the caller's
//	                 before it is          to handle
//	                 handed over
//	ResumeDownloads  off                   the same
//	ResumeValidator  ETag, Last-Modified   -
//	Prepare          nothing to prepare    -
//	OnAttempt        nobody is told        -
//
// Standard sets four fields: RetryableStatus to 408, 425, 429, 500, 502, 503 and
// 504; Backoff to Exponential(200 ms, 10 s), which has full jitter; NonIdempotent
// to ResendOnlyUnsent; and a Budget, shared by the copies of the returned value.
//
// The request's context and http.Client.Timeout bound the call with all its
// attempts and waits. PerAttemptTimeout bounds an attempt up to the decision to
// keep its response, and MaxElapsed the time in which attempts may begin; neither
// cuts a response that is kept. BodyIdleTimeout ends a Read of its body that has
// brought nothing for so long, and no sooner.
//
// # When another attempt is made
//
// The first of these rules that applies to an attempt speaks:
//
//	Attempt ended in          Rule                                   Speaks for
//	an error                  the request's own body failed          stop
//	an error                  the context has ended                  stop
//	a response or an error    Classify says Retry or Stop (it is     what it says
//	                          not asked when the context has ended)
//	a response                its status is 101                      stop
//	a response                x-should-retry: true or false, as      what it says
//	                          OpenAI and Anthropic send it
//	a response                417, and the request has Expect        retry at once,
//	                                                                 without Expect
//	a response                RetryableStatus reports true           retry
//	a response                RetryableBody says Retry               retry
//	an error                  it was marked by Permanent             stop
//	an error                  RetryableError reports true            retry
//
// What speaks for another attempt is held against these bounds, in this order.
// The first that fails ends the call:
//
//	Bound                                                            Reason
//	the context has not ended                                        ReasonContext
//	the request body can be sent again in full                       ReasonBody
//	the request is idempotent, or NonIdempotent allows another       ReasonMaybeDone
//	attempt (not asked after a Retry from Classify)
//	fewer than MaxAttempts have been made                            ReasonAttempts
//	no longer wait is asked for than MaxRetryAfter                   ReasonWait
//	the wait ends before the context's deadline, and within          ReasonWait
//	MaxElapsed
//	the Budget has a retry left                                      ReasonBudget
//
// A nil RetryableError retries all errors but these, which the next attempt
// would meet again: a bad certificate or another TLS alert, no TLS at the other
// end, a host name that is known not to exist, a request that net/http refuses
// to send, and an [Error] of a RetryTransport further below.
//
// A request that is not idempotent is never repeated by default when its answer
// was lost. It is repeated when it is proven that the server can't have acted on
// it: there was no connection, nothing of the request was written to it, or
// HTTP/2 says so (REFUSED_STREAM, GOAWAY). To ResendUnlessLost any answer that the
// rules take for a failure is enough; to ResendOnlyUnsent only 408, 417, 425, 429
// and a 503 with Retry-After, by which the server says that it did nothing. So
// with ResendOnlyUnsent, which Standard has, a POST is not repeated for what the
// body of a 200 says: set Idempotent for those that change nothing, or
// ResendUnlessLost where the answer means that nothing was done.
//
// # Business errors in the body
//
// RetryableBody looks into the body of a response that no other rule takes for a
// failure, whatever its Content-Type; and into one that RetryableStatus does, but
// only for the wait. [JSONField] and [JSONFieldNot] decide by a value in JSON; a
// [BodyCondition] of another kind reads the body as it likes, and may set the
// wait. The examples have one for each usual shape of an error, and say when
// repeating is wrong.
//
// The condition decides as soon as it can. Then the next attempt begins, or the
// response is the caller's, with every byte, and every error, where it would be
// without insist. It is the caller's, too, when what arrives within MaxPeekBytes
// and MaxPeekTime can't tell, when the body breaks off before, and when the
// attempts are used up.
//
// A condition is asked about an empty body, too. Not looked into are responses that
// have none (to HEAD and CONNECT, 1xx, 204, 304); streams, by their type (event
// streams, NDJSON, multipart, gRPC, Connect, audio, video, images); encodings other
// than gzip alone; and a response that comes while a request body that is not in memory is still being sent. A
// stream that has the type of a document, as a watch of Kubernetes does, is handed
// over by JSONField after the first JSON value, by any condition after MaxPeekTime.
//
// # Answers that break off
//
// With MaxWholeBytes an answer of up to that size is read before it is handed
// over. One that breaks off is an error: the rules for errors and the bounds
// above decide, so that a POST is not repeated. If there is no other attempt the
// caller gets the response, with as much of its body as came and then the error.
// Not read are longer answers and streams, and, where the head does not say the
// length, what has not come within MaxPeekTime.
//
// With ResumeDownloads the body of a GET is resumed where it was truncated. The rest
// is requested by Range and If-Range, in the body's Read, after the policy's wait.
// Taken is a 206 with the same validator and the right Content-Range. Taken is also
// a 200 with the same validator, from a server that ignores Range: what is known of
// it is read and thrown away, of each download no more than it is long, so that it
// costs at most twice its bytes. A 416 that says that all bytes have come, of a
// download whose length was not known, is its end. After what the rules count as a
// failure there is another attempt; anything else ends the body in the error in which
// it was truncated, and is on record with [ReasonNotResumable]. So is a truncated body
// that can't be resumed: for want of a validator, because it is compressed or
// announces trailers, because the base follows redirects. If the context ends during
// the wait, Read returns an [Error]. Close may be called at any time, from any
// goroutine.
//
// Progress begins a new count of attempts, and the request after it is not charged to
// the Budget: any byte of the first response; then 16 KiB, or a sixteenth of what was
// left. A part that is shorter than the range that was requested, but complete, is
// followed by the request for the next one at once if it makes progress; otherwise it
// counts as truncated. So a download of n bytes takes at most
// MaxAttempts × (n/16 KiB + 200) requests.
//
// # Waiting
//
// The wait is the Backoff's, or the Wait of the [Decision] that Classify or
// RetryableBody made. It is never shorter than what was asked for: by the
// response's Retry-After header (RFC 9110, section 10.2.3), in seconds or as a
// date, which counts from the response's own Date; by retry-after-ms, which Azure
// and OpenAI send and which goes first; or by an error with a method RetryAfter()
// time.Duration. Values that can't be parsed are ignored.
//
// The answer that is thrown away is closed before the wait. On HTTP/1 one of up
// to 64 KiB is read to its end first, within half a second, so that its
// connection can be used again; where the base's bodies are not net/http's, one whose
// length is not known only if the attempt has a context of its own, which can end a
// Read of it (PerAttemptTimeout, BodyIdleTimeout, RetryableBody or MaxWholeBytes).
//
// When the context ends, a wait ends at once. The error is then an [Error] that
// matches the context's error, its cause, and the last attempt's error, if there
// was one. A wait that would not end before the context's deadline is not begun:
// the last response or error is returned at once.
//
// # A service that is down
//
// Retries of many clients keep a service down that has just enough capacity for
// their first attempts. A [Budget] is fed by calls that end well, so that its
// retries end where nothing does; first attempts are always made. It has a bucket
// for each host and for each function, which is known by its Policy.Name or else by
// its code. The first call that fails gets all its attempts.
//
// # Request bodies
//
// The first attempt sends the body as it is produced; nothing waits for the
// whole body. For the attempts after it there are three ways:
//
//	In memory   a bytes.Reader, bytes.Buffer or strings.Reader, as http.NewRequest
//	            wraps it: read again, by a reader of its own for each attempt
//	GetBody     called before each further attempt, when nobody reads the last
//	            one's body any more, so that it may rewind a reader that all share;
//	            that is closed before, unless it is an io.Seeker, as a file is
//	Neither     recorded in memory while it is sent, up to MaxReplayBytes; a
//	            longer body is sent on, but only once
//
// A body is sent in full or the attempt fails. An error of the caller's own
// reader is returned as it is, and never retried. Neither is a request whose body
// is shorter or longer than its ContentLength.
//
// The caller's request is not changed. Its body is closed on every path.
//
// # Functions and blocks
//
// Do calls a function until it succeeds or the policy says stop; Run is for one
// without a value; Func wraps one and keeps its type; Attempts runs the body of
// a loop. Which failures are tried again:
//
//	Set                     Errors                          Values
//	nothing                 all                             none
//	RetryableError          those it accepts                none
//	retryIf                 none                            those it reports
//	both                    those RetryableError accepts    those retryIf reports
//	Permanent, or the       none                            none
//	context has ended
//
// The last value and the error come back together. After one call the error is
// the function's own. After more, for a value that retryIf reported, and where the
// context has ended, it is an [Error] that matches the last error and, in the last
// case, the context's error and its cause.
//
// Of Policy's fields those count whose comments say so. EditPolicy is for
// transports alone.
//
// A transport that retries inside a Do that retries makes 3 times 3 requests, by
// default. EditPolicy with Disabled leaves them to Do.
//
// # Seeing what happened
//
// Policy.OnAttempt is told of each [Attempt] when it has been judged.
// [WithRecord] puts the attempts of all calls with a context on a [Record], to be
// read afterwards. The [Reason] says why there was another attempt or why there
// was none. A Record prints as a line for humans, and an Attempt as a part of it;
// both are safe to log, having method and host, but no path, query, header or
// body. Package sloginsist has an OnAttempt that logs, module otelinsist one that
// counts, and spans. [AttemptNumber] tells a RoundTripper below, and
// Policy.Prepare, which attempt a request belongs to.
//
// [EditPolicy] changes the policy for the requests of one context.
//
// # Nested retries
//
// Where a request passes two RetryTransports, the outer one is at work and the
// inner one stands aside. The outer finds the inner through wrappers that have a
// method WrappedRoundTripper() http.RoundTripper, and marks the requests that it
// sends. Behind a wrapper without that method the first attempt may be unmarked,
// and up to M+N-1 attempts are made. An outer one that is Disabled or has
// MaxAttempts 1 leaves retrying to the inner.
//
// net/http by itself repeats a request whose kept connection turned out to be
// dead, and on HTTP/2 one that the server did not process. To insist that is one
// attempt.
//
// # Connections that went silent
//
// A NAT table forgets a connection, a laptop sleeps, a node is drained: nothing
// arrives on it any more, and TCP notices after many minutes. An attempt without a
// time limit hangs for as long; so set PerAttemptTimeout, or, for the response's head
// alone, ResponseHeaderTimeout of an *http.Transport of your own. Where the base is
// net/http's transport, the attempt that timed out is then the last on its connection:
//
//   - HTTP/2: no later request, of this call or of others, is sent on the connection.
//     Requests in flight on it go on, and it is closed after the last; see
//     Attempt.ConnRetired. So one dead connection costs one attempt. It costs two
//     where the base has the time limit, or where the transport is not found below
//     the base, since a wrapper has no method WrappedRoundTripper. A server that is
//     slow rather than dead costs its clients a new connection for an attempt that
//     times out, as on HTTP/1.
//   - HTTP/1: net/http closes the connection. Others to that host that were kept idle
//     since before the attempt may have died with it; later attempts of the call
//     close those instead of being sent on them, and dial. The same holds after a
//     kept connection broke.
//
// Connections to other hosts are left alone.
//
// Without a time limit a nil Base finds a dead HTTP/2 connection after half a minute,
// by pings; see [DefaultBase].
//
// # HTTP/2, and what is not done
//
// All of this holds on HTTP/2 as well. An answer that is thrown away has its
// stream closed there, unread; the connection goes on.
//
// A response is judged by its head, and by as much of its body as RetryableBody
// and MaxWholeBytes ask for. Once it has been handed over, a body that breaks off
// is the caller's to handle, but for ResumeDownloads.
//
// Cookies of answers that are thrown away don't reach http.Client's Jar, which
// sees only the last response.
//
// Further attempts have the headers of the first, Authorization included. Use
// Policy.Prepare to sign them anew or to refresh a token.
//
// http.Client follows a 307 or 308 with a body only if the request has GetBody.
// What insist has recorded of a body doesn't change that.
package insist

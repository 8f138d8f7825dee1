package reqbody

// reader is the part that the readers of every source share. An attempt has one reader
// that is its request's Body, and one copy for each call of its request's GetBody.
type reader struct {
	of     *Lease
	n      int64 // bytes returned
	state  readerState
	isCopy bool
	again  bool // its bytes have been read before, so their start must be the same
}

// readerState is the progress of a reader.
//
//	unread → reading     its first Read
//	reading → ended      it has returned io.EOF, or an error of the caller's reader
//	any → released       Close
type readerState uint8

const (
	unread readerState = iota
	reading
	ended
	released
)

// readers counts the readers of the current attempt's body.
type readers struct {
	reading int16       // readers in state reading, Body included; askedAtMost bounds them
	body    readerState // Body's state, or sentAsCopy
	resent  *reader     // the copy that has taken the place of Body; nil if none has
}

// sentAsCopy is the state of a Body that is unread while a copy has been read. The base
// may have sent the copy instead and never use Body. Body can still be read.
const sentAsCopy readerState = released + 1

// add adds b, which has just been opened. If b is a copy and Body is already closed, b
// takes the place of Body: net/http closes Body before it calls GetBody to resend the
// request within an attempt. A signer, in contrast, reads its copy before Body is sent.
//
// If net/http calls GetBody once more and the copy before is unread, it has forgotten that
// one without closing it: its HTTP/2 found no connection for it.
func (r *readers) add(b *reader) {
	forgotten := r.resent != nil && r.resent.state == unread
	if !b.isCopy || r.body != released && !forgotten {
		return
	}
	if forgotten {
		r.resent.isCopy = true
	}
	b.isCopy, r.body, r.resent = false, unread, b
}

// move moves b, a reader of the current attempt, to a later state. If to is not later, it
// does nothing.
func (r *readers) move(b *reader, to readerState) {
	if to <= b.state {
		return
	}
	if b.state == reading {
		r.reading--
	}
	b.state = to
	if to == reading {
		r.reading++
	}
	switch {
	case !b.isCopy:
		r.body = to
	case to == reading && r.body == unread:
		r.body = sentAsCopy
	}
}

// inUse reports whether the attempt may still need the body. An unread copy doesn't
// count: the base may never use it.
func (r *readers) inUse() bool { return r.reading > 0 || r.body == unread }

// bodyIsDone reports whether Body has ended or been closed.
func (r *readers) bodyIsDone() bool { return r.body == ended || r.body == released }

// isLate reports whether a base asks for l's body when l has been revoked, or when the
// call has gone on to a later attempt. latest was current last.
func isLate(l, current, latest *Lease) bool {
	return latest != nil && (latest.Number > l.Number || latest == l && current != l)
}

// phase is the progress of a call, as the source of its body sees it.
//
//	retrying → last  no further attempt follows; the current one continues
//	any → over       the call has ended, and all readers are revoked
type phase uint8

const (
	retrying phase = iota
	last
	over
)

// closeState says whether the caller's reader has been closed. It is closed only once.
//
//	opened → closing → closed
type closeState uint8

const (
	opened closeState = iota
	closing
	closed
)

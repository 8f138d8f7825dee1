package reqbody

// reader is what the readers of every source have in common. An attempt has one that is
// its request's Body, and any number of copies, which its request's GetBody returned.
type reader struct {
	of     *Lease
	n      int64 // bytes returned
	state  readerState
	isCopy bool
	again  bool // its source has been read before, by this reader or another
}

// readerState is how far a reader has come.
//
//	unread → reading     its first Read
//	reading → ended      it has returned the end of the body, or an error of its own
//	any → released       Close
type readerState uint8

const (
	unread readerState = iota
	reading
	ended
	released
)

// readers says who reads the body of the current attempt.
type readers struct {
	reading int16       // readers in that state, Body included; askedAtMost bounds them
	body    readerState // Body's, or sentAsCopy
}

// sentAsCopy is the state of a Body that nobody has read from while a copy has been. The
// copy may have been sent in its place, and Body forgotten. It can still be read.
const sentAsCopy readerState = released + 1

// add takes b, which has just been opened, in. A copy that is asked for when Body has been
// closed is to be sent in its place: so net/http sends a request once more. (It closes
// Body first; a signer reads its copy before Body is sent.)
func (r *readers) add(b *reader) {
	if b.isCopy && r.body == released {
		b.isCopy, r.body = false, unread
	}
}

// move puts b, a reader of the current attempt, into a later state.
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

// inUse reports whether the attempt may still need the body. A copy that nobody has
// read from doesn't count, since it may have been forgotten.
func (r *readers) inUse() bool { return r.reading > 0 || r.body == unread }

// bodyIsDone reports whether nothing more will be read of Body.
func (r *readers) bodyIsDone() bool { return r.body == ended || r.body == released }

// phase is how far a call has come, as the source of its body sees it.
//
//	retrying → last  there will be no further attempt; the current one goes on
//	any → over       the call has ended, and all readers are revoked
type phase uint8

const (
	retrying phase = iota
	last
	over
)

// closeState says whether a reader of the caller's has been closed. It is closed once.
//
//	opened → closing → closed
type closeState uint8

const (
	opened closeState = iota
	closing
	closed
)

package jsonscan

import "io"

// Source is a reader that can also hand over its bytes without a copy.
type Source interface {
	// Next returns the bytes that follow. They are valid until the source is
	// used again or closed. An error comes without bytes.
	Next() ([]byte, error)
}

// Lookup finds a value in what a reader brings. The zero value is ready; it may
// be used again, but not by two goroutines at once.
type Lookup struct {
	scanner Scanner
	buf     [4 << 10]byte
}

// maxEmptyReads bounds the Reads in a row that bring nothing, as package bufio
// does.
const maxEmptyReads = 100

// Find reads body until it is certain what is at p, and returns that value and
// the status. If body cannot be read so far, the status is More. Of a body that
// is a [Source] nothing is copied. The value is valid until the next Find.
func (l *Lookup) Find(body io.Reader, p Pointer, o Options) ([]byte, Status) {
	l.scanner.Reset(p, o)
	source, _ := body.(Source)
	most := 512 // the first bytes mostly suffice
	for empty := 0; empty < maxEmptyReads; {
		var piece []byte
		var err error
		if source != nil {
			piece, err = source.Next()
		} else {
			var n int
			n, err = body.Read(l.buf[:most])
			piece = l.buf[:n]
			most = len(l.buf)
		}
		status := l.scanner.Scan(piece)
		if err == io.EOF && status == More {
			status = l.scanner.End()
		}
		if status != More || err != nil {
			return l.scanner.Value(), status
		}
		if empty++; len(piece) > 0 {
			empty = 0
		}
	}
	return nil, More
}

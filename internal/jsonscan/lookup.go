package jsonscan

import "io"

// Source is a reader that can also be read without copying.
type Source interface {
	// Next returns the next bytes or an error. The bytes are valid until the
	// source is used again or closed.
	Next() ([]byte, error)
}

// Lookup looks up values in documents that it reads. The zero value is ready for
// use. A Lookup may be reused, but not by two goroutines at once.
type Lookup struct {
	scanner Scanner
	buf     [4 << 10]byte
}

// maxEmptyReads is how many Reads in a row may return neither bytes nor an error,
// as in package bufio.
const maxEmptyReads = 100

// Find reads body until the result is certain, and returns the value at p and the
// status. If reading fails before that, the status is More. If body is a
// [Source], its bytes are not copied. The value is valid until the next Find.
func (l *Lookup) Find(body io.Reader, p Pointer, o Options) ([]byte, Status) {
	l.scanner.Reset(p, o)
	source, _ := body.(Source)
	most := 512 // mostly the value is near the beginning
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
		empty++
		if len(piece) > 0 {
			empty = 0
		}
	}
	return nil, More
}

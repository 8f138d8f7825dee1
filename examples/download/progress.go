package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/seed-552c89fc/insist"
)

const width = 40

// progress draws a progress bar. Each time the connection broke, it begins a new line.
type progress struct {
	out         io.Writer
	done, total int64
	drawn       int64 // in characters
}

// Write only counts the bytes; an io.MultiWriter writes them to the file as well.
func (p *progress) Write(data []byte) (int, error) {
	if p.done += int64(len(data)); p.total > 0 && p.done*width/p.total > p.drawn {
		p.draw()
	}
	return len(data), nil
}

func (p *progress) draw() {
	if p.total <= 0 {
		fmt.Fprintf(p.out, "\r%d MiB", p.done>>20)
		return
	}
	p.drawn = p.done * width / p.total
	bar := strings.Repeat("=", int(p.drawn)) + strings.Repeat(" ", int(width-p.drawn))
	fmt.Fprintf(p.out, "\r[%s] %3d %%", bar, p.done*100/p.total)
}

// attempt is the Policy's OnAttempt. If a connection breaks during the body, the attempt
// that sent that part is reported again, with the error.
func (p *progress) attempt(_ context.Context, a insist.Attempt) {
	if a.Retry && a.Err != nil {
		p.draw()
		fmt.Fprintf(p.out, " %s, going on in %v\n", a.Class(), a.Wait)
	}
}

func (p *progress) end() {
	p.draw()
	fmt.Fprintln(p.out)
}

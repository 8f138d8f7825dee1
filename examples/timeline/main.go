// Timeline makes a few concurrent calls to a scripted server, and prints how long each
// took. With -o it draws the attempts over time, as one SVG:
//
//	go run ./examples/timeline
//	go run ./examples/timeline -o timeline.svg
//
// Both use only the calls' records. The picture in docs/observability.md is made in virtual
// time, so it is the same each time: go test ./examples/timeline -update
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program: it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("timeline", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("o", "", "draw the attempts into `file`, as SVG")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "timeline: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	calls := play(ctx)
	for _, c := range calls {
		fmt.Fprintf(stdout, "%s %s: %s\n    %s\n", c.method, c.path, c.about, c.record)
	}
	if *file == "" {
		return 0
	}
	if err := os.WriteFile(*file, draw(calls), 0o644); err != nil {
		fmt.Fprintln(stderr, "timeline:", err)
		return 1
	}
	return 0
}

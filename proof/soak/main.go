// Command soak makes mixed calls for as long as it is told to, through proxies and to
// servers that are killed and started again all the time. At the end it compares what the
// callers saw with what the servers did, and shows that the process holds no more memory,
// goroutines and files than in the beginning. It writes its figures and a plot to the
// documentation:
//
//	cd proof/soak && go run . -for 1h
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

var (
	length = flag.Duration("for", time.Minute, "how long calls are made")
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the calls and the faults")
	page   = flag.String("page", "../../docs/soak.md", "the page to write the figures to; none if empty")
)

func main() {
	if runChild() {
		return
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	r, err := soak(ctx, dir, *length, *seed)
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(r.table())
	for _, f := range r.faults() {
		fmt.Println("FAULT:", f)
	}
	if *page == "" {
		return
	}
	if err := r.write(*page); err != nil {
		log.Print(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(*page), "soak.svg"), []byte(r.plot()), 0o666); err != nil {
		log.Print(err)
	}
}

// Command storm overloads a real server by the retries of real processes, and draws what
// the server counted beside what the simulation says. In the current directory it writes
// table.csv and the plots, and the tables of README.md and of the page in docs:
//
//	cd proof/storm && go run .
//
// It uses the loopback interface only, and ends by itself.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// page is the page in docs, and plots is the way from it to the plots.
const (
	page  = "../../docs/storm.md"
	plots = "../proof/storm"
)

func main() {
	log.SetFlags(log.Ltime)
	if isChild(os.Args) {
		if err := beChild(os.Args[1]); err != nil {
			log.Fatalf("%s: %v", os.Args[1], err)
		}
		return
	}
	minute := flag.Duration("minute", time.Minute, "the length of a minute; a multiple of 6s")
	clients := flag.Int("clients", 12, "client processes of each contender, with 10 calls per second each")
	parallel := flag.Int("parallel", 4, "contenders at the same time")
	seed := flag.Uint64("seed", 1, "of the calls' times and the work of each")
	keep := flag.String("keep", "", "write all counts to this file")
	from := flag.String("from", "", "measure nothing, but read the counts that -keep has written")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	all := scenarios(*clients, *minute)
	var outcomes []*outcome
	var err error
	if *from != "" {
		outcomes, err = readCounts(*from)
	} else {
		outcomes, err = storm(ctx, all, *parallel, *seed, func(done string) { log.Print(done) })
	}
	if err == nil && *keep != "" {
		err = save(*keep, outcomes)
	}
	if err == nil {
		err = predictAll(ctx, all, outcomes)
	}
	if err == nil {
		err = write(".", page, all, outcomes)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func save(file string, outcomes []*outcome) error {
	text, err := json.Marshal(outcomes)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o666)
}

func readCounts(file string) (outcomes []*outcome, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return outcomes, json.Unmarshal(text, &outcomes)
}

// write writes the table and the plots into dir, and the tables into the pages.
func write(dir, page string, all []*scenario, outcomes []*outcome) error {
	var table bytes.Buffer
	if err := writeCSV(&table, rows(all, outcomes)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "table.csv"), table.Bytes(), 0o666); err != nil {
		return err
	}
	stored, err := readCSV(&table) // so that the pages round what the file says
	if err != nil {
		return err
	}
	if err := rewrite(filepath.Join(dir, "README.md"), markdown(all, stored, "")); err != nil {
		return err
	}
	if err := rewrite(page, markdown(all, stored, plots)); err != nil {
		return err
	}
	for _, s := range all {
		if err := draws(dir, s, outcomes); err != nil {
			return err
		}
	}
	return nil
}

// rewrite replaces the text between the marks of a page.
func rewrite(file, content string) error {
	const begin, end = "<!-- measured -->", "<!-- /measured -->"
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("%s has no %s and %s", file, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+"\n\n"+content+"\n\n"+end+after), 0o666)
}

// Command simulation shows how the retries of many clients affect an overloaded or failing
// server, and the success of the calls; and what hedging does for slow responses. It writes
// table.csv, hedging.csv, the plots, and the tables of README.md, in the current directory,
// and the table of docs/hedging.md:
//
//	cd simulation && go run .
//
// With the argument predict, it only plays what it is given on its standard input; see
// forecast.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"strings"
)

func main() {
	play := write
	if len(os.Args) == 2 && os.Args[1] == "predict" {
		play = func() error { return predict(os.Stdin, os.Stdout) }
	}
	if err := play(); err != nil {
		log.Fatal(err)
	}
}

func write() error {
	var table bytes.Buffer
	if err := writeCSV(&table, measure(append(compared, tried...))); err != nil {
		return err
	}
	if err := os.WriteFile("table.csv", table.Bytes(), 0o666); err != nil {
		return err
	}
	rows, err := readCSV(&table) // so that the page rounds what the file says
	if err != nil {
		return err
	}
	table.Reset()
	if err := writeTails(&table, measureTails()); err != nil {
		return err
	}
	if err := os.WriteFile("hedging.csv", table.Bytes(), 0o666); err != nil {
		return err
	}
	tails, err := readTails(&table)
	if err != nil {
		return err
	}
	if err := rewrite("README.md", map[string]string{
		"compared": markdown(rows, compared),
		"tried":    markdown(rows, tried),
		"wanted":   wanted(rows),
		"quiet":    quietClients(),
		"attempts": moreAttempts(),
		"limits":   limitTable(),

		"hedging-wanted": wantedTails(tails),
		"hedging":        tailTable(tails, hedgings),
		"hedging-tried":  tailTable(tails, triedHedgings),
	}); err != nil {
		return err
	}
	if err := rewrite("../docs/hedging.md", map[string]string{"simulation": guideTable(tails)}); err != nil {
		return err
	}
	return plots()
}

// rewrite replaces the texts between marks of a page, by the marks' names.
func rewrite(file string, contents map[string]string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	page := string(text)
	for name, content := range contents {
		if page, err = replace(page, name, content); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return os.WriteFile(file, []byte(page), 0o666)
}

// replace replaces the text between the marks with that name by content.
func replace(page, name, content string) (string, error) {
	begin, end := "<!-- "+name+" -->", "<!-- /"+name+" -->"
	before, rest, ok := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("there is no %s and %s", begin, end)
	}
	return before + begin + "\n\n" + content + "\n\n" + end + after, nil
}

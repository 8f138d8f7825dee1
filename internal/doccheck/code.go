package doccheck

import (
	"regexp"
	"strings"
)

// Elided is the line of a Go block that stands for code that it leaves out.
const elided = "// …"

// InCode reports whether the lines of a block stand in a Go file as they are, but for
// the indentation of the whole. A line "// …" stands for any lines of the file.
func InCode(block, file []string) bool {
	at := 0
	for _, piece := range pieces(block) {
		n := find(piece, file[at:])
		if n < 0 {
			return false
		}
		at += n + len(piece)
	}
	return true
}

// pieces splits a block at the lines that leave something out.
func pieces(block []string) (all [][]string) {
	var piece []string
	flush := func() {
		for len(piece) > 0 && strings.TrimSpace(piece[0]) == "" {
			piece = piece[1:]
		}
		for len(piece) > 0 && strings.TrimSpace(piece[len(piece)-1]) == "" {
			piece = piece[:len(piece)-1]
		}
		if len(piece) > 0 {
			all = append(all, piece)
		}
		piece = nil
	}
	for _, line := range block {
		if strings.TrimSpace(line) == elided {
			flush()
			continue
		}
		piece = append(piece, line)
	}
	flush()
	return all
}

// find returns where piece stands in file, or a negative number.
func find(piece, file []string) int {
	for i := 0; i+len(piece) <= len(file); i++ {
		if stands(piece, file[i:]) {
			return i
		}
	}
	return -1
}

// stands reports whether file begins with piece, each line with the same indentation
// more, or less.
func stands(piece, file []string) bool {
	more := indent(file[0]) - indent(piece[0])
	for i, line := range piece {
		want, got := strings.TrimSpace(line), strings.TrimSpace(file[i])
		if want != got || want != "" && indent(file[i])-indent(line) != more {
			return false
		}
	}
	return true
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, "\t")) }

// InOutput reports whether the lines of a block follow each other in an output.
func InOutput(block []string, output string) bool {
	return strings.Contains("\n"+strings.TrimSpace(output)+"\n", "\n"+strings.TrimSpace(strings.Join(block, "\n"))+"\n")
}

var times = regexp.MustCompile(`\b[0-9.]+ ?(h|m|s|ms|µs|ns)\b`)

// WithoutTimes returns text with all times made the same.
func WithoutTimes(text string) string { return times.ReplaceAllString(text, "0s") }

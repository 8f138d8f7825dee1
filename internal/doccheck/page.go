package doccheck

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Page is a Markdown file.
type Page struct {
	Path    string // from the root of the repository
	Lines   []string
	Blocks  []Block
	Links   []Link
	Anchors map[string]bool
	Spans   []Link // inline code; To is its text
}

// Block is a fenced block of code.
type Block struct {
	Lang  string
	Note  string // of the comment in the line before: <!-- note -->
	Line  int    // of the fence, from 1
	Lines []string
}

// Link is a place in a page that leads elsewhere.
type Link struct {
	To   string
	Line int
}

var (
	links   = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	spans   = regexp.MustCompile("`([^`]+)`")
	heading = regexp.MustCompile(`^#{1,6} +(.*?) *#*$`)
	note    = regexp.MustCompile(`^<!-- (.*) -->$`)
	markup  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// Parse reads a page.
func Parse(path, text string) (*Page, error) {
	p := &Page{Path: path, Lines: strings.Split(text, "\n"), Anchors: map[string]bool{}}
	var open *Block
	for i, line := range p.Lines {
		lang, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && open == nil:
			open = &Block{Lang: lang, Line: i + 1}
			if m := note.FindStringSubmatch(p.Lines[max(i-1, 0)]); m != nil {
				open.Note = m[1]
			}
		case fence:
			p.Blocks = append(p.Blocks, *open)
			open = nil
		case open != nil:
			open.Lines = append(open.Lines, line)
		default:
			p.prose(i+1, line)
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s:%d: a block without an end", path, open.Line)
	}
	return p, nil
}

func (p *Page) prose(number int, line string) {
	if m := heading.FindStringSubmatch(line); m != nil {
		p.anchor(m[1])
	}
	for _, m := range spans.FindAllStringSubmatch(line, -1) {
		p.Spans = append(p.Spans, Link{m[1], number})
	}
	for _, m := range links.FindAllStringSubmatch(spans.ReplaceAllString(line, ""), -1) {
		p.Links = append(p.Links, Link{m[1], number})
	}
}

// anchor adds the anchor that GitHub gives to a heading.
func (p *Page) anchor(title string) {
	title = markup.ReplaceAllString(title, "$1")
	slug := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
	unique := slug
	for n := 1; p.Anchors[unique]; n++ {
		unique = fmt.Sprintf("%s-%d", slug, n)
	}
	p.Anchors[unique] = true
}

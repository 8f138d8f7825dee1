package main

import (
	"bytes"
	"fmt"
	"html"
	"slices"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist"
)

// The measures of the picture, in pixels.
const (
	width     = 860
	left      = 24
	perSecond = 480
	top       = 84 // of the first call
	callSpace = 62
	laneSpace = 26 // of each attempt beside another
	titleLine = 13 // of a call, from its top
	barTop    = 22
	barHeight = 22
	barText   = barTop + 15
	gapText   = barTop + 8
	gapLine   = barTop + 14
)

// The viewer chooses a dark or a light theme. The colours of the bars have enough contrast
// with white text and with both backgrounds.
const head = `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" aria-labelledby="title">
<title id="title">%s</title>
<style>
text { font: 12px system-ui, -apple-system, "Segoe UI", "Liberation Sans", Arial, sans-serif; fill: #1f2328; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; paint-order: stroke }
.head { font-size: 15px; font-weight: 600 }
.name { font-weight: 600 }
.about, .end, .scale { fill: #59636e }
.wait { font-size: 11px; fill: #59636e }
.in { font-size: 11px; font-weight: 600; fill: #ffffff; stroke: none }
.ground { fill: #ffffff }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.gap { stroke: #818b98; stroke-width: 2; stroke-dasharray: 2 4 }
.good { fill: #1a7f37 }
.status { fill: #9a6700 }
.body { fill: #8250df }
.lost { fill: #cf222e }
.over { fill: #59636e }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; stroke: #0d1117 }
.about, .end, .scale, .wait { fill: #9198a1 }
.ground { fill: #0d1117 }
.grid { stroke: #3d444d }
}
</style>
<rect class="ground" width="%[1]d" height="%[2]d"/>
`

// kinds are the outcomes that have a colour: the class, and what it is called.
var kinds = [][2]string{
	{"good", "accepted"}, {"status", "error status"}, {"body", "error in the body"}, {"lost", "no response, or half of one"},
	{"over", "overtaken"},
}

func kind(a insist.Attempt) string {
	switch {
	case a.Reason == insist.ReasonOvertaken:
		return "over"
	case a.Err != nil:
		return "lost"
	case a.Reason == insist.ReasonSuccess || a.Reason == insist.ReasonAccepted:
		return "good"
	case a.Status < 400:
		return "body"
	}
	return "status"
}

// picture is an SVG that is being drawn.
type picture struct{ bytes.Buffer }

func (p *picture) text(class string, x, y float64, anchor, s string) {
	fmt.Fprintf(p, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, html.EscapeString(s))
}

func (p *picture) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(p, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", class, x1, y1, x2, y2)
}

// draw returns the SVG: a row for each call, in it a bar for each attempt and a
// gap for each wait. Attempts that overlap are below each other.
func draw(calls []*call) []byte {
	var p picture
	height := top + 30
	for _, c := range calls {
		height += c.height()
	}
	fmt.Fprintf(&p, head, width, height, "The attempts of a few calls over time")
	p.text("head", left, 30, "start", "Calls through a RetryTransport, attempt by attempt")
	p.legend(54)
	p.scale(float64(top-8), float64(height-28), longest(calls))
	y := top
	for _, c := range calls {
		p.call(c, float64(y))
		y += c.height()
	}
	p.WriteString("</svg>\n")
	return p.Bytes()
}

func (p *picture) legend(y float64) {
	x := float64(left)
	for _, k := range kinds {
		fmt.Fprintf(p, `<rect class="%s" x="%.1f" y="%.1f" width="14" height="12" rx="2"/>`+"\n", k[0], x, y-10)
		p.text("", x+20, y, "start", k[1])
		x += 46 + 6.2*float64(len(k[1]))
	}
	p.line("gap", x, y-4, x+26, y-4)
	p.text("", x+32, y, "start", "wait")
}

// scale draws a line for each half second.
func (p *picture) scale(from, to float64, until time.Duration) {
	for t := time.Duration(0); t <= until; t += 500 * ms {
		p.line("grid", at(t), from, at(t), to)
		p.text("scale", at(t), to+16, "middle", seconds(t))
	}
}

func (p *picture) call(c *call, y float64) {
	fmt.Fprintf(p, `<text x="%d" y="%.1f"><tspan class="name">%s</tspan><tspan class="about" dx="10">%s</tspan></text>`+"\n",
		left, y+titleLine, html.EscapeString(c.method+" "+c.path), html.EscapeString(c.about))
	for _, a := range c.bars() {
		p.attempt(a, y+float64(laneSpace*a.lane))
	}
}

func (p *picture) attempt(a bar, y float64) {
	begin, end := at(a.begin), at(a.begin+a.Duration)
	fmt.Fprintf(p, `<g><title>%s</title><rect class="attempt %s" x="%.1f" y="%.1f" width="%.1f" height="%d" rx="3"/>`,
		html.EscapeString(fmt.Sprintf("attempt %d: %s", a.Number, a)), kind(a.Attempt), begin, y+barTop, end-begin, barHeight)
	p.text("in", (begin+end)/2, y+barText, "middle", result(a.Attempt))
	p.WriteString("</g>\n")
	switch {
	case a.Reason == insist.ReasonOvertaken: // and the one beside it is the last
	case !a.Retry:
		p.text("end", end+8, y+barText, "start", string(a.Reason))
	default:
		next := end + perSecond*a.Wait.Seconds()
		p.line("gap", end+4, y+gapLine, next-4, y+gapLine)
		p.text("wait", (end+next)/2, y+gapText, "middle", seconds(a.Wait))
	}
}

// bar is an attempt in the picture. One that began beside another is in a lane below it.
type bar struct {
	insist.Attempt
	begin time.Duration // since the call's
	lane  int
}

// bars are the call's attempts in the order in which they began; a record has them in
// the order in which they ended.
func (c *call) bars() (bars []bar) {
	byNumber := func(a, b insist.Attempt) int { return a.Number - b.Number }
	var before bar
	var last time.Duration // when the last of those before ended, and its wait
	for _, a := range slices.SortedFunc(slices.Values(c.attempts()), byNumber) {
		b := bar{Attempt: a}
		switch {
		case a.Beside > 0:
			b.begin, b.lane = before.begin+a.Beside, before.lane+1
		case len(bars) > 0:
			b.begin = last
		}
		last = max(last, b.begin+b.Duration+b.Wait)
		bars, before = append(bars, b), b
	}
	return bars
}

func (c *call) height() int {
	lanes := 0
	for _, b := range c.bars() {
		lanes = max(lanes, b.lane)
	}
	return callSpace + laneSpace*lanes
}

// attempts are those of the call's only request.
func (c *call) attempts() []insist.Attempt {
	if all := c.record.Calls(); len(all) > 0 {
		return all[0]
	}
	return nil
}

// result names a's result in a word that fits into its bar.
func result(a insist.Attempt) string {
	switch {
	case a.Reason == insist.ReasonOvertaken:
		return "overtaken"
	case a.Err == nil:
		return fmt.Sprint(a.Status)
	case a.Status != 0:
		return fmt.Sprintf("%d, cut", a.Status)
	}
	return strings.TrimPrefix(a.Class(), "connection_")
}

func seconds(t time.Duration) string { return fmt.Sprintf("%.3g s", t.Seconds()) }

// at returns the horizontal position of a time since the call began.
func at(t time.Duration) float64 { return left + perSecond*t.Seconds() }

func longest(calls []*call) (d time.Duration) {
	for _, c := range calls {
		for _, b := range c.bars() {
			d = max(d, b.begin+b.Duration)
		}
	}
	return d
}

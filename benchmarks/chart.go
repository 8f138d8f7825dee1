package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// chart draws the rows' times as bars, as ratios to the row's fastest. The scale
// is logarithmic: the ratios go over several orders of magnitude.
func chart(rows []row) string {
	const (
		width, left, line = 860, 190, 18
		perDecade         = 180.0
	)
	var b strings.Builder
	y := 44
	for _, r := range rows {
		t := table{rows: []row{r}}
		fmt.Fprintf(&b, `<text x="10" y="%d" font-weight="bold">%s</text>`+"\n", y, html.EscapeString(r.name))
		for i, j := range r.jobs {
			if doesLess(j.name) {
				continue
			}
			y += line
			x := r.costs[i].time / t.unitTime(r)
			length := min(3+perDecade*math.Log10(x), width-left-60)
			fill := "#b8bec6"
			if strings.HasPrefix(j.name, "insist") {
				fill = "#1f77b4"
			}
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-8, y, html.EscapeString(j.name))
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.0f" height="12" fill="%s"/>`, left, y-10, length, fill)
			fmt.Fprintf(&b, `<text x="%.0f" y="%d">%s</text>`+"\n", left+length+6, y, ratio(x))
		}
		y += line + 14
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="white"/>
<text x="10" y="20">Time, as a ratio to the fastest of each group (logarithmic; shorter is better)</text>
%s</svg>
`, width, y, b.String())
}

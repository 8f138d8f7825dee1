package main

import (
	"image/color"
	"os"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The look of each policy, in the order of compared: colours that the colour-blind
// can tell apart, and the library's on top.
var looks = []draw.LineStyle{
	{Color: color.Gray{110}, Width: vg.Points(2.5)},
	{Color: color.RGBA{230, 159, 0, 255}, Width: vg.Points(1.2)},
	{Color: color.RGBA{204, 121, 167, 255}, Width: vg.Points(1.2), Dashes: []vg.Length{4, 2}},
	{Color: color.RGBA{213, 94, 0, 255}, Width: vg.Points(1.2)},
	{Color: color.RGBA{0, 158, 115, 255}, Width: vg.Points(1.2)},
	{Color: color.RGBA{86, 180, 233, 255}, Width: vg.Points(1.2)},
	{Color: color.RGBA{170, 150, 0, 255}, Width: vg.Points(1.2), Dashes: []vg.Length{6, 2}},
	{Color: color.RGBA{0, 60, 200, 255}, Width: vg.Points(2), Dashes: []vg.Length{5, 3}},
}

const (
	panelWidth  = 13 * vg.Centimeter
	panelHeight = 7 * vg.Centimeter
	legendSpace = 1.2 * vg.Centimeter
)

// panel returns an empty plot.
func panel(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font.Size = vg.Points(11)
	p.Y.Min = 0
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.TickerFunc(ticks), plot.TickerFunc(ticks)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	return p
}

// ticks are the usual ones, without decimals that say nothing.
func ticks(low, high float64) []plot.Tick {
	all := plot.DefaultTicks{}.Ticks(low, high)
	for i, t := range all {
		if t.Label != "" {
			all[i].Label = strconv.FormatFloat(t.Value, 'g', 5, 64)
		}
	}
	return all
}

// band shades the time of the trouble.
type band struct{ seconds float64 }

func (b band) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	c.FillPolygon(color.RGBA{255, 235, 225, 255}, []vg.Point{
		{X: x(0), Y: c.Min.Y}, {X: x(b.seconds), Y: c.Min.Y},
		{X: x(b.seconds), Y: c.Max.Y}, {X: x(0), Y: c.Max.Y},
	})
}

// line adds the results of policy i.
func line(p *plot.Plot, i int, points plotter.XYs) {
	l, err := plotter.NewLine(points)
	if err != nil {
		panic(err) // a NaN: a run without calls
	}
	l.LineStyle = looks[i]
	p.Add(l)
}

// figure draws the panels of a grid, with one legend above, into an SVG file.
func figure(file string, rows [][]*plot.Plot) error {
	width := panelWidth * vg.Length(len(rows[0]))
	height := panelHeight*vg.Length(len(rows)) + legendSpace
	svg := vgsvg.New(width, height)
	all := draw.New(svg)
	all.FillPolygon(color.White, []vg.Point{{}, {X: width}, {X: width, Y: height}, {Y: height}})
	legend(draw.Crop(all, 0, 0, height-legendSpace, 0))
	tiles := draw.Tiles{
		Rows: len(rows), Cols: len(rows[0]), PadX: 12, PadY: 10,
		PadTop: 2, PadBottom: 4, PadLeft: 4, PadRight: 14,
	}
	canvases := plot.Align(rows, tiles, draw.Crop(all, 0, 0, 0, -legendSpace))
	for i, row := range rows {
		for j, p := range row {
			p.Draw(canvases[i][j])
		}
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = svg.WriteTo(out)
	return err
}

// legend names all policies, in two lines of four.
func legend(c draw.Canvas) {
	style := plot.New().Legend.TextStyle
	style.Font.Size = vg.Points(10)
	style.YAlign = draw.YCenter
	column := (c.Max.X - c.Min.X) / 4
	for i, p := range compared {
		x := c.Min.X + column*vg.Length(i%4) + 20
		y := c.Max.Y - legendSpace*vg.Length(1+2*(i/4))/4
		c.StrokeLine2(looks[i], x, y, x+30, y)
		c.FillText(style, vg.Point{X: x + 38, Y: y}, p.name)
	}
}

// overTime draws load and goodput of a scenario, for both kinds of clients.
func overTime(file, name string, until time.Duration) error {
	rows := make([][]*plot.Plot, 2)
	for _, clients := range shapes {
		load := panel(clients.String()+": load", "", "attempts per second")
		good := panel(clients.String()+": goodput", "seconds since the trouble began", "good calls per second")
		s := find(name, clients)
		load.Add(band{(s.end - s.begin).Seconds()})
		good.Add(band{(s.end - s.begin).Seconds()})
		for i, p := range compared {
			r := run(s, p, 1)
			line(load, i, perSecond(r.load, until))
			line(good, i, perSecond(r.goodput, until))
		}
		load.Y.Max, good.Y.Max = 1.05*load.Y.Max, 1.05*good.Y.Max
		rows[0], rows[1] = append(rows[0], load), append(rows[1], good)
	}
	return figure(file, rows)
}

// perSecond returns s as a rate per second, averaged over a second around each
// point.
func perSecond(s series, until time.Duration) (points plotter.XYs) {
	for t := -5 * time.Second; t < until; t += bin {
		at := calmTime + t
		points = append(points, plotter.XY{X: t.Seconds(), Y: s.sum(at-bin, at+bin)})
	}
	return points
}

// overErrors draws how many calls succeed if attempts fail at random.
func overErrors(file string) error {
	row := []*plot.Plot{}
	for _, clients := range shapes {
		good := panel(clients.String()+": errors at random", "% of attempts that fail", "% of calls that end well")
		good.Y.Min, good.Y.Max = 40, 100
		for i, p := range compared {
			var points plotter.XYs
			for failed := 0; failed <= 50; failed += 5 {
				r := run(errorsAtRandom(clients, float64(failed)/100), p, 1)
				points = append(points, plotter.XY{X: float64(failed), Y: 100 * r.success()})
			}
			line(good, i, points)
		}
		row = append(row, good)
	}
	return figure(file, [][]*plot.Plot{row})
}

func plots() error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	if err := overTime("brown-out.svg", "brown-out", 100*time.Second); err != nil {
		return err
	}
	if err := overTime("outage.svg", "outage, swallowed", 100*time.Second); err != nil {
		return err
	}
	if err := overTime("blip.svg", "blip, waits of 2 s", 10*time.Second); err != nil {
		return err
	}
	return overErrors("errors.svg")
}

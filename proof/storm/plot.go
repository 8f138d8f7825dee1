package main

import (
	"cmp"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// looks are the lines of the contenders, in colours that the colour-blind can tell apart.
var looks = map[string]draw.LineStyle{
	noRetries: {Color: color.Gray{110}, Width: vg.Points(2.5)},
	zero:      {Color: color.RGBA{230, 159, 0, 255}, Width: vg.Points(1.2)},
	retryable: {Color: color.RGBA{204, 121, 167, 255}, Width: vg.Points(1.2)},
	unbounded: {Color: color.RGBA{213, 94, 0, 255}, Width: vg.Points(1.2)},
	hedged:    {Color: color.RGBA{86, 180, 233, 255}, Width: vg.Points(1.5)},
	cooling:   {Color: color.RGBA{0, 158, 115, 255}, Width: vg.Points(1.5)},
	standard:  {Color: color.RGBA{0, 60, 200, 255}, Width: vg.Points(2), Dashes: []vg.Length{5, 3}},
}

const (
	panelWidth  = 13 * vg.Centimeter
	panelHeight = 7 * vg.Centimeter
	legendSpace = 1.2 * vg.Centimeter
)

func panel(s *scenario, title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font.Size = vg.Points(11)
	p.Y.Min = 0
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.TickerFunc(ticks), plot.TickerFunc(ticks)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid, band{(s.End - s.Begin).Seconds()})
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

// points are the events per second, each the mean of three seconds.
func points(s *scenario, c counts, name string) (xys plotter.XYs) {
	for t := time.Second; t < s.Horizon-time.Second; t += time.Second {
		mean := c.sum(name, t-time.Second, t+2*time.Second) / 3
		xys = append(xys, plotter.XY{X: (t - s.Begin).Seconds() + 0.5, Y: mean})
	}
	return xys
}

// draws draws load and goodput of a scenario, measured and simulated side by side.
func draws(dir string, s *scenario, outcomes []*outcome) error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	rows := make([][]*plot.Plot, 2)
	for i, what := range []struct{ counted, title, unit string }{
		{load, "load", "requests per second"}, {completed, "goodput", "completed in time per second"},
	} {
		x := ""
		if i == 1 {
			x = "seconds since the trouble began"
		}
		measured := panel(s, what.title+", measured", x, what.unit)
		simulated := panel(s, what.title+", simulated", x, "")
		for _, o := range outcomes {
			if o.Scenario != s.Name {
				continue
			}
			if err := line(measured, o.Contender, points(s, o.Measured, what.counted)); err != nil {
				return err
			}
			if len(o.Predicted) == 0 {
				continue
			}
			if err := line(simulated, o.Contender, points(s, nearest(s, o), what.counted)); err != nil {
				return err
			}
		}
		top := 1.05 * max(measured.Y.Max, simulated.Y.Max)
		measured.Y.Max, simulated.Y.Max = top, top
		rows[i] = []*plot.Plot{measured, simulated}
	}
	return figure(filepath.Join(dir, s.File), s, rows)
}

// nearest returns the simulation's run in which about as many calls succeed as was measured.
func nearest(s *scenario, o *outcome) counts {
	far := func(c counts) float64 { return math.Abs(summarize(s, c).success - summarize(s, o.Measured).success) }
	return slices.MinFunc(o.Predicted, func(a, b counts) int { return cmp.Compare(far(a), far(b)) })
}

func line(p *plot.Plot, contender string, xys plotter.XYs) error {
	l, err := plotter.NewLine(xys)
	if err != nil {
		return err
	}
	l.LineStyle = looks[contender]
	p.Add(l)
	return nil
}

// figure draws the panels of a grid, with one legend above, into an SVG file.
func figure(file string, s *scenario, rows [][]*plot.Plot) error {
	width := panelWidth * vg.Length(len(rows[0]))
	height := panelHeight*vg.Length(len(rows)) + legendSpace
	svg := vgsvg.New(width, height)
	all := draw.New(svg)
	all.FillPolygon(color.White, []vg.Point{{}, {X: width}, {X: width, Y: height}, {Y: height}})
	legend(draw.Crop(all, 0, 0, height-legendSpace, 0), s)
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

// legend names the contenders, in lines of four.
func legend(c draw.Canvas, s *scenario) {
	style := plot.New().Legend.TextStyle
	style.Font.Size = vg.Points(10)
	style.YAlign = draw.YCenter
	column := (c.Max.X - c.Min.X) / 4
	i := 0
	for _, p := range contenders {
		if !p.takesPart(s) {
			continue
		}
		x := c.Min.X + column*vg.Length(i%4) + 20
		y := c.Max.Y - legendSpace*vg.Length(1+2*(i/4))/4
		c.StrokeLine2(looks[p.name], x, y, x+30, y)
		c.FillText(style, vg.Point{X: x + 38, Y: y}, p.name)
		i++
	}
}

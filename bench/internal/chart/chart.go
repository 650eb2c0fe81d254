// Package chart draws results as SVG files.
package chart

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	width  = 28 * vg.Centimeter
	height = 12 * vg.Centimeter
	aside  = 6.6 * vg.Centimeter // of the width, for the names
)

// figure is a plot with the names beside it.
type figure struct {
	*plot.Plot
	names plot.Legend
}

// Series is the values of one product, one for each place on the axis. NaN is
// none.
type Series struct {
	Name   string
	Values []float64
}

// Bars draws groups of bars, one group for each place, one bar for each series.
func Bars(file, title, unit string, places []string, list []Series) error {
	if len(list) == 0 || len(places) == 0 {
		return nil
	}
	p := newPlot(title, unit)
	room := (width - aside) * 0.75 / vg.Length(len(places))
	bar := min(room/vg.Length(len(list)), 1.2*vg.Centimeter)
	most := 0.0
	colors := shades(list)
	for i, s := range list {
		values := make(plotter.Values, len(s.Values))
		for j, v := range s.Values {
			if !math.IsNaN(v) {
				values[j] = v
				most = max(most, v)
			}
		}
		b, err := plotter.NewBarChart(values, bar)
		if err != nil {
			return fmt.Errorf("chart: %s: %w", title, err)
		}
		b.LineStyle.Width = 0
		b.Color = colors[i]
		b.Offset = bar * vg.Length(float64(i)-float64(len(list)-1)/2)
		p.Add(b)
		p.names.Add(s.Name, b)
	}
	p.NominalX(places...)
	if letters := len(strings.Join(places, "")); letters > 80 { // or they run into each other
		p.X.Tick.Label.Font.Size = max(vg.Points(800/float64(letters)), vg.Points(6))
	}
	p.X.Min, p.X.Max = -0.5, float64(len(places))-0.5
	p.Y.Min, p.Y.Max = 0, max(most*1.05, 1e-9)
	return save(p, file)
}

// Lines draws one line for each series over numbers, both axes logarithmic.
func Lines(file, title, xUnit, unit string, x []float64, list []Series) error {
	p := newPlot(title, unit)
	p.X.Label.Text = xUnit
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = at(x), plot.LogTicks{Prec: -1}
	least, most := math.Inf(1), 0.0
	colors := shades(list)
	for i, s := range list {
		var points plotter.XYs
		for j, v := range s.Values {
			if v > 0 && !math.IsNaN(v) {
				points = append(points, plotter.XY{X: x[j], Y: v})
				least, most = min(least, v), max(most, v)
			}
		}
		if len(points) == 0 {
			continue
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("chart: %s: %w", title, err)
		}
		line.Color, line.Width, dots.Color = colors[i], vg.Points(2), colors[i]
		p.Add(line, dots)
		p.names.Add(s.Name, line, dots)
	}
	if most == 0 {
		return nil
	}
	// Where all values are the same there would be no room, or room below zero.
	p.X.Min, p.X.Max = slices.Min(x)/1.2, slices.Max(x)*1.2
	p.Y.Min, p.Y.Max = least/1.5, most*1.5
	return save(p, file)
}

// at marks the numbers that there are.
func at(x []float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, v := range slices.Compact(slices.Sorted(slices.Values(x))) {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprint(v)})
	}
	return ticks
}

func newPlot(title, unit string) *figure {
	p := &figure{Plot: plot.New(), names: plot.NewLegend()}
	p.Title.Text = title
	p.Title.Padding = vg.Points(8)
	p.Y.Label.Text = unit
	p.names.Top, p.names.Left = true, true
	p.names.Padding = vg.Points(2)
	for _, style := range []*draw.TextStyle{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.names.TextStyle,
	} {
		style.Font.Variant = "Sans"
		style.Font.Size = vg.Points(10)
	}
	p.Title.TextStyle.Font.Size = vg.Points(13)
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color = color.Gray{Y: 205}
	p.Add(grid)
	p.BackgroundColor = color.White
	return p
}

// families are the colours of products, by how their names begin. The second one
// of a family is lighter than the first, and so on.
var families = []struct {
	prefix string
	color  color.RGBA
}{
	{"peercache", color.RGBA{0x1b, 0x5e, 0x9b, 255}},
	{"floor", color.RGBA{0x55, 0x55, 0x55, 255}},
	{"map", color.RGBA{0x55, 0x55, 0x55, 255}},
	{"wire", color.RGBA{0x2a, 0x9d, 0x8f, 255}},
	{"group", color.RGBA{0xa9, 0x32, 0x26, 255}},
	{"golang-lru", color.RGBA{0xa9, 0x32, 0x26, 255}},
	{"LRU", color.RGBA{0xa9, 0x32, 0x26, 255}},
	{"Olric", color.RGBA{0x7d, 0x3c, 0x98, 255}},
	{"Redis", color.RGBA{0xd3, 0x6b, 0x0e, 255}},
	{"memcached", color.RGBA{0x27, 0x8e, 0x4d, 255}},
	{"otter", color.RGBA{0x27, 0x8e, 0x4d, 255}},
	{"ristretto", color.RGBA{0xd3, 0x6b, 0x0e, 255}},
	{"get", color.RGBA{0x27, 0x8e, 0x4d, 255}},
	{"set", color.RGBA{0x1b, 0x5e, 0x9b, 255}},
	{"delete", color.RGBA{0xa9, 0x32, 0x26, 255}},
	{"clear", color.RGBA{0xd3, 0x6b, 0x0e, 255}},
	{"gossip", color.RGBA{0x7d, 0x3c, 0x98, 255}},
	{"take", color.RGBA{0xd3, 0x6b, 0x0e, 255}},
	{"join", color.RGBA{0x27, 0x8e, 0x4d, 255}},
}

// shades returns a colour for each name.
func shades(list []Series) []color.Color {
	var colors []color.Color
	used := make(map[color.RGBA]int)
	for _, s := range list {
		c := color.RGBA{0x8d, 0x6e, 0x63, 255}
		for _, f := range families {
			if strings.HasPrefix(s.Name, f.prefix) {
				c = f.color
				break
			}
		}
		n := used[c]
		used[c]++
		colors = append(colors, lighter(c, min(float64(n)*0.3, 0.8)))
	}
	return colors
}

// lighter moves a colour towards white.
func lighter(c color.RGBA, by float64) color.Color {
	up := func(v uint8) uint8 { return v + uint8(float64(255-v)*by) }
	return color.RGBA{up(c.R), up(c.G), up(c.B), 255}
}

func save(p *figure, file string) error {
	canvas := vgsvg.New(width, height)
	whole := draw.New(canvas)
	whole.SetColor(color.White)
	whole.Fill(whole.Rectangle.Path())
	p.Draw(draw.Crop(whole, 0, -aside, vg.Points(4), -vg.Points(4)))
	p.names.Draw(draw.Crop(whole, width-aside+vg.Points(8), 0, 0, -vg.Centimeter))
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("chart: %w", err)
	}
	_, err = canvas.WriteTo(f)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("chart: %w", err)
	}
	return nil
}

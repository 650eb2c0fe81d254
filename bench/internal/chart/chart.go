// Package chart draws results as SVG files.
package chart

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

const (
	width  = 24 * vg.Centimeter
	height = 12 * vg.Centimeter
)

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
	room := width * 0.62 / vg.Length(len(places))
	bar := min(room/vg.Length(len(list)), 1.2*vg.Centimeter)
	for i, s := range list {
		values := make(plotter.Values, len(s.Values))
		for j, v := range s.Values {
			if !math.IsNaN(v) {
				values[j] = v
			}
		}
		b, err := plotter.NewBarChart(values, bar)
		if err != nil {
			return fmt.Errorf("chart: %s: %w", title, err)
		}
		b.LineStyle.Width = 0
		b.Color = shade(i)
		b.Offset = bar * vg.Length(float64(i)-float64(len(list)-1)/2)
		p.Add(b)
		p.Legend.Add(s.Name, b)
	}
	p.NominalX(places...)
	p.Y.Min = 0
	return save(p, file)
}

// Lines draws one line for each series over numbers, both axes logarithmic.
func Lines(file, title, xUnit, unit string, x []float64, list []Series) error {
	p := newPlot(title, unit)
	p.X.Label.Text = xUnit
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = at(x), plot.LogTicks{Prec: -1}
	drawn := false
	for i, s := range list {
		var points plotter.XYs
		for j, v := range s.Values {
			if v > 0 && !math.IsNaN(v) {
				points = append(points, plotter.XY{X: x[j], Y: v})
			}
		}
		if len(points) == 0 {
			continue
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("chart: %s: %w", title, err)
		}
		line.Color, line.Width, dots.Color = shade(i), vg.Points(2), shade(i)
		p.Add(line, dots)
		p.Legend.Add(s.Name, line, dots)
		drawn = true
	}
	if !drawn {
		return nil
	}
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

func newPlot(title, unit string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = vg.Points(8)
	p.Y.Label.Text = unit
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.TextStyle.Font.Size = vg.Points(9)
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color = color.Gray{Y: 225}
	p.Add(grid)
	p.BackgroundColor = color.White
	return p
}

func shade(i int) color.Color { return plotutil.SoftColors[i%len(plotutil.SoftColors)] }

func save(p *plot.Plot, file string) error {
	if err := p.Save(width, height, file); err != nil {
		return fmt.Errorf("chart: %w", err)
	}
	return nil
}

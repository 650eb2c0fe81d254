package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// screen writes what happens in columns. It is used by one goroutine.
type screen struct {
	w       io.Writer
	colours bool
	steps   int
}

func newScreen(w io.Writer, colours bool) *screen { return &screen{w: w, colours: colours} }

// colourful tells whether a file is a terminal that wants colours
// (https://no-color.org).
func colourful(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

func (s *screen) in(colour, text string) string {
	if !s.colours || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (s *screen) print(text string) {
	fmt.Fprintln(s.w, strings.TrimRight(text, " "))
}

func (s *screen) title(text string) { s.print("\n" + s.in(bold, text)) }

// step begins a part of the story.
func (s *screen) step(text string) {
	s.steps++
	s.print(fmt.Sprintf("\n%s", s.in(bold, fmt.Sprintf("%2d  %s", s.steps, text))))
}

// line says what was done on which node, what came of it and how long it
// took, if it took any time.
func (s *screen) line(node, did, answer string, took time.Duration) {
	duration := ""
	if took > 0 {
		duration = fmt.Sprintf("%10s", spoken(took))
	}
	s.print(fmt.Sprintf("    %s  %s  %s  %s",
		s.in(cyan, pad(node, 2)), pad(did, 38), s.in(green, pad(answer, 36)), s.in(dim, duration)))
}

// text is a line of its own.
func (s *screen) text(text string) { s.print("    " + text) }

func (s *screen) failed(err error) { s.print("\n" + s.in(red, "FAILED: "+err.Error())) }

func (s *screen) passed(text string) { s.print("\n" + s.in(green, text)) }

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-len([]rune(text))))
}

// spoken is a duration with three digits or so.
func spoken(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
}

// number is an integer with a comma between thousands.
func number(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// A screen is a person's terminal. Lines that are too long for it go on in the next
// one, under the column where they began. What programs read is never broken.
type screen struct {
	w    io.Writer
	wide int // columns
	held []byte
}

// screenOf is w as a screen if it is a terminal, else w itself.
func screenOf(w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	if !ok {
		return w
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col < 40 {
		return w
	}
	return &screen{w: w, wide: int(size.Col)}
}

// onScreen lets text be written to w, and sends on what has no end of line.
func onScreen(w io.Writer, text func(w io.Writer)) {
	to := screenOf(w)
	text(to)
	if s, ok := to.(*screen); ok {
		_, _ = s.w.Write(s.held)
	}
}

func (s *screen) Write(p []byte) (int, error) {
	s.held = append(s.held, p...)
	for {
		i := bytes.IndexByte(s.held, '\n')
		if i < 0 {
			return len(p), nil
		}
		line := string(s.held[:i])
		s.held = s.held[i+1:]
		if _, err := io.WriteString(s.w, fold(line, s.wide)+"\n"); err != nil {
			return 0, err
		}
	}
}

var (
	paint  = regexp.MustCompile("\x1b\\[[0-9;]*m")
	begins = regexp.MustCompile(`^ *(→ |\S+ {2,}){0,2}`) // what stands before a line's text
)

func columns(s string) int { return utf8.RuneCountInString(paint.ReplaceAllString(s, "")) }

// fold breaks a line between words, so that each part has at most wide columns. A
// word that is longer stays whole: it may be something to copy.
func fold(line string, wide int) string {
	if columns(line) <= wide {
		return line
	}
	head := begins.FindString(paint.ReplaceAllString(line, ""))
	indent := strings.Repeat(" ", min(columns(head), wide/3))
	var out strings.Builder
	at := 0
	for i, word := range strings.SplitAfter(line, " ") {
		n := columns(strings.TrimRight(word, " "))
		if i > 0 && at+n > wide && at > len(indent) {
			out.WriteString("\n" + indent)
			at = len(indent)
		}
		out.WriteString(word)
		at += columns(word)
	}
	return out.String()
}

// Widths of a table on a screen.
const (
	between = 2  // blanks between columns
	fixed   = 16 // a column so narrow is never cut: a date, a verdict, a number
	longID  = 28 // and so is an id in the first, which is there to be copied
	inset   = 4  // of what goes on in another line
)

// A band is those columns of a table that stand beside each other.
type band struct {
	from, to int // columns
	indent   int
	widths   []int // of all columns
}

// fit prints rows of cells in columns that the screen has room for: the widest are
// cut, and those that still have no room go on in another line.
func (s *screen) fit(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row[:min(len(row), len(widths))] {
			widths[i] = max(widths[i], columns(cell))
		}
	}
	var bands []band
	for from, indent := 0, 0; from < len(widths); indent = inset {
		b := band{from, from + 1, indent, widths}
		for b.to < len(widths) && b.least()+between+min(widths[b.to], fixed) <= s.wide {
			b.to++
		}
		b.cut(s.wide)
		bands, from = append(bands, b), b.to
	}
	for _, row := range rows {
		for _, b := range bands {
			if b.from < len(row) {
				fmt.Fprintln(s, b.line(row[:min(b.to, len(row))]))
			}
		}
	}
}

// whole reports whether a column is never cut.
func (b *band) whole(i int) bool { return b.widths[i] <= fixed || i == 0 && b.widths[0] <= longID }

// least is how wide the band is with its columns cut as far as they may be.
func (b *band) least() int {
	sum := b.indent + (b.to-b.from-1)*between
	for i := b.from; i < b.to; i++ {
		if b.whole(i) {
			sum += b.widths[i]
		} else {
			sum += fixed
		}
	}
	return sum
}

// cut takes from the widest columns until the band has no more than wide.
func (b *band) cut(wide int) {
	for {
		sum, widest := b.indent+(b.to-b.from-1)*between, -1
		for i := b.from; i < b.to; i++ {
			sum += b.widths[i]
			if !b.whole(i) && (widest < 0 || b.widths[i] > b.widths[widest]) {
				widest = i
			}
		}
		if sum <= wide || widest < 0 {
			return
		}
		b.widths[widest]--
	}
}

// line lays a row's cells out.
func (b *band) line(row []string) string {
	var line strings.Builder
	line.WriteString(strings.Repeat(" ", b.indent))
	for i := b.from; i < len(row); i++ {
		cell := show(row[i], max(1, b.widths[i]))
		line.WriteString(cell)
		if i < len(row)-1 {
			line.WriteString(strings.Repeat(" ", b.widths[i]-columns(cell)+between))
		}
	}
	return line.String()
}

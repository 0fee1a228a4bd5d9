package main

import (
	"bytes"
	"fmt"
	"io"
)

// logLines writes JSON log lines. Control characters that JSON lets stand as they
// are (U+007F to U+009F, among them a line end and the beginning of commands that a
// console obeys) are written as \u escapes: what comes from outside moves nothing.
type logLines struct{ to io.Writer }

func (l logLines) Write(line []byte) (int, error) {
	if bytes.IndexByte(line, 0x7f) < 0 && bytes.IndexByte(line, 0xc2) < 0 {
		return l.to.Write(line)
	}
	safe := make([]byte, 0, len(line)+32)
	for i := 0; i < len(line); i++ {
		switch b := line[i]; {
		case b == 0x7f:
			safe = append(safe, `\u007f`...)
		case b == 0xc2 && i+1 < len(line) && line[i+1] >= 0x80 && line[i+1] <= 0x9f: // U+0080 to U+009F in UTF-8
			i++
			safe = fmt.Appendf(safe, `\u00%02x`, line[i])
		default:
			safe = append(safe, b)
		}
	}
	if _, err := l.to.Write(safe); err != nil {
		return 0, err
	}
	return len(line), nil
}

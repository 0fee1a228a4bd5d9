package deliver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxReplyLine  = 4096 // octets with line end; RFC 5321 §4.5.3.1.5 says 512, some hops say more
	maxReplyLines = 128  // of one reply
	maxReplyText  = 1024 // octets we keep of one reply beside EHLO's
)

var errReply = errors.New("reply is not SMTP")

// reply is one answer of the hop (RFC 5321 §4.2).
type reply struct {
	code  int      // 200-599
	lines []string // text after the code; cleaned: printable, valid UTF-8
}

func (r *reply) ok() bool        { return r.code >= 200 && r.code < 300 }
func (r *reply) temporary() bool { return r.code >= 400 && r.code < 500 }
func (r *reply) permanent() bool { return r.code >= 500 }

// enhanced is the enhanced status code (RFC 3463 §2), "" if there is none.
func (r *reply) enhanced() string {
	if len(r.lines) == 0 {
		return ""
	}
	word, _, _ := strings.Cut(r.lines[0], " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 || len(parts[0]) != 1 || len(word) > 9 {
		return ""
	}
	for _, p := range parts {
		if p == "" || strings.Trim(p, "0123456789") != "" {
			return ""
		}
	}
	return word
}

// String is the whole reply on one line; an enhanced code repeated on each line
// of the reply is told once.
func (r *reply) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", r.code)
	code := r.enhanced()
	for i, line := range r.lines {
		if i > 0 && code != "" {
			line = strings.TrimPrefix(line, code)
		}
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		left := maxReplyText - b.Len()
		b.WriteByte(' ')
		b.WriteString(clip(line, left))
		if len(line) > left {
			break
		}
	}
	return b.String()
}

// readReply reads one reply of any number of lines. The error is errReply for
// what is no SMTP or too long, io.ErrUnexpectedEOF when the stream ends within a
// reply, or br's own.
func readReply(br *bufio.Reader) (*reply, error) {
	r := new(reply)
	for n := 0; ; n++ {
		if n == maxReplyLines {
			return nil, fmt.Errorf("%w: more than %d lines", errReply, maxReplyLines)
		}
		line, err := readLine(br)
		if err != nil {
			if err == io.EOF && n > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		code, text, more, ok := parseReplyLine(line)
		if !ok || n > 0 && code != r.code {
			return nil, fmt.Errorf("%w: %q", errReply, clip(clean(line), 80))
		}
		r.code = code
		r.lines = append(r.lines, text)
		if !more {
			return r, nil
		}
	}
}

// readLine returns the next line without its end. The slice is br's.
func readLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return nil, fmt.Errorf("%w: line longer than %d octets", errReply, maxReplyLine)
	case err == io.EOF && len(line) > 0:
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, nil
}

func parseReplyLine(line []byte) (code int, text string, more, ok bool) {
	if len(line) < 3 {
		return 0, "", false, false
	}
	for _, c := range line[:3] {
		if c < '0' || c > '9' {
			return 0, "", false, false
		}
		code = code*10 + int(c-'0')
	}
	if code < 200 || code > 599 {
		return 0, "", false, false
	}
	if len(line) == 3 {
		return code, "", false, true
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, "", false, false
	}
	return code, clean(line[4:]), line[3] == '-', true
}

// clean makes the other side's octets fit to store and show: valid UTF-8 without
// control or invisible characters.
func clean(b []byte) string {
	plain := true
	for _, c := range b {
		if c < ' ' || c > '~' {
			plain = false
			break
		}
	}
	if plain {
		return string(b)
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r != ' ' && !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(string(b), "?"))
}

// clip cuts s to at most n octets without splitting a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

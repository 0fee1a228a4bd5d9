package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
)

var errTooLarge = errors.New("message is larger than the server takes")

// data is DATA: everything up to CRLF.CRLF, dots unstuffed.
func (x *session) data(ctx context.Context) bool {
	if !x.mail || len(x.env.To) == 0 || x.bdat != nil {
		return x.say(Reply{503, "5.5.2 Need rcpt command"})
	}
	if x.say(Reply{354, "Start mail input; end with <CRLF>.<CRLF>"}); x.w.Flush() != nil {
		return false
	}
	x.deadline()
	raw, err := readDots(x.r, x.s.maxSize())
	switch {
	case errors.Is(err, errTooLarge):
		x.reset()
		return x.say(Reply{552, "5.3.4 Message size exceeds fixed maximum message size"})
	case err != nil:
		return false
	}
	return x.done(ctx, raw)
}

func (x *session) done(ctx context.Context, raw []byte) bool {
	env := x.env
	r := x.s.Handler.Data(ctx, &env, raw)
	x.reset()
	x.deadline()
	return x.say(r)
}

// readDots reads to CRLF.CRLF and undoes dot-stuffing (RFC 5321 §4.5.2). A line
// ends with CRLF only; bare CR and LF are content.
func readDots(r *bufio.Reader, limit int) ([]byte, error) {
	var out []byte
	prev, start, over := byte(0), true, false
	for {
		line, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if start && string(line) == ".\r\n" {
			break
		}
		if start && line[0] == '.' {
			line = line[1:]
		}
		if over = over || len(out)+len(line) > limit; !over {
			out = append(out, line...)
		}
		start, prev = crlf(prev, line)
	}
	if over {
		return nil, errTooLarge
	}
	return out, nil
}

// crlf reports whether a line end was just read, prev being the octet before b, and
// gives the last octet: a slice of the buffer may be cut between CR and LF.
func crlf(prev byte, b []byte) (ended bool, last byte) {
	if len(b) == 0 {
		return false, prev
	}
	last = b[len(b)-1]
	if len(b) > 1 {
		prev = b[len(b)-2]
	}
	return prev == '\r' && last == '\n', last
}

// chunk is BDAT (RFC 3030 §2).
func (x *session) chunk(ctx context.Context, arg string) bool {
	f := strings.Fields(arg)
	if len(f) == 0 || len(f) > 2 || len(f) == 2 && !strings.EqualFold(f[1], "LAST") {
		x.say(Reply{501, "5.5.4 Invalid arguments"})
		return false // how many octets follow is not known
	}
	n, err := strconv.Atoi(f[0])
	if err != nil || n < 0 {
		x.say(Reply{501, "5.5.4 Invalid arguments"})
		return false
	}
	last := len(f) == 2
	x.w.Flush()
	x.deadline()
	switch {
	case !x.mail || len(x.env.To) == 0 || x.bad:
		x.bad = true
	case len(x.bdat)+n > x.s.maxSize():
		x.bad = true
	}
	if x.bad {
		if _, err := io.CopyN(io.Discard, x.r, int64(n)); err != nil {
			return false
		}
		if last {
			x.reset()
		}
		return x.say(Reply{503, "5.5.2 Need rcpt command, or too large"})
	}
	was := len(x.bdat)
	x.bdat = append(x.bdat, make([]byte, n)...)
	if _, err := io.ReadFull(x.r, x.bdat[was:]); err != nil {
		return false
	}
	if !last {
		return x.say(Reply{250, "2.6.0 CHUNK received OK, " + strconv.Itoa(n) + " octets"})
	}
	raw := x.bdat
	return x.done(ctx, raw)
}

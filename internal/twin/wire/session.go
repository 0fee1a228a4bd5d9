package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// A session is one client's dialogue.
type session struct {
	s    *Server
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
	env  Envelope
	mail bool   // MAIL was accepted
	bdat []byte // chunks so far
	bad  bool   // a chunk was refused; the rest are read and dropped
}

func newSession(s *Server, c net.Conn) *session {
	x := &session{s: s, conn: c, r: bufio.NewReaderSize(c, 32<<10), w: bufio.NewWriterSize(c, 4<<10)}
	x.env.Peer = peerOf(c)
	return x
}

// run holds the dialogue until QUIT or an error.
func (x *session) run(ctx context.Context) {
	if x.s.Seen != nil {
		x.env.Peer = x.s.Seen(x.env.Peer)
	}
	x.say(Reply{220, x.s.Hostname + " Microsoft ESMTP MAIL Service ready at " + time.Now().UTC().Format(time.RFC1123Z)})
	for {
		line, err := x.line()
		if err != nil {
			return
		}
		verb, arg, _ := strings.Cut(line, " ")
		if !x.do(ctx, strings.ToUpper(verb), strings.TrimSpace(arg)) {
			x.w.Flush()
			return
		}
	}
}

// say queues a reply; it is flushed before the next read that would block, so a
// pipelined batch is answered in one write (RFC 2920 §3.2).
func (x *session) say(r Reply) bool {
	r.writeTo(x.w)
	if x.r.Buffered() == 0 {
		return x.w.Flush() == nil
	}
	return true
}

// line reads a command line.
func (x *session) line() (string, error) {
	if x.r.Buffered() == 0 {
		if err := x.w.Flush(); err != nil {
			return "", err
		}
	}
	x.deadline()
	line, err := x.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		x.say(Reply{500, "5.5.2 Line too long"})
		x.w.Flush()
	}
	return strings.TrimRight(string(line), "\r\n"), err
}

func (x *session) deadline() {
	d := x.s.Idle
	if d == 0 {
		d = 5 * time.Minute
	}
	x.conn.SetDeadline(time.Now().Add(d))
}

// do carries out one command and reports whether the dialogue goes on.
func (x *session) do(ctx context.Context, verb, arg string) bool {
	switch verb {
	case "EHLO", "HELO":
		return x.hello(verb, arg)
	case "STARTTLS":
		return x.startTLS(ctx)
	case "MAIL":
		return x.mailFrom(arg)
	case "RCPT":
		return x.rcptTo(ctx, arg)
	case "DATA":
		return x.data(ctx)
	case "BDAT":
		return x.chunk(ctx, arg)
	case "RSET":
		x.reset()
		return x.say(Reply{250, "2.0.0 Resetting"})
	case "NOOP":
		return x.say(Reply{250, "2.0.0 OK"})
	case "QUIT":
		x.say(Reply{221, "2.0.0 Service closing transmission channel"})
		return false
	case "VRFY":
		return x.say(Reply{252, "2.1.5 Cannot VRFY user"})
	}
	return x.say(Reply{500, "5.3.3 Unrecognized command"})
}

func (x *session) reset() {
	x.mail, x.bad, x.bdat = false, false, nil
	x.env.From, x.env.To, x.env.Param = "", nil, nil
}

func (x *session) hello(verb, arg string) bool {
	if arg == "" {
		return x.say(Reply{501, "5.5.4 Invalid domain name"})
	}
	x.reset()
	x.env.HELO = arg
	first := fmt.Sprintf("%s Hello [%s]", x.s.Hostname, x.env.Peer)
	if verb == "HELO" {
		return x.say(Reply{250, first})
	}
	ext := []string{first, "SIZE " + strconv.Itoa(x.s.maxSize()), "PIPELINING", "DSN", "ENHANCEDSTATUSCODES"}
	if x.s.TLS != nil && x.env.TLS == nil {
		ext = append(ext, "STARTTLS")
	}
	return x.say(Reply{250, strings.Join(append(ext, "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8"), "\n")})
}

func (x *session) startTLS(ctx context.Context) bool {
	if x.s.TLS == nil || x.env.TLS != nil {
		return x.say(Reply{503, "5.5.2 STARTTLS not possible now"})
	}
	Reply{220, "2.0.0 SMTP server ready"}.writeTo(x.w)
	if x.w.Flush() != nil || x.r.Buffered() > 0 {
		return false // octets sent before the handshake are an injection (RFC 3207 §4.2)
	}
	c := tls.Server(x.conn, x.s.TLS)
	if err := c.HandshakeContext(ctx); err != nil {
		return false
	}
	state := c.ConnectionState()
	x.reset()
	x.env.HELO, x.env.TLS = "", &state
	x.conn = c
	x.r.Reset(c)
	x.w.Reset(c)
	return true
}

func (x *session) mailFrom(arg string) bool {
	path, params, ok := cutPath(arg, "FROM:")
	if !ok || x.env.HELO == "" || x.mail {
		return x.say(Reply{503, "5.5.2 Bad sequence or syntax of MAIL"})
	}
	p := map[string]string{}
	for _, f := range strings.Fields(params) {
		k, v, _ := strings.Cut(f, "=")
		p[strings.ToUpper(k)] = v
	}
	if n, err := strconv.Atoi(p["SIZE"]); err == nil && n > x.s.maxSize() {
		return x.say(Reply{552, "5.3.4 Message size exceeds fixed maximum message size"})
	}
	x.env.From, x.env.Param, x.mail = path, p, true
	return x.say(Reply{250, "2.1.0 Sender OK"})
}

func (x *session) rcptTo(ctx context.Context, arg string) bool {
	path, _, ok := cutPath(arg, "TO:")
	if !ok || !x.mail || path == "" {
		return x.say(Reply{503, "5.5.2 Bad sequence or syntax of RCPT"})
	}
	r := x.s.Handler.Rcpt(ctx, &x.env, path)
	if r.OK() {
		x.env.To = append(x.env.To, path)
	}
	return x.say(r)
}

// cutPath takes "FROM:<a@b> SIZE=1" apart.
func cutPath(arg, prefix string) (path, params string, ok bool) {
	if len(arg) < len(prefix) || !strings.EqualFold(arg[:len(prefix)], prefix) {
		return "", "", false
	}
	rest := strings.TrimSpace(arg[len(prefix):])
	end := strings.LastIndexByte(rest, '>')
	if !strings.HasPrefix(rest, "<") || end < 0 {
		return "", "", false
	}
	path = rest[1:end]
	if i := strings.IndexByte(path, ':'); strings.HasPrefix(path, "@") && i > 0 {
		path = path[i+1:] // source route (RFC 5321 §4.1.1.3)
	}
	return path, rest[end+1:], true
}

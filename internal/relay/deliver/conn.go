package deliver

import (
	"bufio"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"postern/internal/mail"
)

const writeBuffer = 16 << 10 // octets: one TLS record

// route is what a connection is for. Connections are shared only within one.
type route struct {
	tenant string
	mta    mail.MTA
}

// conn is one SMTP session as its client. It belongs to one goroutine at a time.
type conn struct {
	route route
	nc    net.Conn     // TCP, or TLS over it
	tcp   *net.TCPConn // always the TCP connection
	br    *bufio.Reader
	bw    *bufio.Writer
	times Timeouts
	ctx   context.Context // of the transaction: its end interrupts reading and writing

	ext   extensions
	tls   mail.TLS
	hurry time.Duration // most that the hop may be silent while another is left to try; 0 if none is

	messages int       // transactions begun
	idle     time.Time // since when it waits in the pool
	served   time.Time // when it last delivered a message
	dirty    bool      // the hop must be told RSET before the next MAIL
}

// extensions are what the hop offered in EHLO.
type extensions struct {
	pipelining bool // RFC 2920
	chunking   bool // RFC 3030
	eightBit   bool // RFC 6152
	utf8       bool // RFC 6531
	dsn        bool // RFC 3461
	startTLS   bool // RFC 3207
	requireTLS bool // RFC 8689
	size       bool // RFC 1870
	rcptMax    int  // RFC 9422, 0 if not told
}

func newConn(nc *net.TCPConn, r route, times Timeouts) *conn {
	return &conn{route: r, nc: nc, tcp: nc, times: times, ctx: context.Background(),
		br: bufio.NewReaderSize(nc, maxReplyLine), bw: bufio.NewWriterSize(nc, writeBuffer)}
}

// wait sets how long the next reading or writing may take. The end of ctx ends
// it at once.
func (c *conn) wait(d time.Duration) {
	if c.hurry > 0 {
		d = min(d, c.hurry)
	}
	deadline := time.Now().Add(d)
	if by, ok := c.ctx.Deadline(); ok && by.Before(deadline) {
		deadline = by
	}
	c.nc.SetDeadline(deadline)
	if c.ctx.Err() != nil { // interrupt may have come before our deadline
		c.nc.SetDeadline(time.Unix(1, 0))
	}
}

// use binds the connection to ctx until the returned function is called.
func (c *conn) use(ctx context.Context) (release func()) {
	c.ctx = ctx
	stop := context.AfterFunc(ctx, func() { c.nc.SetDeadline(time.Unix(1, 0)) })
	return func() {
		stop()
		c.ctx = context.Background()
	}
}

// fault turns an error of the connection into what is reported.
func (c *conn) fault(stage string, err error) *hopError {
	if c.ctx.Err() == context.Canceled {
		err = context.Canceled
	}
	return &hopError{stage: stage, err: err}
}

// read waits up to d for one reply.
func (c *conn) read(stage string, d time.Duration) (*reply, *hopError) {
	c.wait(d)
	r, err := readReply(c.br)
	if err != nil {
		return nil, c.fault(stage, err)
	}
	if r.code == 421 { // the hop is closing the connection, whatever we asked (RFC 5321 §3.8)
		return nil, &hopError{stage: stage, reply: r}
	}
	return r, nil
}

// put buffers a command line; flush sends it.
func (c *conn) put(parts ...string) {
	for _, p := range parts {
		c.bw.WriteString(p) // the error stays with the writer until flush
	}
	c.bw.WriteString("\r\n")
}

func (c *conn) flush(stage string, d time.Duration) *hopError {
	c.wait(d)
	if err := c.bw.Flush(); err != nil {
		return c.fault(stage, err)
	}
	return nil
}

// command sends one line and waits up to d for its reply.
func (c *conn) command(stage string, d time.Duration, parts ...string) (*reply, *hopError) {
	c.put(parts...)
	if err := c.flush(stage, d); err != nil {
		return nil, err
	}
	return c.read(stage, d)
}

// greet waits for the hop's opening message (RFC 5321 §3.1).
func (c *conn) greet() (*reply, *hopError) {
	r, err := c.read(theConnection, c.times.Greeting)
	if err == nil && r.code != 220 {
		err = &hopError{stage: theConnection, reply: r}
	}
	return r, err
}

// hello says EHLO and learns the extensions, or HELO to a hop that knows only
// that and need not be encrypted.
func (c *conn) hello(name string) (*reply, *hopError) {
	c.ext = extensions{}
	r, err := c.command("EHLO", c.times.Hello, "EHLO ", name)
	if err == nil && r.permanent() && c.route.mta.TLS == mail.TLSNone {
		r, err = c.command("HELO", c.times.Hello, "HELO ", name)
		if err == nil && r.ok() {
			return r, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if !r.ok() {
		return r, &hopError{stage: "EHLO", reply: r}
	}
	c.ext = parseExtensions(r.lines)
	return r, nil
}

func parseExtensions(lines []string) (x extensions) {
	for i, line := range lines {
		if i == 0 {
			continue // the hop's name
		}
		words := strings.Fields(strings.ToUpper(line))
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "PIPELINING":
			x.pipelining = true
		case "CHUNKING":
			x.chunking = true
		case "8BITMIME":
			x.eightBit = true
		case "SMTPUTF8":
			x.utf8 = true
		case "DSN":
			x.dsn = true
		case "STARTTLS":
			x.startTLS = true
		case "REQUIRETLS":
			x.requireTLS = true
		case "SIZE":
			x.size = true
		case "LIMITS":
			for _, w := range words[1:] {
				if n, ok := strings.CutPrefix(w, "RCPTMAX="); ok {
					x.rcptMax, _ = strconv.Atoi(n)
				}
			}
		}
	}
	return x
}

// quit ends the session politely but does not wait long for the answer.
func (c *conn) quit() {
	c.hurry = 0
	if _, err := c.command("QUIT", c.times.Quit, "QUIT"); err == nil {
		io.CopyN(io.Discard, c.br, 1) // let the hop close first
	}
	c.nc.Close()
}

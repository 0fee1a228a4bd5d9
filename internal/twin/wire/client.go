package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Delivery is one message for one next hop.
type Delivery struct {
	Addr   string     // host:port to connect to
	Source netip.Addr // local address; invalid for the system's choice
	HELO   string
	TLS    *tls.Config // nil never uses STARTTLS
	Must   bool        // refuse to go on without TLS
	From   string
	To     []string
	Raw    []byte
	Wait   time.Duration // longest wait for one reply; 0 means one minute
}

// Stages of a dialogue, where a Failure happened.
const (
	StageConnect string = "connect"
	StageTLS     string = "tls"
	StageSMTP    string = "smtp"
)

// A Failure is a dialogue that did not come to its end, or a refusal.
type Failure struct {
	Stage string
	Reply Reply // zero if the peer said nothing
	Err   error
}

func (f *Failure) Error() string {
	if f.Err != nil {
		return f.Stage + ": " + f.Err.Error()
	}
	return f.Stage + ": " + f.Reply.String()
}

func (f *Failure) Unwrap() error { return f.Err }

// A Receipt is what a delivered message's dialogue showed.
type Receipt struct {
	Reply   Reply
	TLS     *tls.ConnectionState
	Refused map[string]Reply // recipients the peer did not take, while it took others
	Chunked bool             // BDAT was used
}

// ErrBareLF means that the content has a bare LF and the peer has no CHUNKING.
var ErrBareLF = errors.New("550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds, which cannot be sent via DATA")

type client struct {
	d    Delivery
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
	ext  map[string]string
	tls  *tls.ConnectionState
}

// Send delivers d. The error is a *Failure.
func Send(ctx context.Context, d Delivery) (Receipt, error) {
	if d.Wait == 0 {
		d.Wait = time.Minute
	}
	dialer := net.Dialer{Timeout: d.Wait}
	if d.Source.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(d.Source, 0))
	}
	conn, err := dialer.DialContext(ctx, "tcp", d.Addr)
	if err != nil {
		return Receipt{}, &Failure{Stage: StageConnect, Err: err}
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	c := &client{d: d, conn: conn, r: bufio.NewReader(conn), w: bufio.NewWriter(conn)}
	return c.dialogue(ctx)
}

func (c *client) dialogue(ctx context.Context) (Receipt, error) {
	if r, err := c.read(); err != nil || !r.OK() {
		return Receipt{}, failed(StageConnect, r, err)
	}
	if err := c.hello(); err != nil {
		return Receipt{}, err
	}
	if err := c.secure(ctx); err != nil {
		return Receipt{}, err
	}
	if c.d.From == "" && len(c.d.To) == 0 { // only a look
		c.cmd("QUIT")
		return Receipt{TLS: c.tls}, nil
	}
	return c.transact()
}

func failed(stage string, r Reply, err error) *Failure {
	return &Failure{Stage: stage, Reply: r, Err: err}
}

func (c *client) read() (Reply, error) {
	c.conn.SetDeadline(time.Now().Add(c.d.Wait))
	return readReply(c.r)
}

func (c *client) cmd(format string, args ...any) (Reply, error) {
	fmt.Fprintf(c.w, format+"\r\n", args...)
	if err := c.w.Flush(); err != nil {
		return Reply{}, err
	}
	return c.read()
}

func (c *client) hello() error {
	r, err := c.cmd("EHLO %s", c.d.HELO)
	if err != nil || !r.OK() {
		return failed(StageSMTP, r, err)
	}
	c.ext = map[string]string{}
	for _, l := range strings.Split(r.Text, "\n")[1:] {
		k, v, _ := strings.Cut(l, " ")
		c.ext[strings.ToUpper(k)] = v
	}
	return nil
}

func (c *client) has(ext string) bool { _, ok := c.ext[ext]; return ok }

// secure does STARTTLS where it can, and fails where it must and cannot.
func (c *client) secure(ctx context.Context) error {
	if c.d.TLS == nil || !c.has("STARTTLS") {
		if c.d.Must {
			return failed(StageTLS, Reply{451, "5.7.3 STARTTLS is required to send mail"}, nil)
		}
		return nil
	}
	r, err := c.cmd("STARTTLS")
	if err != nil || !r.OK() {
		return failed(StageTLS, r, err)
	}
	t := tls.Client(c.conn, c.d.TLS)
	t.SetDeadline(time.Now().Add(c.d.Wait))
	if err := t.HandshakeContext(ctx); err != nil {
		return failed(StageTLS, Reply{}, err)
	}
	state := t.ConnectionState()
	c.tls, c.conn, c.r, c.w = &state, t, bufio.NewReader(t), bufio.NewWriter(t)
	return c.hello()
}

// transact sends the envelope in one batch where PIPELINING allows it.
func (c *client) transact() (Receipt, error) {
	cmds := []string{"MAIL FROM:<" + c.d.From + ">" + c.params()}
	for _, to := range c.d.To {
		cmds = append(cmds, "RCPT TO:<"+to+">")
	}
	replies, err := c.batch(cmds)
	if err != nil {
		return Receipt{}, failed(StageSMTP, Reply{}, err)
	}
	if !replies[0].OK() {
		return Receipt{}, failed(StageSMTP, replies[0], nil)
	}
	refused := map[string]Reply{}
	for i, r := range replies[1:] {
		if !r.OK() {
			refused[c.d.To[i]] = r
		}
	}
	if len(refused) == len(c.d.To) {
		c.cmd("QUIT")
		return Receipt{}, failed(StageSMTP, replies[1], nil)
	}
	chunked := c.has("CHUNKING")
	if !chunked && bareLF(c.d.Raw) {
		return Receipt{}, failed(StageSMTP, Reply{550, "5.6.11 SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds, which cannot be sent via DATA"}, ErrBareLF)
	}
	r, err := c.content(chunked)
	if err != nil || !r.OK() {
		return Receipt{}, failed(StageSMTP, r, err)
	}
	c.cmd("QUIT")
	return Receipt{Reply: r, TLS: c.tls, Refused: refused, Chunked: chunked}, nil
}

func (c *client) params() string {
	p := ""
	if c.has("SIZE") {
		p += " SIZE=" + strconv.Itoa(len(c.d.Raw))
	}
	if c.has("8BITMIME") && !ascii(string(c.d.Raw)) {
		p += " BODY=8BITMIME"
	}
	if c.has("SMTPUTF8") && (!ascii(c.d.From) || slices.ContainsFunc(c.d.To, func(s string) bool { return !ascii(s) })) {
		p += " SMTPUTF8"
	}
	return p
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func (c *client) batch(cmds []string) ([]Reply, error) {
	var replies []Reply
	if c.has("PIPELINING") {
		for _, cmd := range cmds {
			c.w.WriteString(cmd + "\r\n")
		}
		if err := c.w.Flush(); err != nil {
			return nil, err
		}
	}
	for _, cmd := range cmds {
		var r Reply
		var err error
		if c.has("PIPELINING") {
			r, err = c.read()
		} else {
			r, err = c.cmd("%s", cmd)
		}
		if err != nil {
			return nil, err
		}
		replies = append(replies, r)
	}
	return replies, nil
}

func (c *client) content(chunked bool) (Reply, error) {
	if chunked {
		c.conn.SetDeadline(time.Now().Add(c.d.Wait))
		fmt.Fprintf(c.w, "BDAT %d LAST\r\n", len(c.d.Raw))
		c.w.Write(c.d.Raw)
		if err := c.w.Flush(); err != nil {
			return Reply{}, err
		}
		return c.read()
	}
	if r, err := c.cmd("DATA"); err != nil || r.Code != 354 {
		return r, err
	}
	c.w.Write(stuffed(c.d.Raw))
	return c.cmd(".")
}

// stuffed doubles the dots that begin a line and ends the last line (RFC 5321 §4.5.2).
func stuffed(raw []byte) []byte {
	if bytes.HasPrefix(raw, []byte(".")) {
		raw = append([]byte("."), raw...)
	}
	raw = bytes.ReplaceAll(raw, []byte("\r\n."), []byte("\r\n.."))
	if !bytes.HasSuffix(raw, []byte("\r\n")) {
		raw = append(bytes.Clone(raw), "\r\n"...)
	}
	return raw
}

func bareLF(raw []byte) bool {
	for i, b := range raw {
		if b == '\n' && (i == 0 || raw[i-1] != '\r') {
			return true
		}
	}
	return false
}

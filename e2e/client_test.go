package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// client is an SMTP client of the tests' own, so that what the program says is
// heard by nobody's code but this.
type client struct {
	conn net.Conn
	r    *bufio.Reader
}

// answer is a reply, its lines joined by blanks.
type answer struct {
	code int
	text string
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.code, a.text) }

// dial connects, reads the greeting and says EHLO, over TLS unless plain.
func dial(addr string, plain bool) (*client, error) {
	if plain {
		return dialTLS(addr, nil)
	}
	return dialTLS(addr, clientTLS())
}

// dialTLS is dial with TLS as t says, or without if it is nil.
func dialTLS(addr string, t *tls.Config) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		return nil, err
	}
	c := &client{conn, bufio.NewReader(conn)}
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	if err = c.hello(t); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *client) hello(conf *tls.Config) error {
	if a, err := c.answer(); err != nil || a.code != 220 {
		return fmt.Errorf("greeting %s: %w", a, orUnexpected(err))
	}
	if a, err := c.say("EHLO mail-am1.outbound.protection.outlook.test"); err != nil || a.code != 250 {
		return fmt.Errorf("EHLO: %s: %w", a, orUnexpected(err))
	}
	if conf == nil {
		return nil
	}
	if a, err := c.say("STARTTLS"); err != nil || a.code != 220 {
		return fmt.Errorf("STARTTLS: %s: %w", a, orUnexpected(err))
	}
	t := tls.Client(c.conn, conf)
	if err := t.Handshake(); err != nil {
		return err
	}
	c.conn, c.r = t, bufio.NewReader(t)
	if a, err := c.say("EHLO mail-am1.outbound.protection.outlook.test"); err != nil || a.code != 250 {
		return fmt.Errorf("EHLO: %s: %w", a, orUnexpected(err))
	}
	return nil
}

func orUnexpected(err error) error {
	if err == nil {
		return fmt.Errorf("unexpected")
	}
	return err
}

// say sends a command line and reads its answer.
func (c *client) say(format string, args ...any) (answer, error) {
	c.conn.SetDeadline(time.Now().Add(2 * time.Minute))
	if _, err := fmt.Fprintf(c.conn, format+"\r\n", args...); err != nil {
		return answer{}, err
	}
	return c.answer()
}

func (c *client) answer() (answer, error) {
	var a answer
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return a, err
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 3 {
			return a, fmt.Errorf("no reply: %q", line)
		}
		if a.code, err = strconv.Atoi(line[:3]); err != nil {
			return a, fmt.Errorf("no reply: %q", line)
		}
		a.text = strings.TrimSpace(a.text + " " + strings.TrimLeft(line[3:], "- "))
		if len(line) == 3 || line[3] == ' ' {
			return a, nil
		}
	}
}

// posting is one message as the client says it.
type posting struct {
	from   string
	to     []string
	params string // of MAIL, with a blank before
	raw    []byte
	bdat   int // send with BDAT in chunks of so many octets; 0 is DATA
}

// send hands a message in and returns the answer to its end, or the first refusal.
// After an error the client is of no more use.
func (c *client) send(p posting) (answer, error) {
	c.conn.SetDeadline(time.Now().Add(120 * time.Second))
	var b bytes.Buffer
	fmt.Fprintf(&b, "MAIL FROM:<%s>%s\r\n", p.from, p.params)
	for _, to := range p.to {
		fmt.Fprintf(&b, "RCPT TO:<%s>\r\n", to)
	}
	if _, err := c.conn.Write(b.Bytes()); err != nil {
		return answer{}, err
	}
	var bad answer
	for range 1 + len(p.to) {
		a, err := c.answer()
		if err != nil {
			return a, err
		}
		if a.code/100 != 2 && bad.code == 0 {
			bad = a
		}
	}
	if bad.code != 0 {
		_, err := c.say("RSET")
		return bad, err
	}
	if p.bdat > 0 {
		return c.chunks(p.raw, p.bdat)
	}
	if a, err := c.say("DATA"); err != nil || a.code != 354 {
		return a, err
	}
	if _, err := c.conn.Write(stuffed(p.raw)); err != nil {
		return answer{}, err
	}
	return c.answer()
}

func (c *client) chunks(raw []byte, size int) (answer, error) {
	for {
		n, last := min(size, len(raw)), ""
		if n == len(raw) {
			last = " LAST"
		}
		if _, err := c.conn.Write(append(fmt.Appendf(nil, "BDAT %d%s\r\n", n, last), raw[:n]...)); err != nil {
			return answer{}, err
		}
		a, err := c.answer()
		if err != nil || last != "" || a.code/100 != 2 {
			return a, err
		}
		raw = raw[n:]
	}
}

// stuffed is raw as it goes over the wire with DATA (RFC 5321 §4.5.2).
func stuffed(raw []byte) []byte {
	out := bytes.ReplaceAll(raw, []byte("\r\n."), []byte("\r\n.."))
	if bytes.HasPrefix(out, []byte(".")) {
		out = append([]byte("."), out...)
	}
	if !bytes.HasSuffix(out, []byte("\r\n")) {
		out = append(out, "\r\n"...)
	}
	return append(out, ".\r\n"...)
}

func (c *client) close() { c.conn.Close() }

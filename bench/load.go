package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load is closed-loop traffic: each session sends its next message when the one
// before was answered.
type load struct {
	Addr     string
	Header   string // put on top of each message, with its CRLF: the relay key
	Sessions int
	Mail     []*sample
	For      time.Duration // stop starting messages after this long,
	Count    int64         // or after so many
}

// sent is what came of a load.
type sent struct {
	Taken   int64 // answered 250
	Refused int64
	Octets  int64
	Took    time.Duration
	Latency []time.Duration // from MAIL to the last 250, of each message taken
	Err     error           // the first refusal or broken session
}

// idField names each message, so that the sink can tell them apart; bodyField is
// the checksum of its body, so that the sink can tell a changed one.
const (
	idField   = "X-Bench-ID"
	bodyField = "X-Bench-Body"
)

func (l *load) run(run string) sent {
	var out sent
	var next atomic.Int64
	var mu sync.Mutex
	var all sync.WaitGroup
	began := time.Now()
	for range l.Sessions {
		all.Go(func() {
			mine := l.session(run, began, &next)
			mu.Lock()
			defer mu.Unlock()
			out.Taken += mine.Taken
			out.Refused += mine.Refused
			out.Octets += mine.Octets
			out.Latency = append(out.Latency, mine.Latency...)
			if out.Err == nil {
				out.Err = mine.Err
			}
		})
	}
	all.Wait()
	out.Took = time.Since(began)
	return out
}

// session sends until its time is over; it ends with the first error.
func (l *load) session(run string, began time.Time, next *atomic.Int64) (out sent) {
	c, err := dialSMTP(l.Addr)
	if err != nil {
		out.Err = err
		return out
	}
	defer c.quit()
	for {
		n := next.Add(1) - 1
		if l.Count > 0 && n >= l.Count || l.For > 0 && time.Since(began) > l.For {
			return out
		}
		m := l.Mail[n%int64(len(l.Mail))]
		start := time.Now()
		if err := c.send(l.Header+idField+": "+run+"."+strconv.FormatInt(n, 10)+"\r\n"+bodyField+": "+m.sum+"\r\n", m); err != nil {
			out.Refused++
			out.Err = err
			return out
		}
		out.Taken++
		out.Octets += int64(len(m.raw))
		out.Latency = append(out.Latency, time.Since(start))
	}
}

// client is one SMTP session with STARTTLS.
type client struct {
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
}

// dialPlain says EHLO.
func dialPlain(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c := &client{conn, bufio.NewReader(conn), bufio.NewWriterSize(conn, 64<<10)}
	if err = c.expect('2', 1); err == nil {
		err = c.command("EHLO client.sender.test\r\n")
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("session with %s: %w", addr, err)
	}
	return c, nil
}

func dialSMTP(addr string) (*client, error) {
	c, err := dialPlain(addr)
	if err != nil {
		return nil, err
	}
	if err := c.startTLS(); err != nil {
		c.conn.Close()
		return nil, fmt.Errorf("STARTTLS with %s: %w", addr, err)
	}
	return c, nil
}

func (c *client) startTLS() error {
	if err := c.command("STARTTLS\r\n"); err != nil {
		return err
	}
	conn := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true}) // of a certificate made for this run
	if err := conn.Handshake(); err != nil {
		return err
	}
	c.conn, c.r, c.w = conn, bufio.NewReader(conn), bufio.NewWriterSize(conn, 64<<10)
	return c.command("EHLO client.sender.test\r\n")
}

func (c *client) command(line string) error {
	c.w.WriteString(line)
	return c.expect('2', 1)
}

// send gives one message with header on top; MAIL, RCPT and DATA go out together.
func (c *client) send(header string, m *sample) error {
	c.conn.SetDeadline(time.Now().Add(3 * time.Minute))
	fmt.Fprintf(c.w, "MAIL FROM:<sender@sender.test> SIZE=%d BODY=8BITMIME\r\nRCPT TO:<user@rcpt.test>\r\nDATA\r\n", len(header)+len(m.raw))
	if err := c.expect('2', 2); err != nil {
		return err
	}
	if err := c.expect('3', 1); err != nil {
		return err
	}
	c.w.WriteString(header)
	c.w.Write(m.stuffed)
	return c.expect('2', 1)
}

// expect reads n replies of that class.
func (c *client) expect(class byte, n int) error {
	if err := c.w.Flush(); err != nil {
		return err
	}
	for n > 0 {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return err
		}
		if len(line) < 4 || line[0] != class {
			return fmt.Errorf("answered %q", strings.TrimSpace(line))
		}
		if line[3] != '-' {
			n--
		}
	}
	return nil
}

func (c *client) quit() {
	c.conn.SetDeadline(time.Now().Add(time.Second))
	c.command("QUIT\r\n")
	c.conn.Close()
}

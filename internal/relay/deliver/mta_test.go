package deliver

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/internal/mail"
)

var everything = []string{"PIPELINING", "SIZE 104857600", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING", "ENHANCEDSTATUSCODES"}

// hop is a next hop with a will of its own. It reads SMTP with code that shares
// nothing with the sender.
type hop struct {
	t     testing.TB
	ln    net.Listener
	mta   mail.MTA
	offer []string // after EHLO
	tls   *tls.Config
	says  map[string]string // verb, "banner" or "content" -> reply in place of the usual one
	// act, if not nil, may answer or act for a command itself: "" means as usual,
	// "rst" resets, "close" closes, "hang" never answers.
	act     func(s *session, verb, line string) string
	cutRead int // octets read after which the connection is reset, 0 for never
	discard bool

	mu       sync.Mutex
	got      []message
	sessions int
	open     []net.Conn
	last     *cutter  // of the newest connection
	lines    []string // every command line
}

type message struct {
	mail    string
	rcpts   []string
	content []byte
	tls     bool
	session int
}

type session struct {
	h      *hop
	n      int
	nc     net.Conn
	tcp    *net.TCPConn
	br     *bufio.Reader
	bw     *bufio.Writer
	secure bool
	msg    message
}

// newHop starts a hop on loopback; set it up in prepare, before it serves.
func newHop(t testing.TB, prepare func(*hop)) *hop {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hop{t: t, ln: ln, offer: everything}
	if prepare != nil {
		prepare(h)
	}
	h.mta = mtaAt(ln.Addr().String(), mail.TLSNone)
	if h.tls != nil {
		h.mta.TLS = mail.TLSVerify
	}
	go h.serve(ln)
	t.Cleanup(h.kill)
	return h
}

func mtaAt(addr string, mode mail.TLSMode) mail.MTA {
	ap := netip.MustParseAddrPort(addr)
	return mail.MTA{Host: ap.Addr().String(), Port: int(ap.Port()), TLS: mode}
}

func (h *hop) serve(ln net.Listener) {
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		h.mu.Lock()
		h.sessions++
		h.open = append(h.open, nc)
		s := &session{h: h, n: h.sessions, nc: nc, tcp: nc.(*net.TCPConn)}
		h.mu.Unlock()
		go s.run()
	}
}

// kill ends the hop as kill -9 would.
func (h *hop) kill() {
	h.ln.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.open {
		c.Close()
	}
	h.open = nil
}

// revive makes it listen again where it did.
func (h *hop) revive() {
	var err error
	for range 6000 { // a client may have the port for a while
		if h.ln, err = net.Listen("tcp", h.mta.Address()); err == nil {
			go h.serve(h.ln)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.t.Error(err)
}

func (h *hop) messages() []message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.got)
}

func (h *hop) connections() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions
}

func (h *hop) commands() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines)
}

// cutter resets a connection after so many octets were read from it.
type cutter struct {
	net.Conn
	left atomic.Int64
}

func (c *cutter) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if left := c.left.Add(-int64(n)); left <= 0 {
		reset(c.Conn)
		return max(n+int(left), 0), io.ErrClosedPipe
	}
	return n, err
}

// leftNow lets the open connection have n more octets.
func (h *hop) leftNow(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last.left.Store(int64(n))
}

func reset(nc net.Conn) {
	if tcp, ok := nc.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	nc.Close()
}

func (s *session) run() {
	defer s.nc.Close()
	if s.h.cutRead > 0 {
		c := &cutter{Conn: s.nc}
		c.left.Store(int64(s.h.cutRead))
		s.nc = c
		s.h.mu.Lock()
		s.h.last = c
		s.h.mu.Unlock()
	}
	s.br, s.bw = bufio.NewReaderSize(s.nc, 64<<10), bufio.NewWriter(s.nc)
	if !s.answer("banner", "", "220 hop.test ESMTP") {
		return
	}
	for {
		if s.br.Buffered() == 0 && s.bw.Flush() != nil {
			return
		}
		line, err := s.br.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\r\n")
		if strings.ContainsAny(line, "\r\n") {
			s.h.t.Errorf("command line with a bare CR or LF: %q", line)
		}
		s.h.mu.Lock()
		if !s.h.discard {
			s.h.lines = append(s.h.lines, line)
		}
		s.h.mu.Unlock()
		verb := strings.ToUpper(strings.SplitN(strings.ReplaceAll(line, ":", " "), " ", 2)[0])
		if !s.command(verb, line) {
			return
		}
	}
}

// answer says what the script wants, otherwise usual. It reports whether to go on.
func (s *session) answer(verb, line, usual string) bool {
	r := usual
	if say, ok := s.h.says[verb]; ok {
		r = say
	}
	if s.h.act != nil {
		if a := s.h.act(s, verb, line); a != "" {
			r = a
		}
	}
	switch r {
	case "rst":
		reset(s.tcp)
		return false
	case "close":
		s.bw.Flush()
		return false
	case "hang":
		s.bw.Flush()
		io.Copy(io.Discard, s.br)
		return false
	}
	s.bw.WriteString(strings.ReplaceAll(r, "\n", "\r\n") + "\r\n")
	if strings.HasPrefix(r, "421") {
		s.bw.Flush()
		return false
	}
	if verb == "banner" || verb == "STARTTLS" || verb == "QUIT" {
		s.bw.Flush()
	}
	return true
}

func (s *session) command(verb, line string) bool {
	h := s.h
	switch verb {
	case "EHLO":
		offer := h.offer
		if h.tls != nil && !s.secure {
			offer = append([]string{"STARTTLS"}, offer...)
		}
		lines := append([]string{"hop.test"}, offer...)
		for i := range lines {
			sep := "-"
			if i == len(lines)-1 {
				sep = " "
			}
			lines[i] = "250" + sep + lines[i]
		}
		return s.answer(verb, line, strings.Join(lines, "\n"))
	case "STARTTLS":
		if !s.answer(verb, line, "220 2.0.0 go ahead") {
			return false
		}
		tc := tls.Server(s.nc, h.tls)
		if tc.Handshake() != nil {
			return false
		}
		s.nc, s.secure = tc, true
		s.br, s.bw = bufio.NewReaderSize(tc, 64<<10), bufio.NewWriter(tc)
		return true
	case "MAIL":
		s.msg = message{mail: line, tls: s.secure, session: s.n}
		if h.override(s, verb, line) {
			s.msg.mail = ""
		}
		return s.answer(verb, line, "250 2.1.0 Ok")
	case "RCPT":
		if s.msg.mail == "" {
			return s.plain("503 5.5.1 MAIL first")
		}
		if !h.override(s, verb, line) {
			s.msg.rcpts = append(s.msg.rcpts, line)
		}
		return s.answer(verb, line, "250 2.1.5 Ok")
	case "DATA":
		if len(s.msg.rcpts) == 0 {
			return s.plain("503 5.5.1 no valid recipients")
		}
		if h.override(s, verb, line) {
			return s.answer(verb, line, "")
		}
		if !s.answer(verb, line, "354 go ahead") {
			return false
		}
		s.bw.Flush()
		return s.data()
	case "BDAT":
		return s.bdat(line)
	case "RSET":
		s.msg = message{}
		return s.answer(verb, line, "250 2.0.0 Ok")
	case "QUIT":
		s.answer(verb, line, "221 2.0.0 Bye")
		return false
	}
	return s.answer(verb, line, "500 5.5.2 what?")
}

func (s *session) plain(r string) bool {
	s.bw.WriteString(r + "\r\n")
	return true
}

// override reports whether the script refuses this command.
func (h *hop) override(s *session, verb, line string) bool {
	r := h.says[verb]
	if h.act != nil {
		if a := h.act(s, verb, line); a != "" {
			r = a
		}
	}
	return r != "" && r[0] != '2' && r[0] != '3'
}

func (s *session) data() bool {
	var raw []byte
	for !bytes.HasSuffix(raw, []byte("\r\n.\r\n")) && string(raw) != ".\r\n" {
		line, err := s.br.ReadBytes('\n')
		raw = append(raw, line...)
		if err != nil {
			return false
		}
		if s.h.act != nil {
			switch a := s.h.act(s, "line", string(line)); a {
			case "":
			case "rst", "close", "hang":
				return s.answer("line", string(line), a)
			default:
				s.plain(a)
				s.bw.Flush()
				return false
			}
		}
	}
	raw = raw[:len(raw)-3]
	if bytes.HasPrefix(raw, []byte(".")) {
		raw = raw[1:]
	}
	s.msg.content = bytes.ReplaceAll(raw, []byte("\r\n."), []byte("\r\n"))
	return s.finish()
}

func (s *session) bdat(line string) bool {
	words := strings.Fields(line)
	n, err := strconv.Atoi(words[1])
	if err != nil {
		s.h.t.Errorf("%q", line)
		return false
	}
	chunk := make([]byte, n)
	if _, err := io.ReadFull(s.br, chunk); err != nil {
		return false
	}
	if len(s.msg.rcpts) == 0 {
		return s.plain("503 5.5.1 no valid recipients")
	}
	if !s.h.discard {
		s.msg.content = append(s.msg.content, chunk...)
	}
	if len(words) > 2 && strings.EqualFold(words[2], "LAST") {
		return s.finish()
	}
	return s.answer("BDAT", line, "250 2.0.0 Ok")
}

func (s *session) finish() bool {
	h := s.h
	usual := fmt.Sprintf("250 2.0.0 Ok: queued as %d", len(h.messages())+1)
	r := h.says["content"]
	if h.act != nil {
		if a := h.act(s, "content", ""); a != "" {
			r = a
		}
	}
	if r == "" || r[0] == '2' || r == "taken, then rst" {
		h.mu.Lock()
		h.got = append(h.got, s.msg)
		h.mu.Unlock()
	}
	s.msg = message{}
	if r == "taken, then rst" {
		reset(s.tcp)
		return false
	}
	if r == "" {
		return s.plain(usual)
	}
	return s.answer("reply", "", r)
}

// ca issues certificates for hops.
type ca struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t testing.TB) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	return &ca{cert, key}
}

func (a *ca) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func (a *ca) issue(t testing.TB, until time.Time, names ...string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

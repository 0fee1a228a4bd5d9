package ingress

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"time"

	"postern/internal/mail"
	"postern/internal/metric"
)

// session is one client's dialogue.
type session struct {
	srv    *Server
	wire   wire
	ctx    context.Context // for Accept
	cancel context.CancelFunc
	client netip.Addr // invalid if unknown
	peer   netip.Addr // what Server.peers counts it by
	secure mail.TLS

	helo     string         // "" before EHLO or HELO
	env      *mail.Envelope // nil outside a transaction
	chunking bool           // a BDAT of this transaction was taken
	failed   string         // answer to the BDATs that still follow a message refused before its last one

	mistakes int       // 5xx answers to commands since the last message
	active   time.Time // end of the last message, or of the greeting
	unsaid   bool      // the answer to a message is queued and must not wait for the next message
	closing  bool      // hang up after what was said
	linger   bool      // the client may still be sending
}

func newSession(ctx context.Context, srv *Server, conn net.Conn) *session {
	s := &session{srv: srv}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.wire.init(conn, &srv.limits)
	s.client = addrOf(conn.RemoteAddr())
	return s
}

// run is the whole session. A panic ends it and nothing else.
func (s *session) run() {
	defer s.srv.forget(s)
	defer s.wire.release()
	defer s.cancel()
	defer func() {
		if p := recover(); p != nil {
			s.srv.count(func(m *metric.Set) { m.Alarms.WithLabelValues("ingress-panic").Inc() })
			s.srv.Log.Error("panic in an SMTP session", "client", s.client, "panic", p, "stack", string(debug.Stack()))
			s.bye("421 4.3.0 ", "Internal error")
			s.wire.hangUp(true)
		}
	}()
	if !s.greet() {
		return
	}
	s.srv.count(func(m *metric.Set) { m.Connects.WithLabelValues("served").Inc(); m.Sessions.Inc() })
	defer s.srv.count(func(m *metric.Set) { m.Sessions.Dec() })
	for !s.closing {
		s.step()
	}
	s.wire.hangUp(s.linger)
}

// step reads and answers one command.
func (s *session) step() {
	var latest time.Time
	if s.env == nil {
		latest = s.active.Add(s.srv.limits.Idle)
	}
	line, err := s.wire.line(latest, s.env == nil)
	switch {
	case err == errLong:
		s.overlong(line)
	case err != nil:
		s.lost(err)
	default:
		s.command(line)
	}
}

// command answers one command line.
func (s *session) command(line []byte) {
	verb, arg := cut(line)
	if s.srv.RequireTLS && s.secure.Version == "" && needsTLS(verb) {
		s.fail("530 5.7.0 Must issue a STARTTLS command first\r\n")
		return
	}
	if verb != "MAIL" && verb != "RCPT" && verb != "BDAT" && bytes.ContainsFunc(arg, control) { // those look themselves
		s.fail("500 5.5.2 Control character in the command\r\n")
		return
	}
	switch verb {
	case "EHLO":
		s.ehlo(arg)
	case "HELO":
		s.heloOld(arg)
	case "STARTTLS":
		s.startTLS(arg)
	case "MAIL":
		s.mail(arg)
	case "RCPT":
		s.rcpt(arg)
	case "DATA":
		s.data(arg)
	case "BDAT":
		s.bdat(arg)
	case "RSET":
		s.rset(arg)
	case "NOOP":
		s.noop()
	case "VRFY":
		s.vrfy(arg)
	case "EXPN":
		s.expn()
	case "HELP":
		s.help()
	case "QUIT":
		s.quit(arg)
	case "AUTH":
		s.auth()
	default:
		s.unknown(verb)
	}
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// cut splits a command line into its verb in upper case and what follows the
// blank. A verb that is longer than any of ours, or not letters, is "".
func cut(line []byte) (verb string, arg []byte) {
	end := len(line)
	for i, c := range line {
		if c == ' ' {
			end = i
			break
		}
	}
	if end < len(line) {
		arg = line[end+1:]
	}
	var upper [8]byte
	if end > len(upper) {
		return "", arg
	}
	for i, c := range line[:end] {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	switch v := upper[:end]; string(v) { // constants, so that nothing is allocated
	case "EHLO":
		return "EHLO", arg
	case "HELO":
		return "HELO", arg
	case "STARTTLS":
		return "STARTTLS", arg
	case "MAIL":
		return "MAIL", arg
	case "RCPT":
		return "RCPT", arg
	case "DATA":
		return "DATA", arg
	case "BDAT":
		return "BDAT", arg
	case "RSET":
		return "RSET", arg
	case "NOOP":
		return "NOOP", arg
	case "QUIT":
		return "QUIT", arg
	default:
		return string(v), arg
	}
}

// needsTLS reports whether verb is refused in plaintext where TLS is required.
// RCPT, DATA and BDAT are not here: without MAIL they are refused anyway, and BDAT
// must consume its chunk.
func needsTLS(verb string) bool {
	switch verb {
	case "MAIL", "VRFY", "EXPN", "AUTH":
		return true
	}
	return false
}

// reset forgets the transaction, not the session.
func (s *session) reset() {
	s.env, s.chunking, s.failed = nil, false, ""
}

// fail answers a command with an error and hangs up on those who make only errors.
func (s *session) fail(reply string) {
	s.wire.say(reply)
	if s.mistakes++; s.mistakes >= s.srv.limits.Errors {
		s.srv.quiet.warn(s.srv.Log, "session closed", "cause", "too many errors")
		s.bye("421 4.7.0 ", "Too many errors")
	}
}

// bye announces that we hang up (RFC 5321 §3.8).
func (s *session) bye(code, text string) {
	s.wire.say(code + s.srv.Hostname + " " + text + ", closing connection\r\n")
	s.closing, s.linger = true, true
}

// lost ends the session because reading failed.
func (s *session) lost(err error) {
	s.closing = true
	switch {
	case errors.Is(err, errKicked):
		s.bye("421 4.3.2 ", "Shutting down")
	case errors.Is(err, errSlow):
		if s.env != nil {
			s.srv.quiet.warn(s.srv.Log, "session closed", "cause", "too slow")
		}
		s.bye("421 4.4.2 ", "Timeout")
	case errors.Is(err, errFlood):
		s.srv.quiet.warn(s.srv.Log, "session closed", "cause", "endless line")
		s.bye("421 4.7.0 ", "Command line too long")
	}
}

// overlong answers a command line that was too long to be one. What came after a
// BDAT of unknown size cannot be told from commands, so that session ends.
func (s *session) overlong(verb []byte) {
	s.fail("500 5.5.2 Command line too long\r\n")
	if v, _ := cut(verb); v == "BDAT" && !s.closing {
		s.bye("421 4.7.0 ", "Cannot tell where the chunk ends")
	}
}

package ingress

import (
	"fmt"
	"unicode/utf8"
)

// maxDomain is the longest domain in octets (RFC 5321 §4.5.3.1.2).
const maxDomain = 255

// extensions is the answer to EHLO. Every line is true of what deliver can keep:
// no BINARYMIME, and no REQUIRETLS because it is not passed on yet.
func (s *Server) extensions(starttls bool) string {
	tls := ""
	if starttls {
		tls = "250-STARTTLS\r\n"
	}
	return fmt.Sprintf("250-%s\r\n"+
		"250-PIPELINING\r\n"+ // RFC 2920
		"250-SIZE %d\r\n"+ // RFC 1870
		"%s"+ // RFC 3207
		"250-ENHANCEDSTATUSCODES\r\n"+ // RFC 2034
		"250-8BITMIME\r\n"+ // RFC 6152
		"250-SMTPUTF8\r\n"+ // RFC 6531
		"250-DSN\r\n"+ // RFC 3461
		"250-CHUNKING\r\n"+ // RFC 3030
		"250 LIMITS RCPTMAX=%d\r\n", // RFC 9422
		s.Hostname, s.MaxSize, tls, s.limits.Recipients)
}

// ehlo answers EHLO, which also resets (RFC 5321 §4.1.4).
func (s *session) ehlo(arg []byte) {
	if !s.introduce(arg) {
		return
	}
	hello := s.srv.hello[0]
	if s.secure.Version == "" {
		hello = s.srv.hello[1]
	}
	s.wire.say(hello)
}

// heloOld answers HELO (RFC 5321 §4.1.1.1).
func (s *session) heloOld(arg []byte) {
	if s.introduce(arg) {
		s.wire.say("250 " + s.srv.Hostname + "\r\n")
	}
}

// introduce takes the name from EHLO or HELO, which must be one word but proves
// nothing, and resets.
func (s *session) introduce(arg []byte) bool {
	arg = trim(arg)
	if !validName(arg) {
		s.fail("501 5.5.4 Give your host name or address literal\r\n")
		return false
	}
	s.reset()
	if s.helo != string(arg) {
		s.helo = string(arg)
	}
	return true
}

func validName(b []byte) bool { return len(b) > 0 && len(b) <= maxDomain && word(b) }

// trim takes blanks off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// word reports whether b has neither blanks nor control characters and is UTF-8.
func word(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

package ingress

import (
	"bytes"
	"strconv"
	"strings"

	"postern/internal/mail"
)

// mail answers MAIL (RFC 5321 §4.1.1.2) with the parameters of RFC 1870 (SIZE),
// RFC 6152 (BODY), RFC 6531 (SMTPUTF8) and RFC 3461 (RET, ENVID).
func (s *session) mail(arg []byte) {
	switch {
	case s.helo == "":
		s.fail("503 5.5.1 Send EHLO first\r\n")
		return
	case s.env != nil:
		s.fail("503 5.5.1 A transaction is open already\r\n")
		return
	}
	rest, ok := keyword(arg, "FROM:")
	if !ok {
		s.fail("501 5.5.4 Syntax: MAIL FROM:<address>\r\n")
		return
	}
	path, params, fault := cutPath(rest)
	if fault != "" {
		s.fail("501 5.1.7 Sender address: " + fault + "\r\n")
		return
	}
	env := &mail.Envelope{Client: s.client, HELO: s.helo, TLS: s.secure}
	if reply := s.mailParams(env, params); reply != "" {
		s.fail(reply)
		return
	}
	if len(path) > 0 {
		fault, utf8 := checkMailbox(path)
		switch {
		case fault != "":
			s.fail("501 5.1.7 Sender address: " + fault + "\r\n")
			return
		case utf8 && !env.SMTPUTF8:
			s.fail("553 5.6.7 Sender address needs SMTPUTF8\r\n")
			return
		}
	}
	env.From = string(path)
	s.reset()
	s.env = env
	s.wire.say("250 2.1.0 Ok\r\n")
}

// maxEnvID is the longest ENVID in octets (RFC 3461 §4.4).
const maxEnvID = 100

// mailParams takes the parameters of MAIL into env. It returns the reply to what is
// wrong with them, or "".
func (s *session) mailParams(env *mail.Envelope, params []byte) (reply string) {
	var seen [6]bool
	for len(params) > 0 {
		var name, value []byte
		var has bool
		name, value, has, params = nextParam(params)
		nr := -1
		wrong := true
		switch {
		case fold(name, "SIZE"):
			nr = 0
			size, err := strconv.ParseUint(string(value), 10, 63)
			wrong = err != nil || len(value) > 20 // RFC 1870 §3
			if !wrong && size > uint64(s.srv.MaxSize) {
				return "552 5.3.4 Message too big\r\n"
			}
			env.Size = int64(size)
		case fold(name, "BODY"):
			nr = 1
			wrong = !fold(value, "7BIT") && !fold(value, "8BITMIME")
			env.Body = strings.ToUpper(string(value))
		case fold(name, "SMTPUTF8"):
			nr = 2
			wrong = has
			env.SMTPUTF8 = true
		case fold(name, "RET"):
			nr = 3
			wrong = !fold(value, "FULL") && !fold(value, "HDRS")
			env.Ret = strings.ToUpper(string(value))
		case fold(name, "ENVID"):
			nr = 4
			wrong = len(value) == 0 || len(value) > maxEnvID || !xtext(value)
			env.EnvID = string(value)
		default:
			return "555 5.5.4 Unknown parameter of MAIL\r\n"
		}
		if wrong || seen[nr] {
			return "501 5.5.4 Bad parameter of MAIL\r\n"
		}
		seen[nr] = true
	}
	return ""
}

// keyword takes word, in any case, off the front of arg.
func keyword(arg []byte, word string) (rest []byte, ok bool) {
	arg = trim(arg)
	if len(arg) < len(word) || !fold(arg[:len(word)], word) {
		return nil, false
	}
	return trim(arg[len(word):]), true // a blank after the colon is wrong and common
}

// fold compares in ASCII without regard to case; upper is in upper case.
func fold(b []byte, upper string) bool {
	if len(b) != len(upper) {
		return false
	}
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != upper[i] {
			return false
		}
	}
	return true
}

// nextParam cuts the first "name[=value]" off params.
func nextParam(params []byte) (name, value []byte, has bool, rest []byte) {
	params = trim(params)
	param, rest, _ := bytes.Cut(params, []byte(" "))
	name, value, has = bytes.Cut(param, []byte("="))
	return name, value, has, trim(rest)
}

// xtext reports whether b is xtext (RFC 3461 §4).
func xtext(b []byte) bool {
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '+':
			if i+2 >= len(b) || !upperHex(b[i+1]) || !upperHex(b[i+2]) {
				return false
			}
			i += 2
		case c < '!' || c > '~' || c == '=':
			return false
		}
	}
	return true
}

func upperHex(c byte) bool { return '0' <= c && c <= '9' || 'A' <= c && c <= 'F' }

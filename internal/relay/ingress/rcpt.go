package ingress

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"postern/internal/mail"
)

// rcpt answers RCPT (RFC 5321 §4.1.1.3) with the parameters of RFC 3461 (NOTIFY,
// ORCPT). Every well-formed recipient gets the same answer: whose mail it is shows
// only in the content.
func (s *session) rcpt(arg []byte) {
	switch {
	case s.env == nil:
		s.fail("503 5.5.1 Send MAIL first\r\n")
		return
	case s.chunking:
		s.fail("503 5.5.1 The content has begun\r\n")
		return
	}
	rest, ok := keyword(arg, "TO:")
	if !ok {
		s.fail("501 5.5.4 Syntax: RCPT TO:<address>\r\n")
		return
	}
	path, params, fault := cutPath(rest)
	if fault == "" && len(path) == 0 {
		fault = "it is empty"
	}
	needsUTF8 := false
	if fault == "" && !fold(path, "POSTMASTER") { // RFC 5321 §4.5.1
		fault, needsUTF8 = checkMailbox(path)
	}
	switch {
	case fault != "":
		s.fail("501 5.1.3 Recipient address: " + fault + "\r\n")
		return
	case needsUTF8 && !s.env.SMTPUTF8:
		s.fail("553 5.6.7 Recipient address needs SMTPUTF8\r\n")
		return
	}
	r := mail.Rcpt{}
	if reply := s.rcptParams(&r, params); reply != "" {
		s.fail(reply)
		return
	}
	if len(s.env.To) >= s.srv.limits.Recipients {
		s.wire.say("452 4.5.3 Too many recipients\r\n")
		return
	}
	r.Addr = string(path)
	s.env.To = append(s.env.To, r)
	s.wire.say("250 2.1.5 Ok\r\n")
}

// maxORcpt is the longest ORCPT in octets (RFC 3461 §4.2).
const maxORcpt = 500

// rcptParams takes the parameters of RCPT into r. It returns the reply to what is
// wrong with them, or "".
func (s *session) rcptParams(r *mail.Rcpt, params []byte) (reply string) {
	for len(params) > 0 {
		var name, value []byte
		name, value, _, params = nextParam(params)
		wrong := true
		switch {
		case fold(name, "NOTIFY"):
			wrong = r.Notify != "" || !notify(value)
			r.Notify = strings.ToUpper(string(value))
		case fold(name, "ORCPT"):
			wrong = r.ORcpt != "" || !s.orcpt(value)
			r.ORcpt = string(value)
		default:
			return "555 5.5.4 Unknown parameter of RCPT\r\n"
		}
		if wrong {
			return "501 5.5.4 Bad parameter of RCPT\r\n"
		}
	}
	return ""
}

// notify reports whether b is NEVER or a list of the others, each once (RFC 3461 §4.1).
func notify(b []byte) bool {
	if fold(b, "NEVER") {
		return true
	}
	var seen [3]bool
	for word := range bytes.SplitSeq(b, []byte(",")) {
		known := false
		for i, name := range [...]string{"SUCCESS", "FAILURE", "DELAY"} {
			if fold(word, name) && !seen[i] {
				seen[i], known = true, true
			}
		}
		if !known {
			return false
		}
	}
	return true
}

// orcpt reports whether b is addr-type ";" xtext (RFC 3461 §4.2), or for utf-8 also
// its own form (RFC 6533 §3).
func (s *session) orcpt(b []byte) bool {
	kind, addr, ok := bytes.Cut(b, []byte(";"))
	if !ok || len(kind) == 0 || len(addr) == 0 || len(b) > maxORcpt {
		return false
	}
	for _, c := range kind {
		if !letterOrDigit(c) && c != '-' {
			return false
		}
	}
	if xtext(addr) {
		return true
	}
	if !fold(kind, "UTF-8") || !word(addr) {
		return false
	}
	return s.env.SMTPUTF8 || ascii(addr)
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func letterOrDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

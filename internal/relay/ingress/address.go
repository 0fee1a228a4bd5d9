package ingress

import (
	"bytes"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Limits of an address in octets. RFC 5321 §4.5.3.1 asks for 64 and 256 at least;
// Exchange's SRS writes longer local parts. Longer than these: 501.
const (
	maxLocal = 256
	maxPath  = 512 // with its angle brackets, without a source route
	maxLabel = 63
)

// cutPath takes the path off the front of what follows "FROM:" or "TO:": its
// mailbox without angle brackets and source route (RFC 5321 §4.1.1.3: accepted and
// ignored), and the parameters behind it. fault says in words what is wrong.
func cutPath(b []byte) (mailbox, params []byte, fault string) {
	if len(b) == 0 || b[0] != '<' {
		return nil, nil, "put it in angle brackets"
	}
	end, quoted := -1, false
scan:
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c < ' ' || c == 0x7f:
			return nil, nil, "control character"
		case quoted && c == '\\':
			i++
			if i < len(b) && (b[i] < ' ' || b[i] >= 0x7f) {
				return nil, nil, "bad quoted character"
			}
		case c == '"':
			quoted = !quoted
		case c == '>' && !quoted:
			end = i
			break scan
		}
	}
	if end < 0 {
		return nil, nil, "closing angle bracket missing"
	}
	mailbox, params = b[1:end], b[end+1:]
	if len(params) > 0 && params[0] != ' ' {
		return nil, nil, "text behind the angle bracket"
	}
	if len(mailbox) > 0 && mailbox[0] == '@' {
		route, rest, ok := bytes.Cut(mailbox, []byte(":"))
		if !ok {
			return nil, nil, "it has no local part"
		}
		for hop := range bytes.SplitSeq(route, []byte(",")) {
			if len(hop) < 2 || hop[0] != '@' || checkDomain(hop[1:]) != "" {
				return nil, nil, "bad source route"
			}
		}
		mailbox = rest
		if len(mailbox) == 0 {
			return nil, nil, "it has no local part"
		}
	}
	if len(mailbox)+2 > maxPath {
		return nil, nil, "it is too long"
	}
	return mailbox, params, ""
}

// checkMailbox says what is wrong with local@domain, "" for nothing, and whether it
// is more than ASCII (RFC 5321 §4.1.2, RFC 6531 §3.3). Dots at odd places in the
// local part are let through: such addresses exist, and the mailbox's own system
// decides.
func checkMailbox(b []byte) (fault string, needsUTF8 bool) {
	if !utf8.Valid(b) {
		return "it is not UTF-8", false
	}
	needsUTF8 = !ascii(b)
	var local int // its length
	if len(b) > 0 && b[0] == '"' {
		if local = quotedString(b); local < 0 {
			return "bad quoted local part", needsUTF8
		}
	} else {
		for local < len(b) && (atom(b[local]) || b[local] == '.') {
			local++
		}
	}
	switch {
	case local == 0:
		return "bad local part", needsUTF8
	case local == len(b):
		return "it has no domain", needsUTF8
	case b[local] != '@':
		return "bad local part", needsUTF8
	case local > maxLocal:
		return "local part is too long", needsUTF8
	}
	return checkDomain(b[local+1:]), needsUTF8
}

// quotedString is the length of the quoted string that b begins with, -1 if it is
// none (RFC 5321 §4.1.2).
func quotedString(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			i++
			if i == len(b) || b[i] < ' ' || b[i] > '~' {
				return -1
			}
		case c < ' ' || c == 0x7f:
			return -1
		}
	}
	return -1
}

// atom reports whether c is atext (RFC 5322 §3.2.3) or part of a UTF-8 character.
func atom(c byte) bool {
	return letterOrDigit(c) || c >= utf8.RuneSelf || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// checkDomain says what is wrong with a domain or address literal, "" for nothing.
// Underscores and hyphens at any place are let through.
func checkDomain(b []byte) (fault string) {
	switch {
	case len(b) == 0:
		return "it has no domain"
	case len(b) > maxDomain:
		return "domain is too long"
	case b[0] == '[':
		return checkLiteral(b)
	}
	label := 0
	for i, c := range b {
		switch {
		case c == '.' && (label == 0 || i == len(b)-1):
			return "empty label in the domain"
		case c == '.':
			label = 0
			continue
		case !letterOrDigit(c) && c != '-' && c != '_' && c < utf8.RuneSelf:
			return "bad character in the domain"
		}
		if label++; label > maxLabel {
			return "label of the domain is too long"
		}
	}
	return ""
}

// checkLiteral says what is wrong with an address literal in its brackets
// (RFC 5321 §4.1.3).
func checkLiteral(b []byte) (fault string) {
	inner, ok := bytes.CutSuffix(b[1:], []byte("]"))
	if !ok || len(inner) == 0 {
		return "bad address literal"
	}
	text, is6 := string(inner), false
	if len(text) > 5 && strings.EqualFold(text[:5], "IPv6:") {
		text, is6 = text[5:], true
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Is4() == is6 || addr.Zone() != "" {
		return "bad address literal"
	}
	return ""
}

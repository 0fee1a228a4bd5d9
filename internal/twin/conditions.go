package twin

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// holds reports whether a rule's condition is true of the message; kind is "" or
// "ExceptIf". A condition the twin cannot judge (group membership) is never true.
func (m *transit) holds(r Object, prop, kind string) bool {
	list, text := values(r[kind+prop]), r.String(kind+prop)
	switch prop {
	case "RecipientDomainIs":
		return m.anyRecipient(func(to string) bool { return inDomains(domainOf(to), list) })
	case "SenderDomainIs":
		return m.anySender(r, func(a string) bool { return inDomains(domainOf(a), list) })
	case "SentToScope":
		return m.anyRecipient(func(to string) bool { _, own := m.t.accepted(domainOf(to)); return own == (text == "InOrganization") })
	case "FromScope":
		return m.fromInside() == (text == "InOrganization")
	case "From":
		return m.anySender(r, func(a string) bool { return m.isPerson(list, a) })
	case "SentTo":
		return m.anyRecipient(func(a string) bool { return m.isPerson(list, a) })
	case "SenderIpRanges":
		return !m.internal && inBlocks(m.env.Peer, list) // the last hop, whatever is written below
	case "HeaderContainsMessageHeader":
		return slices.ContainsFunc(m.headerValues(text), func(v string) bool { return anyWord(v, values(r[kind+"HeaderContainsWords"])) })
	case "HeaderMatchesMessageHeader":
		return slices.ContainsFunc(m.headerValues(text), func(v string) bool { return anyPattern(v, values(r[kind+"HeaderMatchesPatterns"])) })
	case "SubjectContainsWords":
		return anyWord(decoded(m.head.first("Subject")), list)
	case "SubjectMatchesPatterns":
		return anyPattern(decoded(m.head.first("Subject")), list)
	case "SubjectOrBodyContainsWords":
		return anyWord(decoded(m.head.first("Subject")), list) || anyWord(string(m.body), list)
	case "FromAddressContainsWords":
		return m.anySender(r, func(a string) bool { return anyWord(a, list) })
	case "FromAddressMatchesPatterns":
		return m.anySender(r, func(a string) bool { return anyPattern(a, list) })
	case "RecipientAddressContainsWords":
		return m.anyRecipient(func(a string) bool { return anyWord(a, list) })
	case "SCLOver":
		want, err1 := strconv.Atoi(text)
		have, err2 := strconv.Atoi(m.scl)
		return err1 == nil && err2 == nil && have >= want
	case "MessageSizeOver":
		n, ok := octets(text)
		return ok && len(m.body) >= n
	case "MessageTypeMatches":
		return m.isType(text)
	}
	return false
}

func values(v any) []string {
	switch v := v.(type) {
	case []string:
		return v
	case string:
		return []string{v}
	}
	return nil
}

func (m *transit) anyRecipient(f func(string) bool) bool { return slices.ContainsFunc(m.env.To, f) }

// anySender asks the address or addresses that SenderAddressLocation names.
func (m *transit) anySender(r Object, f func(string) bool) bool {
	where := r.String("SenderAddressLocation")
	return where != "Envelope" && f(m.head.fromAddress()) || where != "Header" && where != "" && f(m.env.From)
}

// fromInside: the sender's domain is ours and it proved to be one of us.
func (m *transit) fromInside() bool {
	if m.internal {
		return true
	}
	_, own := m.t.accepted(domainOf(m.head.fromAddress()))
	return own && m.connector != nil && m.connector.Bool("TreatMessagesAsInternal")
}

// isPerson reports whether a names a recipient of the list, by address or by
// mailbox identity.
func (m *transit) isPerson(list []string, a string) bool {
	return slices.ContainsFunc(list, func(id string) bool {
		box := m.t.Object("Mailbox", id)
		return strings.EqualFold(id, a) || box != nil && strings.EqualFold(box.String("PrimarySmtpAddress"), a)
	})
}

func (m *transit) headerValues(name string) []string {
	var out []string
	for _, v := range append(m.head.all(name), m.extra.all(name)...) {
		out = append(out, decoded(v))
	}
	return out
}

// inDomains: a domain of the list or a subdomain of one.
func inDomains(domain string, list []string) bool {
	return slices.ContainsFunc(list, func(d string) bool {
		d = strings.ToLower(d)
		return domain == d || strings.HasSuffix(domain, "."+d)
	})
}

// anyWord: one of the words stands in text as a whole word, in any case; what is
// around it may be anything but letters and digits.
func anyWord(text string, words []string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(words, func(w string) bool { return w != "" && wholeWord(text, strings.ToLower(w)) })
}

func wholeWord(text, word string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			return false
		}
		before, _ := utf8.DecodeLastRuneInString(text[:at+i])
		after, _ := utf8.DecodeRuneInString(text[at+i+len(word):])
		if (at+i == 0 || !wordRune(before)) && (at+i+len(word) == len(text) || !wordRune(after)) {
			return true
		}
		at += i + 1
	}
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func anyPattern(text string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		re, err := regexp.Compile("(?i)" + p)
		return err == nil && re.MatchString(text)
	})
}

// octets reads "25 MB", "1KB" or "1024".
func octets(s string) (int, bool) {
	s, _, _ = strings.Cut(s, "(")
	s = strings.ToUpper(strings.ReplaceAll(s, " ", ""))
	unit := 1
	for suffix, n := range map[string]int{"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30} {
		if t, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = t, n
		}
	}
	n, err := strconv.Atoi(strings.TrimSuffix(s, "B"))
	return n * unit, err == nil
}

// isType is the condition MessageTypeMatches, for the types a header shows.
func (m *transit) isType(kind string) bool {
	ct := strings.ToLower(m.head.first("Content-Type"))
	switch kind {
	case "OOF":
		return strings.Contains(strings.ToLower(m.head.first("Auto-Submitted")), "auto-") && m.head.has("X-Auto-Response-Suppress")
	case "Calendaring":
		return strings.Contains(ct, "text/calendar") || bytes.Contains(bytes.ToLower(m.body), []byte("content-type: text/calendar"))
	case "Encrypted":
		return strings.Contains(ct, "enveloped-data") || strings.Contains(ct, "multipart/encrypted")
	case "Signed":
		return strings.Contains(ct, "multipart/signed") || strings.Contains(ct, "signed-data")
	case "ReadReceipt":
		return strings.Contains(ct, "disposition-notification")
	}
	return false
}

package twin

import (
	"bytes"
	"fmt"
	"strings"
)

// bounce returns the message for some recipients: an NDR to the sender, with the
// header of the message as it stood ("Original message headers", Microsoft:
// non-delivery reports), whatever a rule had added to it by then. That the key a
// rule sets is among them is not documented; we assume it. The null path gets none.
func (m *transit) bounce(to []string, reply string) {
	m.t.note(m.id, "ndr", m.env.From, to, reply)
	if m.env.From == "" {
		return
	}
	_, own := m.t.accepted(domainOf(m.env.From))
	n := NDR{To: m.env.From, Failed: to, Reply: reply, Internal: own, At: m.t.twin.now(), Raw: m.ndr(to, reply)}
	m.t.mu.Lock()
	m.t.ndrs = append(m.t.ndrs, n)
	m.t.mu.Unlock()
	if box := m.t.mailbox(m.env.From); box != nil {
		back := &transit{t: m.t, id: newGUID(), env: m.env, internal: true, start: m.t.twin.now(), scl: "-1", skipped: "SKI"}
		back.env.From, back.env.To = "", []string{m.env.From}
		h, blank, body := splitMessage(n.Raw)
		back.head, back.blank, back.body = h, blank, body
		back.auth.Chain.Status = "none"
		back.store(m.env.From, box)
	}
}

// ndr writes the report (RFC 3464).
func (m *transit) ndr(to []string, reply string) []byte {
	_, status, _ := strings.Cut(reply, " ")
	status = enhanced(status)
	boundary := "_000_" + strings.ReplaceAll(m.id, "-", "")
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	p("From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@%s>", m.t.Organization)
	p("To: <%s>", m.env.From)
	p("Date: %s", m.date())
	p("Message-ID: <%s@%s>", newGUID(), backServer)
	p("Subject: Undeliverable: %s", m.head.first("Subject"))
	p("Auto-Submitted: auto-replied")
	p("MIME-Version: 1.0")
	p("Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"%s\"", boundary)
	p("\r\n--%s\r\nContent-Type: text/plain; charset=\"utf-8\"\r\n", boundary)
	p("Your message to %s couldn't be delivered.\r\n", strings.Join(to, ", "))
	p("Diagnostic information for administrators:\r\n\r\nGenerating server: %s\r\n", backServer)
	for _, a := range to {
		p("%s\r\nRemote server returned '%s'\r\n", a, reply)
	}
	p("Original message headers:\r\n")
	b.Write(m.lastHeader())
	p("\r\n--%s\r\nContent-Type: message/delivery-status\r\n", boundary)
	p("Reporting-MTA: dns;%s", backServer)
	for _, a := range to {
		p("\r\nFinal-recipient: RFC822;%s\r\nAction: failed\r\nStatus: %s\r\nDiagnostic-code: SMTP;%s", a, status, reply)
	}
	p("\r\n--%s--", boundary)
	return b.Bytes()
}

// lastHeader is the message's header as it would leave.
func (m *transit) lastHeader() []byte {
	raw := m.outbound()
	if i := bytes.Index(raw, []byte("\r\n\r\n")); i >= 0 {
		return raw[:i+2]
	}
	return raw
}

package twin

import (
	"context"
	"strings"
)

// process takes a message from the front end to where it goes: malware first, then
// the mail flow rules, then the content filter, then routing.
func (m *transit) process(ctx context.Context) {
	m.verdict = m.judge()
	if m.verdict == Malware {
		m.hold(m.env.To, Malware)
		return
	}
	out := m.runRules()
	switch {
	case out.deferred != "":
		m.note("defer", "rule '%s' could not be carried out; it is tried again", out.deferred)
		m.again(ctx, (*transit).process)
		return
	case out.reject.Code != 0:
		m.bounce(m.env.To, out.reject.String())
		return
	case out.drop:
		m.note("drop", "deleted by a rule")
		return
	case out.hold != "":
		m.hold(m.env.To, "TransportRule")
		return
	}
	left := m.sort()
	if len(left) == 0 {
		return
	}
	m.env.To = left
	if out.route != "" {
		m.redirect(ctx, out)
		return
	}
	m.file(left)
}

// sort filters recipient by recipient and returns those whose copy goes on; junk
// is decided again at delivery.
func (m *transit) sort() []string {
	var left []string
	for _, to := range m.env.To {
		f := m.filter(to)
		m.note("filter", "%s: %s %s SCL %s", to, orClean(f.verdict), f.action, m.score(f.verdict))
		switch f.action {
		case "quarantine":
			m.hold([]string{to}, f.verdict)
		case "delete":
			m.note("drop", "deleted by a spam policy: %s", to)
		case "redirect":
			left = append(left, f.to...)
		default:
			left = append(left, to)
		}
	}
	return left
}

func orClean(v Verdict) string {
	if v == Clean {
		return "clean"
	}
	return string(v)
}

// redirect sends the message to a connector, unless a rule did that once before.
func (m *transit) redirect(ctx context.Context, out outcome) {
	if m.loops > 0 && !m.t.twin.opt.NoLoopCount {
		m.bounce(m.env.To, "550 5.7.128 TRANSPORT.RULES.RejectMessage; transport rules loop count exceeded and message rejected")
		return
	}
	m.loops++
	m.note("route", "to the connector '%s'", out.route)
	m.dispatch(ctx, job{connector: out.route, tls: out.tls, to: m.env.To, raw: m.outbound(), from: m.reversePath()})
}

// file puts the message into mailboxes. An address of an accepted domain without a
// mailbox goes on to the Internet (internal relay), one of a foreign domain too.
func (m *transit) file(to []string) {
	var outside []string
	for _, addr := range to {
		box := m.t.mailbox(addr)
		if box == nil {
			outside = append(outside, addr)
			continue
		}
		if box.Bool("RequireSenderAuthenticationEnabled") && !m.internal {
			m.bounce([]string{addr}, "550 5.7.134 RESOLVER.RST.SenderNotAuthenticatedForMailbox; authentication required; Delivery restriction check failed because the sender was not authenticated when sending to this mailbox")
			continue
		}
		m.store(addr, box)
	}
	if len(outside) > 0 {
		m.note("route", "to the Internet")
		m.t.record(Sent{Host: domainOf(outside[0]), From: m.env.From, To: outside, FromIP: m.peer(), Subject: decoded(m.head.first("Subject")), Raw: m.outbound(), At: m.t.twin.now(), ID: m.id})
	}
}

// store puts one copy into a mailbox.
func (m *transit) store(addr string, box Object) {
	f := m.filter(addr)
	folder := "inbox"
	if f.action == "junk" {
		folder = "junk"
	}
	raw := m.inbound(f)
	t, primary := m.t, strings.ToLower(box.String("PrimarySmtpAddress"))
	t.mu.Lock()
	t.items[primary] = append(t.items[primary], Item{Folder: folder, From: m.env.From, Raw: raw, At: t.twin.now(), FromIP: m.peer(), ID: m.id})
	t.mu.Unlock()
	m.note("deliver", "%s: %s", addr, folder)
}

func (m *transit) peer() string {
	if m.internal {
		return "255.255.255.255"
	}
	return m.env.Peer.String()
}

// hold puts the message into Microsoft's quarantine, once for each recipient.
func (m *transit) hold(to []string, v Verdict) {
	raw := m.inbound(fate{verdict: v})
	t := m.t
	t.mu.Lock()
	for _, addr := range to {
		t.held = append(t.held, Held{Identity: m.id + "\\" + newGUID(), Type: string(v), From: m.env.From, To: addr, Subject: decoded(m.head.first("Subject")), Raw: raw, At: t.twin.now()})
	}
	t.mu.Unlock()
	m.t.note(m.id, "quarantine", m.env.From, to, "held by Microsoft as "+string(v))
}

func (t *Tenant) record(s Sent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent = append(t.sent, s)
}

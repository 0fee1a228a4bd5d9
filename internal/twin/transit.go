package twin

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/internal/twin/sign"
	"postern/internal/twin/wire"
)

// A transit is one message on its way through one tenant.
type transit struct {
	t         *Tenant
	id        string // network message id
	env       wire.Envelope
	connector Object // inbound connector it is attributed to, nil for none
	auth      Auth
	internal  bool      // a mailbox of the tenant submitted it
	head      header    // as received, what the boundary strips and renames done
	extra     header    // fields that rules added
	blank     []byte    // the empty line as it stood
	body      []byte    // never touched
	hops      int       // how often the tenant saw it before
	loops     int       // how often a rule redirected it before
	prior     string    // correlation id of the earlier pass
	stripped  bool      // it came with cross-tenant fields
	scl       string    // "" until something sets it
	skipped   string    // SFV of what made filtering skip it: "SKN" rule or IP allow list, "SKA" allowed sender
	allowed   bool      // the peer is on the IP allow list
	verdict   Verdict   // of the content
	start     time.Time // when it was received
}

// The loop limits (reference: limits.json; Exchange's receive connectors allow 60 hops).
const (
	maxAttributed int = 20
	maxReceived   int = 60
)

// accept is the end of DATA: loops, block list, authentication, DMARC. After a
// positive reply the message is the twin's and goes its way by itself.
func (t *Tenant) accept(ctx context.Context, env wire.Envelope, raw []byte, given *Auth) wire.Reply {
	m := t.receive(env, raw)
	t.note(m.id, "receive", env.From, env.To, fmt.Sprintf("from %s (%s), %d octets", env.Peer, env.HELO, len(raw)))
	reply := m.front(ctx, raw, given)
	if !reply.OK() {
		t.note(m.id, "reject", env.From, env.To, reply.String())
		return reply
	}
	if !t.twin.begin() {
		return wire.Reply{Code: 421, Text: "4.3.2 Service not available"}
	}
	queued := wire.Reply{Code: 250, Text: fmt.Sprintf("2.6.0 %s [InternalId=%d, Hostname=%s] %d bytes in 0.123, %d.000 KB/sec Queued mail for delivery",
		messageID(m.head), m.start.UnixMicro(), backServer, len(raw), max(1, len(raw)/1024))}
	go func() {
		defer t.twin.work.Done()
		m.process(t.twin.ctx)
	}()
	return queued
}

// begin counts a message as under way, unless the twin is closing.
func (tw *Twin) begin() bool {
	tw.mu.Lock()
	defer tw.mu.Unlock()
	if tw.closed {
		return false
	}
	tw.work.Add(1)
	return true
}

func messageID(h header) string {
	if id := h.first("Message-ID"); id != "" {
		return id
	}
	return "<" + newGUID() + "@" + backServer + ">"
}

// receive takes a message in: it is split, the header firewall removes what only
// Exchange may say, and what an earlier pass said is renamed.
func (t *Tenant) receive(env wire.Envelope, raw []byte) *transit {
	m := &transit{t: t, id: newGUID(), env: env, start: t.twin.now()}
	m.connector = t.attribute(&env)
	var h []sign.Field
	h, m.blank, m.body = sign.Split(raw)
	m.head = slices.Clone(h)
	for _, v := range m.head.all("X-EOPAttributedMessage") {
		if n, err := strconv.Atoi(v); err == nil {
			m.hops = max(m.hops, n+1)
		}
	}
	for _, v := range m.head.all("X-MS-Exchange-Transport-Rules-Loop") {
		if n, err := strconv.Atoi(v); err == nil {
			m.loops = max(m.loops, n)
		}
	}
	m.prior = m.head.first("X-MS-Office365-Filtering-Correlation-Id")
	m.firewall()
	return m
}

// firewall is the header firewall and the renaming at the boundary.
func (m *transit) firewall() {
	hybrid := m.connector != nil && m.connector.Bool("CloudServicesMailEnabled")
	m.head = m.head.without(func(name string) bool {
		if strings.HasPrefix(name, "x-ms-exchange-crosstenant-") {
			m.stripped = true
			return true
		}
		return strings.HasPrefix(name, "x-ms-exchange-organization-") || strings.HasPrefix(name, "x-ms-exchange-forest-") ||
			strings.HasPrefix(name, "x-ms-exchange-crosspremises-") && !hybrid || restamped(name)
	})
	m.head.rename("X-Forefront-Antispam-Report", "X-Forefront-Antispam-Report-Untrusted")
	m.head.rename("X-Microsoft-Antispam", "X-Microsoft-Antispam-Untrusted")
	m.head.rename("X-Microsoft-Antispam-Message-Info", "X-Microsoft-Antispam-Message-Info-Original")
	m.head.rename("Authentication-Results", "Authentication-Results-Original")
	for i, f := range m.head {
		const data = "x-ms-exchange-antispam-messagedata-"
		if rest, ok := strings.CutPrefix(strings.ToLower(f.Name), data); ok && !strings.HasPrefix(rest, "original-") {
			m.head[i:i+1].rename(f.Name, "X-MS-Exchange-AntiSpam-MessageData-Original-"+f.Name[len(data):])
		}
	}
}

// restamped are fields that every pass writes anew.
func restamped(name string) bool {
	switch name {
	case "x-eopattributedmessage", "x-eoptenantattributedmessage", "x-ms-publictraffictype", "x-ms-traffictypediagnostic", "x-ms-office365-filtering-correlation-id",
		"x-ms-office365-filtering-correlation-id-prvs", "x-ms-exchange-atpmessageproperties", "x-ms-exchange-senderadcheck", "x-ms-exchange-antispam-relay", "x-originatororg",
		"x-ms-exchange-transport-crosstenantheadersstripped", "x-ms-exchange-transport-rules-loop", "return-path":
		return true
	}
	return false
}

// front is what the front end decides before it takes a message.
func (m *transit) front(ctx context.Context, raw []byte, given *Auth) wire.Reply {
	t, peer := m.t, m.env.Peer
	if m.hops >= maxAttributed || len(m.head.all("Received")) > maxReceived {
		return wire.Reply{Code: 554, Text: "5.4.14 Hop count exceeded - possible mail loop ATTR34 [" + frontServer + "]"}
	}
	filter := t.Object("HostedConnectionFilterPolicy", "Default")
	m.allowed = inBlocks(peer, filter.List("IPAllowList"))
	if !m.allowed && inBlocks(peer, filter.List("IPBlockList")) {
		return wire.Reply{Code: 550, Text: fmt.Sprintf("5.7.1 Service unavailable, Client host [%s] blocked using Customer Block list (AS16012609) [%s]", peer, frontServer)}
	}
	if sender := m.env.From; sender != "" && t.blocked(sender) {
		return wire.Reply{Code: 550, Text: "5.7.703 Your message can't be delivered because one or more recipients are blocked by your organization's tenant recipient block policy."}
	}
	fromDomain := domainOf(m.head.fromAddress())
	if given != nil {
		m.auth = t.complete(*given, fromDomain)
	} else {
		m.auth = t.authenticate(ctx, &m.env, raw)
	}
	t.note(m.id, "authenticate", m.env.From, m.env.To, m.auth.results(peer, domainOf(m.env.From), fromDomain))
	phish := t.policy("AntiPhishPolicy", m.env.To[0])
	if m.auth.DMARC == "fail" && m.auth.Policy == "reject" && phish.Bool("HonorDmarcPolicy") && phish.Bool("EnableSpoofIntelligence") && phish.String("DmarcRejectAction") == "Reject" &&
		m.connector == nil && !m.allowed && !m.auth.Trusted && !t.spoofAllowed(m) {
		return wire.Reply{Code: 550, Text: fmt.Sprintf("5.7.509 Access denied, sending domain %s does not pass DMARC verification and has a DMARC policy of reject. [%s]", fromDomain, frontServer)}
	}
	return wire.Reply{Code: 250}
}

// blocked reports whether the Tenant Allow/Block List blocks a sender.
func (t *Tenant) blocked(sender string) bool {
	for _, o := range t.Objects("TenantAllowBlockListItems") {
		v := strings.ToLower(o.String("Value"))
		if o.String("ListType") == "Sender" && o.String("Action") == "Block" && (v == strings.ToLower(sender) || v == domainOf(sender)) {
			return true
		}
	}
	return false
}

// note adds to the tenant's trace of events.
func (t *Tenant) note(id, step, from string, to []string, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trace = append(t.trace, Event{At: t.twin.now(), ID: id, Step: step, From: from, To: slices.Clone(to), Text: text})
}

func (m *transit) note(step, format string, args ...any) {
	m.t.note(m.id, step, m.env.From, m.env.To, fmt.Sprintf(format, args...))
}

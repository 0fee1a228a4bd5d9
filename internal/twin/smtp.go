package twin

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"postern/internal/twin/wire"
)

// mx is the SMTP front: it answers for every tenant of the twin.
type mx struct{ *Twin }

// Rcpt answers as the front end does for one recipient.
func (m mx) Rcpt(_ context.Context, env *wire.Envelope, to string) wire.Reply {
	if r, ok := m.mood(env, to); ok {
		return r
	}
	t := m.tenantOf(to)
	if t == nil {
		return wire.Reply{Code: 550, Text: fmt.Sprintf("5.7.64 TenantAttribution; Relay Access Denied SMTP. [ValueC=%s] [%s]", to, frontServer)}
	}
	_, reply := t.admit(env, to)
	if !reply.OK() {
		t.note("", "reject", env.From, []string{to}, reply.String())
	}
	return reply
}

// Data takes the message for each tenant among the recipients.
func (m mx) Data(ctx context.Context, env *wire.Envelope, raw []byte) wire.Reply {
	if r, ok := m.mood(env, ""); ok {
		return r
	}
	var last wire.Reply
	for _, t := range m.tenants {
		var to []string
		for _, r := range env.To {
			if m.tenantOf(r) == t {
				to = append(to, r)
			}
		}
		if len(to) == 0 {
			continue
		}
		own := *env
		own.To = to
		last = t.accept(ctx, own, raw, nil)
		if !last.OK() {
			return last
		}
	}
	return last
}

func (tw *Twin) tenantOf(addr string) *Tenant {
	d := domainOf(addr)
	for _, t := range tw.tenants {
		if _, ok := t.accepted(d); ok {
			return t
		}
	}
	return nil
}

// Internet is a message as a sender somewhere on the Internet hands it to the MX.
type Internet struct {
	Peer  netip.Addr // the address Exchange sees
	HELO  string
	Plain bool   // without STARTTLS
	From  string // reverse-path; "" for the null path
	To    []string
	Raw   []byte
	Auth  *Auth // what SPF, DKIM and DMARC are to say; nil to compute it
}

// Deliver hands a message to the MX as the SMTP front would take it from peer,
// without a connection. It returns the reply to the end of the data, or the first
// refusal of a recipient when none was taken.
func (tw *Twin) Deliver(ctx context.Context, in Internet) wire.Reply {
	env := wire.Envelope{Peer: in.Peer, HELO: in.HELO, From: in.From}
	if env.HELO == "" {
		env.HELO = "mail." + domainOf(in.From)
	}
	if !in.Plain {
		env.TLS = outsideTLS()
	}
	var refused wire.Reply
	for _, to := range in.To {
		if r := (mx{tw}).Rcpt(ctx, &env, to); r.OK() {
			env.To = append(env.To, to)
		} else {
			refused = r
		}
	}
	if len(env.To) == 0 {
		return refused
	}
	if in.Auth == nil {
		return mx{tw}.Data(ctx, &env, in.Raw)
	}
	var last wire.Reply
	for _, t := range tw.tenants {
		own := env
		own.To = nil
		for _, to := range env.To {
			if tw.tenantOf(to) == t {
				own.To = append(own.To, to)
			}
		}
		if len(own.To) > 0 {
			last = t.accept(ctx, own, in.Raw, in.Auth)
		}
	}
	return last
}

// mailbox is the mailbox object an address reaches, plus addressing included.
func (t *Tenant) mailbox(addr string) Object {
	i := strings.LastIndexByte(addr, '@')
	if i < 0 {
		return nil
	}
	local, domain := addr[:i], addr[i:]
	boxes := t.Objects("Mailbox")
	for _, want := range []string{addr, strings.SplitN(local, "+", 2)[0] + domain} {
		for _, o := range boxes {
			for _, a := range o.List("EmailAddresses") {
				if strings.EqualFold(strings.TrimPrefix(strings.ToLower(a), "smtp:"), strings.ToLower(want)) {
					return o
				}
			}
		}
	}
	return nil
}

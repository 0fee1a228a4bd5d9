package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/internal/mail"
	letters "postern/internal/relay/quarantine/digest"
	"postern/internal/store"
	"postern/internal/webhook"
)

// Post takes responsibility for a letter of our own, as Accept does for mail from
// outside: after nil it is in the ledger and will be sent. A letter whose id the
// ledger has already is not sent again.
func (r *Relay) Post(ctx context.Context, l letters.Letter) error {
	now := time.Now().UTC()
	m := &message{Message: &store.Message{
		ID:         l.ID,
		Tenant:     l.Tenant,
		Envelope:   mail.Envelope{HELO: r.Hostname, Received: now, Via: mail.Own, Pass: 1, SMTPUTF8: !ascii(l.To)},
		Received:   now,
		Subject:    l.Subject,
		From:       l.From,
		MessageID:  l.MessageID,
		Recipients: []store.Recipient{{Addr: l.To, Domain: mail.DomainOf(l.To), Notify: "NEVER"}},
	}}
	if err := r.keep(m, l.Content); err != nil {
		return fmt.Errorf("post %s: %w", l.ID, err)
	}
	err := r.Store.Accept(ctx, m.Message)
	if errors.Is(err, store.ErrExists) {
		r.uncache(m)
		return nil
	}
	if err != nil {
		r.uncache(m)
		return fmt.Errorf("post: %w", err)
	}
	m.fresh()
	r.pass(m)
	return nil
}

// own reports whether we wrote m ourselves.
func (m *message) own() bool { return m.Envelope.Via == mail.Own }

// pass sends a letter of our own, which nobody has to judge.
func (r *Relay) pass(m *message) {
	var ready []*store.Recipient
	for i := range m.Recipients {
		to := &m.Recipients[i]
		r.decide(m, to, mail.Decision{Verdict: mail.Clean, Action: mail.Deliver, Reasons: []string{"Postern wrote this itself."}})
		ready = append(ready, to)
	}
	r.send(m, ready)
}

// lost ends a letter of our own that cannot be delivered: it is not held, for there
// is no digest about digests.
func (r *Relay) lost(m *message, to *store.Recipient, why string) store.Change {
	r.Alarm("own-mail", m.Tenant, mail.Say("Postern's own mail to recipients in %s cannot be delivered and was given up. %s", to.Domain, why))
	return m.change(to, mail.Dropped, fmt.Sprintf("given up: %s", why))
}

// ownReceived is the trace field of a letter of our own.
func (r *Relay) ownReceived(id mail.ID, env *mail.Envelope) string {
	return strings.Join([]string{"Received: by " + plain(r.Hostname), " id " + string(id), ";\r\n\t" + env.Received.UTC().Format(time.RFC1123Z), "\r\n"}, "")
}

// Asked tells the administrators that a recipient asks for a held copy. The alarm
// is one however many ask; it is cleared when all are answered.
func (r *Relay) Asked(tenant string, id mail.ID, n int) {
	r.Alarm("release-asked", tenant, mail.Say("Recipients ask for held mail: see Quarantine, Requests."))
	if r.Notify != nil {
		r.Notify(webhook.Event{Event: webhook.Asked, Tenant: tenant, Message: id, Rcpt: &n})
	}
}

package twin

import (
	"fmt"
	"slices"

	"postern/internal/twin/sign"
	"postern/internal/twin/wire"
)

func splitMessage(raw []byte) (header, []byte, []byte) {
	h, blank, body := sign.Split(raw)
	return slices.Clone(h), blank, body
}

// Submit sends a message from one of the tenant's mailboxes, as Outlook would:
// authenticated, so that rules see it as from inside the organization.
func (t *Tenant) Submit(from string, to []string, raw []byte) error {
	if t.mailbox(from) == nil {
		return fmt.Errorf("submit: %s is no mailbox of %s", from, t.Organization)
	}
	m := &transit{t: t, id: newGUID(), env: wire.Envelope{From: from, To: slices.Clone(to)}, internal: true, start: t.twin.now()}
	m.head, m.blank, m.body = splitMessage(raw)
	m.firewall()
	m.auth.Chain.Status = "none"
	if !t.twin.begin() {
		return fmt.Errorf("submit: the twin is closed")
	}
	m.note("receive", "submitted by a mailbox, %d octets", len(raw))
	go func() {
		defer t.twin.work.Done()
		m.process(t.twin.ctx)
	}()
	return nil
}

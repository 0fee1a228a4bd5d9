package relay

import (
	"fmt"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// held is the change of a copy that goes to quarantine, for as long as the tenant
// keeps its verdict.
func (r *Relay) held(m *message, to *store.Recipient, v mail.Verdict, why string) store.Change {
	c := m.change(to, mail.Held, why)
	keep := r.Retry.retention()
	if days := r.Directory.Rules(m.Tenant).Keep.Held[v]; days > 0 {
		keep = time.Duration(days) * 24 * time.Hour
	}
	c.ExpiresAt = time.Now().Add(keep)
	r.Metric.Held.WithLabelValues(m.Tenant, string(v)).Inc()
	return c
}

// bypass lets a copy through that its verdict would stop, while the tenant's bypass
// is on: marked with the verdict all the same, and saying why. What is held for
// another reason than its verdict stays held.
func bypass(b mail.Bypass, forced string, d *mail.Decision, now time.Time) {
	if !b.On(now) || forced != "" || d.Action == mail.Deliver || (d.Verdict == mail.Malware && !b.Malware) {
		return
	}
	why := fmt.Sprintf("It was delivered although it is %s, because %s switched the bypass on until %s.", d.Verdict, b.By, b.Until.UTC().Format("2006-01-02 15:04 UTC"))
	d.Action, d.Reasons = mail.Deliver, append([]string{why}, d.Reasons...)
}

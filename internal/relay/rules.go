package relay

import (
	"fmt"
	"slices"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/policy"
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

// let lets a copy through that its verdict would stop, while the tenant's bypass is
// on or it only observes: marked with the verdict all the same, and saying why. What
// is held for another reason than its verdict stays held; of a tenant that observes
// also what a block entry names.
func let(rules mail.Rules, in policy.Input, d *mail.Decision, now time.Time) {
	if in.Forced != "" || d.Action == mail.Deliver {
		return
	}
	why := ""
	switch b, o := rules.Bypass, rules.Observe; {
	case b.On(now) && (d.Verdict != mail.Malware || b.Malware):
		why = fmt.Sprintf("It was delivered although it is %s, because %s switched the bypass on until %s.", d.Verdict, b.By, b.Until.UTC().Format("2006-01-02 15:04 UTC"))
	case o.On(now) && d.Verdict != mail.Malware && !slices.Contains(o.Hold, d.Verdict) && !policy.Blocks(rules, in):
		why = fmt.Sprintf("It was delivered although it is %s, because mail is only observed until %s.", d.Verdict, o.Until.UTC().Format("2006-01-02 15:04 UTC"))
	default:
		return
	}
	d.Action, d.Reasons = mail.Deliver, append([]string{why}, d.Reasons...)
}

// try measures a copy by the tenant's draft as well, if one is tried. Only the
// ledger hears of it.
func (m *message) try(to *store.Recipient, rules mail.Rules, in policy.Input) {
	if !rules.Draft.Tried(time.Now()) {
		return
	}
	if t := policy.Try(rules, in); t != nil {
		if m.trials == nil {
			m.trials = map[int]*mail.Trial{}
		}
		m.trials[to.N] = t
	}
}

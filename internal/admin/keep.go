package admin

import (
	"context"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// Bounds of retention, in days.
const (
	LeastHeld  = 1
	MostHeld   = 90
	LeastTrace = 7
	MostTrace  = 365
)

// HeldVerdicts are those whose held mail has a time of its own.
func HeldVerdicts() []mail.Verdict {
	return []mail.Verdict{mail.Malware, mail.Phish, mail.Suspicious, mail.Spam, mail.Unjudged, mail.Bulk}
}

// SetKeep keeps for how many days a tenant's held mail and trace are kept; 0 and
// missing are the installation's default. Held mail past its new time goes with the
// next round of retention, and does not come back.
func (a *Admin) SetKeep(ctx context.Context, tenant string, k mail.Keep) (store.RulesChange, error) {
	for v, days := range k.Held {
		switch {
		case !slices.Contains(HeldVerdicts(), v):
			return store.RulesChange{}, mail.Refuse("mail of verdict %q is not held", v)
		case days == 0:
			delete(k.Held, v)
		case days < LeastHeld || days > MostHeld:
			return store.RulesChange{}, mail.Refuse("held mail can be kept from %d to %d days, not %d", LeastHeld, MostHeld, days)
		}
	}
	if k.Trace != 0 && (k.Trace < LeastTrace || k.Trace > MostTrace) {
		return store.RulesChange{}, mail.Refuse("the trace can be kept from %d to %d days, not %d", LeastTrace, MostTrace, k.Trace)
	}
	return a.changeRules(ctx, tenant, "retention.set", "", "how long mail is kept", func(r *mail.Rules) error {
		r.Keep = k
		return nil
	}, func(r mail.Rules) any { return r.Keep })
}

// MostBypass is the longest that a bypass lasts (safety.md R45).
const MostBypass = 24 * time.Hour

// bypassAlarm is the kind of alarm while a bypass is on.
const bypassAlarm = "bypass"

// StartBypass lets a tenant's mail through whatever its verdict, for a time that
// ends by itself.
func (a *Admin) StartBypass(ctx context.Context, tenant string, last time.Duration, malware bool, why string) (mail.Bypass, error) {
	why = strings.TrimSpace(why)
	switch {
	case last < time.Minute || last > MostBypass:
		return mail.Bypass{}, mail.Refuse("a bypass lasts from a minute to %d hours: it ends by itself, and can be switched on again", int(MostBypass.Hours()))
	case why == "":
		return mail.Bypass{}, mail.Refuse("say why: the audit log keeps it, and whoever sees the alarm wants to know")
	case len(why) > 200:
		return mail.Bypass{}, mail.Refuse("say why in at most 200 letters")
	}
	b := mail.Bypass{Until: a.now().Add(last).UTC().Truncate(time.Second), Malware: malware, By: a.Actor, Why: why}
	if err := a.setBypass(ctx, tenant, "bypass.start", b); err != nil {
		return b, err
	}
	text := mail.Say("Mail is delivered whatever its verdict until %s: %s switched the bypass on (%s).", b.Until, b.By, why)
	return b, a.Store.Raise(ctx, "bypass", tenant, text)
}

// EndBypass ends a bypass before its time.
func (a *Admin) EndBypass(ctx context.Context, tenant string) error {
	if err := a.setBypass(ctx, tenant, "bypass.end", mail.Bypass{}); err != nil {
		return err
	}
	return a.Store.Clear(ctx, bypassAlarm, tenant)
}

func (a *Admin) setBypass(ctx context.Context, tenant, action string, b mail.Bypass) error {
	c, err := a.Store.ChangeRules(ctx, tenant, a.Actor, "", func(r *mail.Rules) error {
		r.Bypass = b
		return nil
	})
	if err != nil {
		return err
	}
	return a.note(ctx, tenant, action, "", clipped(c.Before.Bypass), clipped(b))
}

// EndedBypasses clears the alarms of bypasses whose time is over. Run it every
// minute or so.
func (a *Admin) EndedBypasses(ctx context.Context) error {
	alarms, err := a.Store.Alarms(ctx, "")
	if err != nil {
		return err
	}
	for _, alarm := range alarms {
		if alarm.Kind != bypassAlarm {
			continue
		}
		rules, err := a.Store.Rules(ctx, alarm.Tenant)
		if err != nil {
			return err
		}
		if rules.Bypass.On(a.now()) {
			continue
		}
		if err := a.Store.Clear(ctx, bypassAlarm, alarm.Tenant); err != nil {
			return err
		}
		if err := a.note(ctx, alarm.Tenant, "bypass.over", "", "", ""); err != nil {
			return err
		}
	}
	return nil
}

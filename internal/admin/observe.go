package admin

import (
	"context"
	"slices"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// MostObserve is for how many days a tenant may only observe.
const MostObserve = 30

// Kinds of alarms while mail is only observed, and when that is about to end.
const (
	observeAlarm = "observe"
	endingAlarm  = "observe-ending"
)

// Observe lets a tenant's verdicts mark mail and not hold it, for so many days. What
// of verdict hold names is held all the same, and malware always.
func (a *Admin) Observe(ctx context.Context, tenant string, days int, hold []mail.Verdict) (mail.Observe, error) {
	now := a.now().UTC().Truncate(time.Second)
	o := mail.Observe{Since: now, Until: now.AddDate(0, 0, days), By: a.Actor}
	if days < 1 || days > MostObserve {
		return o, mail.Refuse("a tenant can observe from 1 to %d days: it ends by itself, and can be begun again", MostObserve)
	}
	for _, v := range hold {
		switch {
		case !slices.Contains(HeldVerdicts(), v):
			return o, mail.Refuse("mail of verdict %q is not held", v)
		case v != mail.Malware && !slices.Contains(o.Hold, v): // malware is held anyway
			o.Hold = append(o.Hold, v)
		}
	}
	if err := a.setObserve(ctx, tenant, "observe.start", o); err != nil {
		return o, err
	}
	text := mail.Say("Mail is judged and marked, but not held, until %s: %s chose to observe only. Malware is held.", o.Until, o.By)
	return o, a.Store.Raise(ctx, "observe", tenant, text)
}

// EndObserve makes verdicts count before the time of observing is over.
func (a *Admin) EndObserve(ctx context.Context, tenant string) error {
	return a.setObserve(ctx, tenant, "observe.end", mail.Observe{})
}

// setObserve also clears the alarms of what was before.
func (a *Admin) setObserve(ctx context.Context, tenant, action string, o mail.Observe) error {
	c, err := a.Store.ChangeRules(ctx, tenant, a.Actor, "", func(r *mail.Rules) error {
		r.Observe = o
		return nil
	})
	if err != nil {
		return cause(err)
	}
	if err := a.clearObserve(ctx, tenant); err != nil {
		return err
	}
	return a.note(ctx, tenant, action, "", clipped(c.Before.Observe), clipped(o))
}

func (a *Admin) clearObserve(ctx context.Context, tenant string) error {
	if err := a.Store.Clear(ctx, observeAlarm, tenant); err != nil {
		return err
	}
	return a.Store.Clear(ctx, endingAlarm, tenant)
}

// EndedObserves warns of the end of observing, and clears the alarms where it is
// over. Run it every minute or so.
func (a *Admin) EndedObserves(ctx context.Context) error {
	alarms, err := a.Store.Alarms(ctx, "")
	if err != nil {
		return err
	}
	for _, alarm := range alarms {
		if alarm.Kind != observeAlarm {
			continue
		}
		warned := slices.ContainsFunc(alarms, func(b store.Alarm) bool { return b.Kind == endingAlarm && b.Tenant == alarm.Tenant })
		if err := a.endObserve(ctx, alarm.Tenant, warned); err != nil {
			return err
		}
	}
	return nil
}

func (a *Admin) endObserve(ctx context.Context, tenant string, warned bool) error {
	rules, err := a.Store.Rules(ctx, tenant)
	if err != nil {
		return err
	}
	o, now := rules.Observe, a.now()
	switch {
	case !o.On(now):
		if err := a.clearObserve(ctx, tenant); err != nil {
			return err
		}
		return a.note(ctx, tenant, "observe.over", "", "", "")
	case !warned && o.Ending(now):
		return a.Store.Raise(ctx, "observe-ending", tenant, mail.Say("Observing ends on %s: from then on mail is held for its verdict. See what would have been held, and set the thresholds.", o.Until))
	}
	return nil
}

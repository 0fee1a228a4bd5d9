package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// Bounds of how long a draft is tried.
const (
	LeastTrial = time.Hour
	MostTrial  = 30 * 24 * time.Hour
)

// ErrNoDraft says that no draft is tried, or another than was meant.
var ErrNoDraft = mail.Refuse("this draft is not there any more: it was put into force or discarded")

// StartDraft tries choices for a scope on new mail beside those that count, for a
// time. A tenant has one draft at a time.
func (a *Admin) StartDraft(ctx context.Context, tenant string, at mail.Scope, c mail.Choices, last time.Duration) (mail.Draft, error) {
	now := a.now().UTC().Truncate(time.Second)
	d := mail.Draft{ID: string(mail.NewID()), At: at, Choices: c, By: a.Actor, Began: now, Until: now.Add(last)}
	if last < LeastTrial || last > MostTrial {
		return d, mail.Refuse("a draft is tried from an hour to %d days", int(MostTrial.Hours()/24))
	}
	err := a.setDraft(ctx, tenant, "", "", "policy.draft-start", func(r *mail.Rules) error {
		if r.Draft != nil {
			return mail.Refuse("a draft is there already: put it into force or discard it first")
		}
		if _, err := Chosen(*r, at, c); err != nil {
			return err
		}
		if was := ChoicesAt(*r, at); maps.Equal(was.Thresholds, c.Thresholds) && maps.Equal(was.Actions, c.Actions) {
			return mail.Refuse("this is what counts already: change a threshold or an action first")
		}
		r.Draft = &d
		return nil
	})
	if err != nil {
		return d, err
	}
	return d, a.Store.ForgetDrafts(ctx, tenant, d.ID)
}

// StageDraft lets a draft count for a share of the recipients in its scope, 0 to 99 %.
func (a *Admin) StageDraft(ctx context.Context, tenant, id string, percent int) error {
	if percent < 0 || percent > 99 {
		return mail.Refuse("%d %% is no share: choose from 1 to 99, or put the draft into force for all", percent)
	}
	what := "" // a share of none is nothing to take back
	if percent > 0 {
		what = fmt.Sprintf("a draft counts for %d %% of the recipients", percent)
	}
	return a.setDraft(ctx, tenant, id, what, "policy.draft-stage", func(r *mail.Rules) error {
		d := *r.Draft
		if d.Percent = percent; percent == 0 && d.Until.After(a.now()) {
			d.Until = a.now().UTC().Truncate(time.Second) // to be looked at, and not tried on
		}
		r.Draft = &d
		return nil
	})
}

// EnforceDraft makes a draft what counts for everybody in its scope, and is the end
// of the draft.
func (a *Admin) EnforceDraft(ctx context.Context, tenant, id string) (store.RulesChange, error) {
	rules, err := a.Store.Rules(ctx, tenant)
	if err != nil {
		return store.RulesChange{}, err
	}
	if !isDraft(rules, id) {
		return store.RulesChange{}, ErrNoDraft
	}
	at := rules.Draft.At
	change, err := a.changeRules(ctx, tenant, "policy.draft-enforce", scopeWords(at), "thresholds and actions of "+scopeWords(at)+", as tried", func(r *mail.Rules) error {
		if !isDraft(*r, id) {
			return ErrNoDraft
		}
		next, err := Chosen(*r, r.Draft.At, r.Draft.Choices)
		next.Draft = nil
		*r = next
		return err
	}, func(r mail.Rules) any { return ChoicesAt(r, at) })
	if err != nil {
		return change, err
	}
	return change, a.Store.ForgetDrafts(ctx, tenant, "")
}

// DiscardDraft ends a draft; a share for whom it counted has what counts for all
// again.
func (a *Admin) DiscardDraft(ctx context.Context, tenant, id string) error {
	err := a.setDraft(ctx, tenant, id, "", "policy.draft-discard", func(r *mail.Rules) error {
		r.Draft = nil
		return nil
	})
	if err != nil {
		return err
	}
	return a.Store.ForgetDrafts(ctx, tenant, "")
}

func isDraft(r mail.Rules, id string) bool { return r.Draft != nil && r.Draft.ID == id }

// setDraft changes a tenant's draft, which must be the one of id; with "" there may
// be none. With what, the change stands in the history of the rules.
func (a *Admin) setDraft(ctx context.Context, tenant, id, what, action string, change func(*mail.Rules) error) error {
	c, err := a.Store.ChangeRules(ctx, tenant, a.Actor, what, func(r *mail.Rules) error {
		if id != "" && !isDraft(*r, id) {
			return ErrNoDraft
		}
		return change(r)
	})
	if err != nil {
		return cause(err)
	}
	at := ""
	for _, r := range []mail.Rules{c.Before, c.After} {
		if r.Draft != nil {
			at = scopeWords(r.Draft.At)
		}
	}
	return a.note(ctx, tenant, action, at, clipped(c.Before.Draft), clipped(c.After.Draft))
}

// cause is the sentence for people, without what it was for.
func cause(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// keptOnUndo is what taking a change back leaves as it is: a bypass, what is
// observed, and the draft, but for its share, when that is the change.
func keptOnUndo(back *mail.Rules, now mail.Rules) {
	back.Bypass, back.Observe = now.Bypass, now.Observe
	before := back.Draft
	if back.Draft = now.Draft; before != nil && now.Draft != nil && before.ID == now.Draft.ID {
		d := *now.Draft
		d.Percent = before.Percent
		back.Draft = &d
	}
}

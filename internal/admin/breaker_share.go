package admin

import (
	"context"
	"fmt"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/policy"
	"postern/internal/store"
)

// lookAtShare looks at the mail of those alone for whom a draft counts already: they
// are too few to be seen in all mail. A draft that holds far too much counts for
// nobody then, and stays to be looked at.
func (b *Breaker) lookAtShare(ctx context.Context, tenant string, rules mail.Rules, changes []store.RulesChange, now time.Time) (*Tripped, error) {
	at := stagedAt(rules.Draft, changes)
	if at.IsZero() {
		return nil, nil
	}
	since := now.Add(-breakerSpan)
	if at.After(since) {
		since = at
	}
	var s sight
	err := b.Admin.Store.Judged(ctx, store.JudgedFilter{Tenant: tenant, Since: since}, func(j store.Judged) error {
		if !policy.Staged(rules.Draft, j.Addr) || !policy.InScope(rules, rules.Draft.At, j.Addr) {
			return nil
		}
		s.copies++
		if holds(rules, rules, j) {
			s.held++
		}
		if holds(policy.Undrafted(rules), rules, j) {
			s.without++
		}
		return nil
	})
	if err != nil || s.copies < breakerMail {
		return nil, err
	}
	limit, err := b.limit(ctx, tenant, at)
	if err != nil || !s.storm(limit) {
		return nil, err
	}
	if err := b.Admin.StageDraft(ctx, tenant, rules.Draft.ID, 0); err != nil {
		return nil, fmt.Errorf("take back the share of a draft of %s: %w", tenant, err)
	}
	return &Tripped{tenant, mail.Say("A draft that counted for %d %% of the recipients counts for nobody any more (%s, by %s): of their last %d messages it held %d, and without it %d would be. Release what it held with “Judge held mail again”.", rules.Draft.Percent, scopeSaid(rules.Draft.At), rules.Draft.By, s.copies, s.held, s.without)}, nil
}

// stagedAt is when a draft came to count for the share it has, zero if none of the
// changes did that.
func stagedAt(d *mail.Draft, changes []store.RulesChange) time.Time {
	if d == nil || d.Percent == 0 {
		return time.Time{}
	}
	for _, c := range changes { // the newest first
		if isDraft(c.After, d.ID) && (!isDraft(c.Before, d.ID) || c.Before.Draft.Percent != c.After.Draft.Percent) {
			return c.At
		}
	}
	return time.Time{}
}

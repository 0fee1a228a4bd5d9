package admin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/policy"
	"postern/internal/store"
)

// meantFor is how long somebody is believed who adds an entry again that the breaker
// removed.
const meantFor = 7 * 24 * time.Hour

// brokenEntry is in the audit log where the breaker removed a block entry.
const brokenEntry = "sender.breaker"

// lookAtEntries removes block entries of the last hour that hold far too much mail,
// the one that holds most first, until the rest is bearable. fresh are their ids.
func (b *Breaker) lookAtEntries(ctx context.Context, tenant string, rules mail.Rules, fresh []string, now time.Time) (*Tripped, error) {
	watched, err := b.watchedEntries(ctx, tenant, rules, fresh, now)
	if err != nil || len(watched) == 0 {
		return nil, err
	}
	first := now
	for _, e := range watched {
		if e.CreatedAt.Before(first) {
			first = e.CreatedAt
		}
	}
	before := rules
	before.Lists = slices.DeleteFunc(slices.Clone(rules.Lists), func(e mail.ListEntry) bool { return watched[e.ID] != nil })
	since := now.Add(-breakerSpan)
	if first.After(since) {
		since = first
	}
	var s sight
	byEntry := map[string]int{}
	err = b.Admin.Store.Judged(ctx, store.JudgedFilter{Tenant: tenant, Since: since}, func(j store.Judged) error {
		s.copies++
		if holds(before, rules, j) {
			s.held, s.without = s.held+1, s.without+1
			return nil
		}
		e := policy.Blocker(rules, inputOf(j, j.Judgement.Findings))
		if e != nil && watched[e.ID] != nil && !j.Received.Before(e.CreatedAt) {
			s.held++
			byEntry[e.ID]++
		}
		return nil
	})
	if err != nil || s.copies < breakerMail {
		return nil, err
	}
	limit, err := b.limit(ctx, tenant, first)
	if err != nil || !s.storm(limit) {
		return nil, err
	}
	return b.removeEntries(ctx, tenant, watched, byEntry, s, limit)
}

// watchedEntries are the fresh ones, without those that somebody added again after
// they were removed from here.
func (b *Breaker) watchedEntries(ctx context.Context, tenant string, rules mail.Rules, fresh []string, now time.Time) (map[string]*mail.ListEntry, error) {
	if len(fresh) == 0 {
		return nil, nil
	}
	removed, err := b.Admin.Store.AuditLog(ctx, store.AuditFilter{Tenant: tenant, Action: brokenEntry, Since: now.Add(-meantFor)})
	if err != nil {
		return nil, err
	}
	watched := map[string]*mail.ListEntry{}
	for i := range rules.Lists {
		e := &rules.Lists[i]
		meant := slices.ContainsFunc(removed, func(a store.AuditEntry) bool { return a.Object == senderOf(*e) })
		if slices.Contains(fresh, e.ID) && !meant {
			watched[e.ID] = e
		}
	}
	return watched, nil
}

func (b *Breaker) removeEntries(ctx context.Context, tenant string, watched map[string]*mail.ListEntry, byEntry map[string]int, s sight, limit float64) (*Tripped, error) {
	var ids []string
	for id := range byEntry {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(x, y string) int { return cmp.Or(cmp.Compare(byEntry[y], byEntry[x]), strings.Compare(x, y)) })
	left := s.held
	var what []string
	for _, id := range ids {
		if len(what) > 0 && float64(left) <= limit*float64(s.copies) {
			break
		}
		e := watched[id]
		if err := b.Admin.Store.RemoveEntry(ctx, tenant, id); err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err := b.Admin.note(ctx, tenant, brokenEntry, senderOf(*e), clipped(e), ""); err != nil {
			return nil, err
		}
		left -= byEntry[id]
		what = append(what, senderOf(*e))
	}
	return &Tripped{tenant, mail.Say("Block entries were removed (%s): of the last %d messages %d were held, and without these entries %d would be. If an entry is meant, add it again: it stays then. Release what it held with “Judge held mail again”.", strings.Join(what, ", "), s.copies, s.held, left)}, nil
}

// senderOf is what an entry names.
func senderOf(e mail.ListEntry) string {
	if e.Network.IsValid() {
		return e.Network.String()
	}
	return cmp.Or(e.Address, e.Domain)
}

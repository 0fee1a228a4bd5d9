package quarantine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/quarantine/digest"
	"postern/internal/store"
)

// Digester sends recipients the digests that are due: at most one for each of their
// moments, whatever happened in between and however many nodes run.
type Digester struct {
	Store    *store.Store
	Composer *digest.Composer
	Post     func(ctx context.Context, l digest.Letter) error // into the ledger; the same id twice is one letter
	Alarm    func(kind, tenant string, text mail.Sentence)
	Every    time.Duration    // between rounds, default a minute
	Now      func() time.Time // time.Now by default
	Log      *slog.Logger
}

const (
	settle      = time.Minute    // after a moment, until what was held before it is surely in the ledger, by any node's clock
	digestRows  = 50             // messages in one digest; the rest is on the reader's page
	sessionLife = 24 * time.Hour // longer than any session of a recipient
)

// Run makes rounds until ctx is done.
func (d *Digester) Run(ctx context.Context) {
	every := d.Every
	if every == 0 {
		every = time.Minute
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := d.Round(ctx); err != nil && ctx.Err() == nil {
			d.Log.Error("digests", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Round makes every digest that is due now, and those that another run planned and
// did not make.
func (d *Digester) Round(ctx context.Context) error {
	left, err := d.Store.LeftDigests(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, one := range left {
		errs = append(errs, d.make(ctx, one))
	}
	tenants, err := d.Store.Tenants(ctx)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, t := range tenants {
		if err := d.tenant(ctx, t.Tenant); err != nil {
			errs = append(errs, fmt.Errorf("of tenant %s: %w", t.ID, err))
		}
	}
	errs = append(errs, d.Store.TidyRecipients(ctx, sessionLife))
	return errors.Join(errs...)
}

func (d *Digester) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

// tenant makes the digests of one tenant's recipients.
func (d *Digester) tenant(ctx context.Context, t mail.Tenant) error {
	rules, err := d.Store.Recipients(ctx, t.ID)
	if err != nil || rules.Digest.Off() { // recipients choose only where the tenant has digests at all
		return err
	}
	enabled, err := d.domains(ctx, t.ID)
	if err != nil {
		return err
	}
	now := d.now()
	waiting, err := d.Store.HeldAddresses(ctx, t.ID, listed(rules), now.UnixMilli())
	if err != nil {
		return err
	}
	var errs []error
	for addr, first := range waiting {
		if !enabled[mail.DomainOf(addr)] {
			continue
		}
		if err := d.recipient(ctx, t, rules, addr, time.UnixMilli(first), now); err != nil {
			errs = append(errs, fmt.Errorf("for one recipient: %w", err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func (d *Digester) domains(ctx context.Context, tenant string) (map[string]bool, error) {
	all, err := d.Store.Domains(ctx, tenant)
	enabled := map[string]bool{}
	for _, dom := range all {
		enabled[dom.Name] = dom.Enabled
	}
	return enabled, err
}

// listed are the classes that a tenant's digests list; what was held before it was
// judged has none.
func listed(rules mail.Recipients) []mail.Verdict {
	var all []mail.Verdict
	for _, v := range []mail.Verdict{"", mail.Clean, mail.Bulk, mail.Spam, mail.Suspicious, mail.Phish, mail.Malware, mail.Unjudged} {
		if rules.Lists(v) {
			all = append(all, v)
		}
	}
	return all
}

// recipient plans and makes a recipient's digest when a moment of the schedule has
// passed since the first message that none covers was held.
func (d *Digester) recipient(ctx context.Context, t mail.Tenant, rules mail.Recipients, addr string, first, now time.Time) error {
	p, err := d.Store.Person(ctx, t.ID, addr)
	if err != nil {
		return err
	}
	slot := Moment(rules, p, now.Add(-settle))
	if slot.IsZero() || !slot.After(p.DigestAt) || !first.Before(slot) {
		return nil
	}
	plan := store.Digest{Tenant: t.ID, Addr: addr, Since: p.DigestAt, Slot: slot, Message: mail.NewID(), Tries: 1}
	ours, err := d.Store.PlanDigest(ctx, plan)
	if err != nil || !ours {
		return err
	}
	return d.make(ctx, plan)
}

// Moment is the last one at or before now at which a person's digest was due, zero
// if none was since the schedule was chosen.
func Moment(rules mail.Recipients, p store.Person, now time.Time) time.Time {
	schedule, since := rules.Digest, rules.Since
	if p.Digest != nil {
		schedule, since = *p.Digest, p.Since
	}
	slot := schedule.Slot(now, Zone(rules, p))
	if !slot.After(since) {
		return time.Time{}
	}
	return slot
}

// Zone is where a person's clock is.
func Zone(rules mail.Recipients, p store.Person) *time.Location {
	for _, name := range []string{p.Zone, rules.Zone} {
		if name == "" {
			continue
		}
		if zone, err := time.LoadLocation(name); err == nil {
			return zone
		}
	}
	return time.UTC
}

// Reader is a person as letters are written to.
func Reader(rules mail.Recipients, p store.Person) digest.Reader {
	lang := p.Lang
	if lang == "" {
		lang = rules.Lang
	}
	return digest.Reader{Addr: p.Addr, Lang: lang, Zone: Zone(rules, p)}
}

// make writes a planned digest and hands it over. After an error it is left to the
// next round that finds it, until it was tried often enough.
func (d *Digester) make(ctx context.Context, plan store.Digest) error {
	err := d.write(ctx, plan)
	if err == nil {
		return d.Store.DigestMade(ctx, plan)
	}
	if plan.Tries >= store.DigestTries && d.Alarm != nil {
		d.Alarm("digest-failed", plan.Tenant, mail.Say("A digest could not be written; its messages come with no other. The log tells why."))
	}
	return fmt.Errorf("digest %s: %w", plan.Message, err)
}

func (d *Digester) write(ctx context.Context, plan store.Digest) error {
	t, err := d.Store.Tenant(ctx, plan.Tenant)
	if err != nil {
		return err
	}
	rules, err := d.Store.Recipients(ctx, plan.Tenant)
	if err != nil {
		return err
	}
	p, err := d.Store.Person(ctx, plan.Tenant, plan.Addr)
	if err != nil {
		return err
	}
	rows, err := d.Store.Quarantine(ctx, store.TraceFilter{Tenant: plan.Tenant, Rcpt: plan.Addr, HeldSince: plan.Since, HeldUntil: plan.Slot, Limit: 10 * digestRows})
	if err != nil {
		return err
	}
	to := Reader(rules, p)
	items, more := choose(rows, rules, to)
	if len(items) == 0 {
		return nil // released or deleted meanwhile
	}
	l, err := d.Composer.Digest(plan.Message, t.Tenant, rules, to, items, more, d.now())
	if err != nil {
		return err
	}
	return d.Post(ctx, l)
}

// choose takes the classes that are listed, and no mail of our own that somebody
// sent round again.
func choose(rows []store.TraceRow, rules mail.Recipients, to digest.Reader) (items []digest.Item, more bool) {
	for _, r := range rows {
		ours := r.Sender == "" && mail.FoldAddress(r.From) == mail.FoldAddress(digest.From(rules, to.Addr))
		if ours || !rules.Lists(r.Verdict) {
			continue
		}
		if len(items) == digestRows {
			return items, true
		}
		items = append(items, digest.Item{ID: r.ID, N: r.N, From: r.From, Subject: r.Subject, Verdict: r.Verdict, Score: r.Score, Reason: firstOf(r.Reasons), HeldAt: r.HeldAt, ExpiresAt: r.ExpiresAt})
	}
	return items, false
}

func firstOf(reasons []string) string {
	if len(reasons) == 0 {
		return ""
	}
	return reasons[0]
}

package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/policy"
	"postern/internal/store"
)

// A Breaker takes changes of rules back that suddenly hold far more mail (safety.md
// R47). Admin is required; its Actor is who takes back.
type Breaker struct {
	Admin *Admin

	baselines map[baselineKey]float64
}

type baselineKey struct {
	tenant string
	at     int64
}

const (
	breakerFor  = time.Hour          // after a change it is watched so long
	breakerSpan = 10 * time.Minute   // of mail that counts
	breakerLast = 7 * 24 * time.Hour // before the change, for the baseline
	breakerMail = 20                 // copies that must have come
	breakerHeld = 5                  // of them that only the change holds
	mostShare   = 0.20
	mostTimes   = 5
)

// A Tripped is a change that was taken back.
type Tripped struct {
	Tenant string
	Text   mail.Sentence // of the alarm
}

// Round looks at every tenant whose rules or block entries were changed lately. Run
// it twice a minute or so; the alarms are for the caller to raise.
func (b *Breaker) Round(ctx context.Context) ([]Tripped, error) {
	now := b.Admin.now()
	recent, err := b.Admin.Store.RecentRules(ctx, now.Add(-breakerFor))
	if err != nil {
		return nil, err
	}
	fresh, err := b.Admin.Store.RecentBlocks(ctx, now.Add(-breakerFor))
	if err != nil {
		return nil, err
	}
	tenants := slices.Collect(maps.Keys(recent))
	for tenant := range fresh {
		if recent[tenant] == nil {
			tenants = append(tenants, tenant)
		}
	}
	var all []Tripped
	for _, tenant := range tenants {
		rules, err := b.Admin.Store.Rules(ctx, tenant)
		if err != nil {
			return all, err
		}
		for _, look := range []func() (*Tripped, error){
			func() (*Tripped, error) { return b.lookAtEntries(ctx, tenant, rules, fresh[tenant], now) },
			func() (*Tripped, error) { return b.lookAtShare(ctx, tenant, rules, recent[tenant], now) },
			func() (*Tripped, error) { return b.look(ctx, tenant, rules, recent[tenant], now) },
		} {
			t, err := look()
			if err != nil {
				return all, err
			}
			if t != nil {
				all = append(all, *t)
				break // what is left is seen next time, by the rules as they are then
			}
		}
	}
	return all, nil
}

// A sight is what came to be held of some copies.
type sight struct {
	copies, held int
	without      int // held without what is looked at
}

// storm reports whether so much is held, and at least half of it because of what is
// looked at, that it must stop.
func (s sight) storm(limit float64) bool {
	return s.copies >= breakerMail && float64(s.held) > limit*float64(s.copies) && s.held-s.without >= max(breakerHeld, s.held/2)
}

// look replays the last minutes' mail by today's rules and by those before each
// change, the newest first: the first change without which little would be held is
// the one that did it.
func (b *Breaker) look(ctx context.Context, tenant string, rules mail.Rules, changes []store.RulesChange, now time.Time) (*Tripped, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	since := now.Add(-breakerSpan)
	if at := changes[0].At; at.After(since) {
		since = at
	}
	tally := make([]int, len(changes)) // that the rules before each would have held
	before := make([]mail.Rules, len(changes))
	for i, c := range changes {
		before[i] = c.Before
		before[i].Lists, before[i].Personal, before[i].Recipients = rules.Lists, rules.Personal, rules.Recipients
	}
	copies, held := 0, 0
	err := b.Admin.Store.Judged(ctx, store.JudgedFilter{Tenant: tenant, Since: since}, func(j store.Judged) error {
		copies++
		if holds(rules, rules, j) {
			held++
		}
		for i := range before {
			if holds(before[i], rules, j) {
				tally[i]++
			}
		}
		return nil
	})
	if err != nil || copies < breakerMail {
		return nil, err
	}
	limit, err := b.limit(ctx, tenant, changes[len(changes)-1].At)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(tally, func(without int) bool { return sight{copies, held, without}.storm(limit) })
	if i < 0 {
		return nil, nil // it is the mail that changed, not the rules
	}
	return b.takeBack(ctx, tenant, changes[:i+1], held, copies, tally[i])
}

// limit is the share of held mail that a change may not pass: 20 %, or five times
// that of the week before it, whichever is less. A tenant without mail before has
// only the first.
func (b *Breaker) limit(ctx context.Context, tenant string, at time.Time) (float64, error) {
	key := baselineKey{tenant, at.UnixMilli()}
	share, ok := b.baselines[key]
	if !ok {
		all, held, err := b.Admin.Store.HeldShare(ctx, tenant, at.Add(-breakerLast), at)
		if err != nil {
			return 0, err
		}
		if share = mostShare; all >= breakerMail && held > 0 {
			share = min(mostShare, mostTimes*float64(held)/float64(all))
		}
		if b.baselines == nil || len(b.baselines) > 1000 {
			b.baselines = map[baselineKey]float64{}
		}
		b.baselines[key] = share
	}
	return share, nil
}

func (b *Breaker) takeBack(ctx context.Context, tenant string, changes []store.RulesChange, held, copies, without int) (*Tripped, error) {
	var what []string
	for _, c := range changes {
		if _, err := b.Admin.UndoRules(ctx, tenant, c.Seq); err != nil {
			return nil, fmt.Errorf("take back change %d of %s: %w", c.Seq, tenant, err)
		}
		what = append(what, c.What+" by "+c.Actor)
	}
	return &Tripped{tenant, mail.Say("A change of the rules was taken back (%s): of the last %d messages it held %d, and without it %d would be. Release what it held with “Judge held mail again”.", strings.Join(what, "; "), copies, held, without)}, nil
}

// holds reports whether rules would not have delivered a copy. Of the findings,
// those are left out that only people and domains protected by today's rules could
// have given.
func holds(rules, today mail.Rules, j store.Judged) bool {
	found := j.Judgement.Findings
	people, domains := len(rules.People) < len(today.People), len(rules.Protected) < len(today.Protected)
	if people || domains {
		found = slices.DeleteFunc(slices.Clone(found), func(f mail.Finding) bool {
			return people && f.Rule == "person.protected" || domains && (f.Rule == "name.protected" || strings.HasPrefix(f.Rule, "lookalike."))
		})
	}
	w := policy.Weigh(rules, inputOf(j, found))
	scale := policy.ScaleFor(rules, j.Addr)
	_, action := w.Outcome(&scale)
	return action != mail.Deliver
}

// inputOf is what was known of a copy, with these findings.
func inputOf(j store.Judged, found []mail.Finding) policy.Input {
	return policy.Input{Findings: found, Auth: j.Judgement.Auth, EnvelopeFrom: j.Judgement.Auth.Origin.MailFrom, HeaderFrom: j.Judgement.From, Rcpt: j.Addr}
}

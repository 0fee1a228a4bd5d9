package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

type policyDraftCmd struct {
	Start   policyDraftStartCmd   `cmd:"" help:"Try other thresholds and actions on new mail, beside those that count."`
	Show    policyDraftShowCmd    `cmd:"" help:"Say what the draft would have done differently."`
	Enforce policyDraftEnforceCmd `cmd:"" help:"Put the draft into force, for all or first for a share of the recipients."`
	Discard policyDraftDiscardCmd `cmd:"" help:"Discard the draft."`
}

type policyDraftStartCmd struct {
	policyChoice
	For time.Duration `default:"168h" help:"How long new mail is measured by it: an hour to 720h." placeholder:"TIME"`
}

func (p *policyDraftStartCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		rules, err := o.store.Rules(c.ctx, t.ID)
		if err != nil {
			return err
		}
		choices, err := p.choices(rules)
		if err != nil {
			return err
		}
		d, err := o.admin().StartDraft(c.ctx, t.ID, p.scope(), choices, p.For)
		if err != nil {
			return err
		}
		return c.print(viewDraft(d), func(w io.Writer) {
			fmt.Fprintf(w, "New mail is measured by this draft until %s; it acts on nothing. To look at it: postern policy draft show --tenant %s\n", day(d.Until), t.ID)
		})
	})
}

// draftView is a draft and what it came to.
type draftView struct {
	ID        string          `json:"id"`
	For       string          `json:"for"`
	By        string          `json:"by"`
	Began     time.Time       `json:"began"`
	Until     time.Time       `json:"until"`
	Percent   int             `json:"percent"` // of the recipients, for whom it counts
	Choices   []string        `json:"choices"` // "spam from 60 points", "bulk: hold"
	Copies    int             `json:"copies"`
	Held      int             `json:"held"`
	WouldHold int             `json:"would_hold"`
	Delivered int             `json:"delivered_instead"` // held without the draft
	HeldMore  int             `json:"held_instead"`      // delivered without it
	Changed   []draftMoveView `json:"changed"`
}

type draftMoveView struct {
	ID     string       `json:"id"`
	At     time.Time    `json:"at"`
	With   string       `json:"with"` // "held" or "delivered"
	Acted  bool         `json:"acted"`
	Was    mail.Verdict `json:"was"`
	Is     mail.Verdict `json:"is"`
	Points int          `json:"points"`
}

func viewDraft(d mail.Draft) draftView {
	v := draftView{ID: d.ID, For: from(d.At), By: d.By, Began: d.Began, Until: d.Until, Percent: d.Percent, Choices: []string{}, Changed: []draftMoveView{}}
	for _, verdict := range slices.Sorted(maps.Keys(d.Choices.Thresholds)) {
		v.Choices = append(v.Choices, fmt.Sprintf("%s from %d points", verdict, d.Choices.Thresholds[verdict]))
	}
	for _, verdict := range slices.Sorted(maps.Keys(d.Choices.Actions)) {
		v.Choices = append(v.Choices, fmt.Sprintf("%s: %s", verdict, d.Choices.Actions[verdict]))
	}
	return v
}

// forWhom is a scope as a sentence has it.
func forWhom(scope string) string {
	if scope == string(mail.ScopeTenant) {
		return "everybody"
	}
	return scope
}

func (v *draftView) add(days []store.DraftDay, moves []store.DraftMove) {
	for _, d := range days {
		v.Copies, v.Held, v.WouldHold = v.Copies+d.Copies, v.Held+d.Held, v.WouldHold+d.WouldHold
		v.Delivered, v.HeldMore = v.Delivered+d.Freed, v.HeldMore+d.Caught
	}
	for _, m := range moves {
		with := "delivered"
		if m.Caught {
			with = "held"
		}
		v.Changed = append(v.Changed, draftMoveView{fmt.Sprintf("%s.%d", m.Message, m.N), m.At, with, m.Acted, m.Was, m.Is, m.Points})
	}
}

type policyDraftShowCmd struct {
	Tenant string `required:""`
	Limit  int    `default:"20" help:"How many messages to list."`
}

func (p *policyDraftShowCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		d, err := o.draftOf(c, t.ID)
		if err != nil {
			return err
		}
		days, err := o.store.DraftDays(c.ctx, t.ID, d.ID)
		if err != nil {
			return err
		}
		moves, err := o.store.DraftMoves(c.ctx, t.ID, d.ID, p.Limit)
		if err != nil {
			return err
		}
		v := viewDraft(d)
		v.add(days, moves)
		return c.print(v, func(w io.Writer) { printDraft(w, v, time.Now()) })
	})
}

func printDraft(w io.Writer, v draftView, now time.Time) {
	acts := fmt.Sprintf("tried until %s, and acts on nothing", day(v.Until))
	switch {
	case v.Percent > 0:
		acts = fmt.Sprintf("in force for %d %% of the recipients", v.Percent)
	case !v.Until.After(now):
		acts = fmt.Sprintf("tried no more since %s", day(v.Until))
	}
	fmt.Fprintf(w, "A draft for %s, begun by %s at %s: %s.\n", forWhom(v.For), v.By, day(v.Began), acts)
	for _, c := range v.Choices {
		fmt.Fprintf(w, "  %s\n", c)
	}
	if v.Copies == 0 {
		fmt.Fprintln(w, "No new mail came yet for those whom it is for.")
		return
	}
	fmt.Fprintf(w, "Of %d copies it would hold %d that were delivered, and would deliver %d that were held. Held of all: %d, with the draft %d.\n", v.Copies, v.HeldMore, v.Delivered, v.Held, v.WouldHold)
	if len(v.Changed) > 0 {
		table(w, "WHEN\tID\tWITH THE DRAFT\tWAS\tIS\tPOINTS", len(v.Changed), func(t io.Writer, i int) {
			m := v.Changed[i]
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\n", day(m.At), m.ID, m.With, m.Was, m.Is, m.Points)
		})
	}
}

// draftOf is a tenant's draft.
func (o *opened) draftOf(c *console, tenant string) (mail.Draft, error) {
	rules, err := o.store.Rules(c.ctx, tenant)
	switch {
	case err != nil:
		return mail.Draft{}, err
	case rules.Draft == nil:
		return mail.Draft{}, fmt.Errorf("tenant %s tries no draft: begin one with postern policy draft start", tenant)
	}
	return *rules.Draft, nil
}

type policyDraftEnforceCmd struct {
	Tenant string `required:""`
	Share  int    `default:"100" help:"Count for so many per cent of the recipients only, always the same ones." placeholder:"PERCENT"`
}

func (p *policyDraftEnforceCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		d, err := o.draftOf(c, t.ID)
		if err != nil {
			return err
		}
		if p.Share == 100 {
			_, err = o.admin().EnforceDraft(c.ctx, t.ID, d.ID)
		} else {
			err = o.admin().StageDraft(c.ctx, t.ID, d.ID, p.Share)
		}
		if err != nil {
			return err
		}
		d.Percent = p.Share
		return c.print(viewDraft(d), func(w io.Writer) {
			whom := forWhom(from(d.At))
			if p.Share < 100 {
				whom = fmt.Sprintf("%d %% of the recipients", p.Share)
			}
			fmt.Fprintf(w, "It counts for %s from now on. To take it back: postern policy undo --tenant %s\n", whom, t.ID)
		})
	})
}

type policyDraftDiscardCmd struct {
	Tenant string `required:""`
}

func (p *policyDraftDiscardCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		d, err := o.draftOf(c, t.ID)
		if err != nil {
			return err
		}
		if err := o.admin().DiscardDraft(c.ctx, t.ID, d.ID); err != nil {
			return err
		}
		return c.print(viewDraft(d), func(w io.Writer) {
			fmt.Fprintln(w, "The draft is discarded. What counted before counts for everybody.")
		})
	})
}

type policyObserveCmd struct {
	Tenant string   `required:""`
	Days   int      `help:"For so many days, 30 at most. It ends by itself." placeholder:"DAYS"`
	Hold   []string `help:"Verdicts that are held all the same; malware always is." placeholder:"VERDICT" sep:","`
	End    bool     `help:"Let verdicts count again, before its time."`
}

func (p *policyObserveCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		a := o.admin()
		var seen mail.Observe
		var err error
		if p.End {
			err = a.EndObserve(c.ctx, t.ID)
		} else {
			var hold []mail.Verdict
			for _, v := range p.Hold {
				hold = append(hold, mail.Verdict(v))
			}
			seen, err = a.Observe(c.ctx, t.ID, p.Days, hold)
		}
		if err != nil {
			return err
		}
		return c.print(map[string]any{"tenant": t.ID, "on": !p.End, "until": seen.Until, "hold": seen.Hold}, func(w io.Writer) {
			if p.End {
				fmt.Fprintln(w, "Verdicts count again.")
				return
			}
			held := "malware"
			for _, v := range seen.Hold {
				held += ", " + string(v)
			}
			fmt.Fprintf(w, "Mail is judged and marked, and held is only what is judged as %s, until %s. To end it: postern policy observe --tenant %s --end\n", held, day(seen.Until), t.ID)
		})
	})
}

package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/relay/policy"
	"postern/internal/replay"
	"postern/internal/store"
)

type policyCmd struct {
	Show    policyShowCmd    `cmd:"" help:"Show the thresholds and actions that count, and who decided them."`
	Test    policyTestCmd    `cmd:"" help:"Say what other thresholds and actions would have done to the mail of the last 14 days."`
	Set     policySetCmd     `cmd:"" help:"Decide thresholds and actions."`
	Undo    policyUndoCmd    `cmd:"" help:"Take the last change of a tenant's rules back."`
	History policyHistoryCmd `cmd:"" help:"List changes of a tenant's rules."`
	Group   policyGroupCmd   `cmd:"" help:"Make a group of recipients, or change its members."`
	Bypass  policyBypassCmd  `cmd:"" help:"Deliver everything, marked, for at most 24 hours."`
	Draft   policyDraftCmd   `cmd:"" help:"Try thresholds and actions on new mail before they count."`
	Observe policyObserveCmd `cmd:"" help:"Judge and mark mail, and hold none but malware, for some days."`
	Again   policyAgainCmd   `cmd:"" help:"Measure held mail by today's rules, and release what they would deliver."`
}

// policyScope names for whom.
type policyScope struct {
	Tenant string `required:""`
	Group  string `help:"For this group of recipients." xor:"scope"`
	Person string `help:"For this recipient." xor:"scope" placeholder:"ADDRESS"`
}

func (p policyScope) scope() mail.Scope {
	switch {
	case p.Group != "":
		return mail.Scope{Kind: mail.ScopeGroup, Name: p.Group}
	case p.Person != "":
		return mail.Scope{Kind: mail.ScopePerson, Name: p.Person}
	}
	return mail.Scope{Kind: mail.ScopeTenant}
}

// policyView is one verdict's threshold and action.
type policyView struct {
	Verdict       mail.Verdict `json:"verdict"`
	Threshold     int          `json:"threshold"` // points; 0 for clean mail, which has none
	ThresholdFrom string       `json:"threshold_from"`
	Action        mail.Action  `json:"action"`
	ActionFrom    string       `json:"action_from"`
}

func viewPolicy(rules mail.Rules, at mail.Scope) []policyView {
	views := []policyView{}
	for _, s := range policy.Sources(rules, at) {
		if s.Verdict != mail.Clean {
			views = append(views, policyView{s.Verdict, s.Threshold, from(s.ThresholdFrom), s.Action, from(s.ActionFrom)})
		}
	}
	return views
}

func from(at mail.Scope) string { return strings.TrimSpace(string(at.Kind) + " " + at.Name) }

func printPolicy(w io.Writer, views []policyView) {
	table(w, "VERDICT\tFROM POINTS\tDECIDED BY\tACTION\tDECIDED BY", len(views), func(t io.Writer, i int) {
		v := views[i]
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\n", v.Verdict, v.Threshold, v.ThresholdFrom, v.Action, v.ActionFrom)
	})
}

type policyShowCmd struct{ policyScope }

func (p *policyShowCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		rules, err := o.store.Rules(c.ctx, t.ID)
		if err != nil {
			return err
		}
		views := viewPolicy(rules, p.scope())
		return c.print(views, func(w io.Writer) { printPolicy(w, views) })
	})
}

// policyChoice is what the command line decides.
type policyChoice struct {
	policyScope
	Threshold []string `help:"Threshold in points, such as spam=60; spam=default leaves it to the next wider scope." placeholder:"VERDICT=POINTS" sep:","`
	Action    []string `help:"Action, such as bulk=hold; bulk=default leaves it to the next wider scope." placeholder:"VERDICT=ACTION" sep:","`
}

// choices are those of the scope, changed as asked for.
func (p *policyChoice) choices(rules mail.Rules) (mail.Choices, error) {
	was := admin.ChoicesAt(rules, p.scope())
	c := mail.Choices{Thresholds: map[mail.Verdict]int{}, Actions: map[mail.Verdict]mail.Action{}}
	for v, n := range was.Thresholds {
		c.Thresholds[v] = n
	}
	for v, a := range was.Actions {
		c.Actions[v] = a
	}
	if len(p.Threshold)+len(p.Action) == 0 {
		return c, usageError("nothing is decided: give --threshold VERDICT=POINTS or --action VERDICT=ACTION")
	}
	for _, text := range p.Threshold {
		verdict, points, ok := strings.Cut(text, "=")
		if points == "default" {
			delete(c.Thresholds, mail.Verdict(verdict))
			continue
		}
		n, err := strconv.Atoi(points)
		if !ok || err != nil {
			return c, usageError(fmt.Sprintf("%q is not VERDICT=POINTS, such as spam=60", text))
		}
		c.Thresholds[mail.Verdict(verdict)] = n
	}
	for _, text := range p.Action {
		verdict, action, ok := strings.Cut(text, "=")
		if action == "default" {
			delete(c.Actions, mail.Verdict(verdict))
			continue
		}
		if !ok {
			return c, usageError(fmt.Sprintf("%q is not VERDICT=ACTION, such as bulk=hold", text))
		}
		c.Actions[mail.Verdict(verdict)] = mail.Action(action)
	}
	return c, nil
}

type policySetCmd struct{ policyChoice }

func (p *policySetCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		rules, err := o.store.Rules(c.ctx, t.ID)
		if err != nil {
			return err
		}
		choices, err := p.choices(rules)
		if err != nil {
			return err
		}
		change, err := o.admin().SetChoices(c.ctx, t.ID, p.scope(), choices)
		if err != nil {
			return err
		}
		views := viewPolicy(change.After, p.scope())
		return c.print(views, func(w io.Writer) {
			printPolicy(w, views)
			fmt.Fprintf(w, "This counts for mail from now on. To take it back: postern policy undo --tenant %s\n", t.ID)
		})
	})
}

type policyTestCmd struct {
	policyChoice
	Limit int `default:"20" help:"How many messages of each kind to list."`
}

type policyTestView struct {
	Messages  int         `json:"messages"` // of the tenant in this time
	Share     int         `json:"share"`    // of 32 messages so many were replayed
	Copies    int         `json:"copies"`
	HeldNow   int         `json:"held_now"`
	HeldThen  int         `json:"held_then"`
	Delivered int         `json:"delivered_instead"` // held now, delivered then
	Held      int         `json:"held_instead"`      // delivered now, held then
	Changed   []movedView `json:"changed"`
}

type movedView struct {
	ID     string       `json:"id"`
	To     string       `json:"to"`
	Then   string       `json:"then"` // "held" or "delivered"
	Was    mail.Verdict `json:"was"`
	Is     mail.Verdict `json:"is"`
	Points int          `json:"points"`
}

func (p *policyTestCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		rules, err := o.store.Rules(c.ctx, t.ID)
		if err != nil {
			return err
		}
		choices, err := p.choices(rules)
		if err != nil {
			return err
		}
		next, err := admin.Chosen(rules, p.scope(), choices)
		if err != nil {
			return err
		}
		book, err := replay.Read(c.ctx, o.store, t.ID, rules, time.Now())
		if err != nil {
			return err
		}
		change := book.Compare(rules, next, p.Limit)
		v := policyTestView{book.Messages, book.Share, change.Copies, change.HeldOld, change.HeldNew, change.Freed, change.Caught, []movedView{}}
		for _, m := range change.Moves {
			then := "delivered"
			if m.Caught {
				then = "held"
			}
			v.Changed = append(v.Changed, movedView{m.ID, m.To, then, m.Old, m.New, m.Points})
		}
		return c.print(v, func(w io.Writer) { printTest(w, v) })
	})
}

func printTest(w io.Writer, v policyTestView) {
	if v.Share < 32 {
		fmt.Fprintf(w, "A fair sample was replayed: %d copies, %d of every 32 of the %d messages of the last %d days.\n", v.Copies, v.Share, v.Messages, replay.Days)
	} else {
		fmt.Fprintf(w, "All %d messages of the last %d days were replayed, %d copies.\n", v.Messages, replay.Days, v.Copies)
	}
	fmt.Fprintf(w, "Held now and delivered then: %d. Delivered now and held then: %d. Held of all: %d, then %d.\n", v.Delivered, v.Held, v.HeldNow, v.HeldThen)
	if len(v.Changed) > 0 {
		table(w, "ID\tTO\tTHEN\tWAS\tIS\tPOINTS", len(v.Changed), func(t io.Writer, i int) {
			m := v.Changed[i]
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\n", m.ID, show(m.To, 40), m.Then, m.Was, m.Is, m.Points)
		})
	}
}

type policyUndoCmd struct {
	Tenant string `required:""`
}

func (p *policyUndoCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		a := o.admin()
		change, err := a.UndoRules(c.ctx, t.ID, 0)
		if err != nil {
			return err
		}
		v := viewChange(change)
		return c.print(v, func(w io.Writer) { fmt.Fprintf(w, "Taken back: %s, by %s at %s.\n", v.What, v.By, day(v.At)) })
	})
}

// changeView is one change of the rules.
type changeView struct {
	ID       int64      `json:"id"`
	At       time.Time  `json:"at"`
	By       string     `json:"by"`
	What     string     `json:"what"`
	UndoneAt *time.Time `json:"undone_at"`
	UndoneBy string     `json:"undone_by"`
}

func viewChange(c store.RulesChange) changeView {
	v := changeView{ID: c.Seq, At: c.At, By: c.Actor, What: c.What, UndoneBy: c.UndoneBy}
	if !c.UndoneAt.IsZero() {
		v.UndoneAt = &c.UndoneAt
	}
	return v
}

type policyHistoryCmd struct {
	Tenant string `required:""`
	Limit  int    `default:"20"`
}

func (p *policyHistoryCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		changes, err := o.store.RulesHistory(c.ctx, t.ID, p.Limit)
		if err != nil {
			return err
		}
		views := []changeView{}
		for _, change := range changes {
			views = append(views, viewChange(change))
		}
		return c.print(views, func(w io.Writer) {
			table(w, "WHEN\tWHO\tWHAT\tTAKEN BACK BY", len(views), func(t io.Writer, i int) {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", day(views[i].At), views[i].By, views[i].What, views[i].UndoneBy)
			})
		})
	})
}

type policyGroupCmd struct {
	Name    string   `arg:""`
	Members []string `arg:"" optional:"" help:"Addresses, or domains for everybody in them."`
	Tenant  string   `required:""`
	Remove  bool     `help:"Remove the group and what was decided for it."`
	Raise   bool     `help:"Move it one place up: of two groups that a recipient is in, the first that decides counts."`
}

func (p *policyGroupCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		a := o.admin()
		var change store.RulesChange
		var err error
		switch {
		case p.Remove:
			change, err = a.RemoveScope(c.ctx, t.ID, mail.Scope{Kind: mail.ScopeGroup, Name: p.Name})
		case p.Raise:
			change, err = a.RaiseGroup(c.ctx, t.ID, p.Name)
		default:
			change, err = a.PutGroup(c.ctx, t.ID, p.Name, p.Members)
		}
		if err != nil {
			return err
		}
		type groupView struct {
			Name    string   `json:"name"`
			Members []string `json:"members"`
		}
		views := []groupView{}
		for _, g := range change.After.Groups {
			views = append(views, groupView{g.Name, g.Members})
		}
		return c.print(views, func(w io.Writer) {
			table(w, "GROUP\tMEMBERS", len(views), func(t io.Writer, i int) {
				fmt.Fprintf(t, "%s\t%s\n", views[i].Name, show(strings.Join(views[i].Members, " "), 100))
			})
		})
	})
}

type policyBypassCmd struct {
	Tenant  string        `required:""`
	For     time.Duration `help:"How long, such as 2h; at most 24h. It ends by itself." placeholder:"TIME"`
	Why     string        `help:"Why; the audit log and the alarm say it."`
	Malware bool          `help:"Malware too."`
	End     bool          `help:"Switch it off before its time."`
}

func (p *policyBypassCmd) Run(c *console) error {
	return c.withTenant(p.Tenant, func(o *opened, t mail.Tenant) error {
		a := o.admin()
		var b mail.Bypass
		var err error
		if p.End {
			err = a.EndBypass(c.ctx, t.ID)
		} else {
			b, err = a.StartBypass(c.ctx, t.ID, p.For, p.Malware, p.Why)
		}
		if err != nil {
			return err
		}
		return c.print(map[string]any{"tenant": t.ID, "on": !p.End, "until": b.Until, "malware": b.Malware}, func(w io.Writer) {
			if p.End {
				fmt.Fprintln(w, "The bypass is off. Verdicts count again.")
				return
			}
			fmt.Fprintf(w, "Everything is delivered, marked with its verdict, until %s.\n", b.Until.Format(time.RFC1123))
		})
	})
}

package main

import (
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/exchange"
	"postern/internal/exchange/adminapi"
	"postern/internal/mail"
)

// exchangeChoices are the options of the set-up; what is given to apply is kept.
type exchangeChoices struct {
	IncludeInternal  *bool   `negatable:"" help:"Redirect mail between the tenant's own people too."`
	PlainYes         *bool   `negatable:"" help:"Trust a plain yes in the processed header, which anybody can write: for compatibility only."`
	CertificateBound *bool   `negatable:"" help:"Let the receive connector recognise the relay by its certificate instead of by address."`
	Connectors       *string `enum:"auto,partner,organization" help:"Sort of connectors: auto, partner or organization." default:"auto"`
	ArcSealer        *string `name:"arc-sealer" help:"Domain of the relay's ARC seals, to be trusted by Exchange."`
	Hardened         *bool   `negatable:"" help:"Harder settings than the guide's; plan says which."`
	OutboundRule     *string `name:"outbound-rule" help:"Name of an outbound relay's rule, which stays first."`
	Mailbox          *string `help:"Mailbox that Exchange addresses its validation message to."`
}

// into writes what was given into o.
func (e *exchangeChoices) into(o exchange.Options) exchange.Options {
	set(&o.IncludeInternal, e.IncludeInternal)
	set(&o.PlainYes, e.PlainYes)
	set(&o.CertificateBound, e.CertificateBound)
	set(&o.ArcSealer, e.ArcSealer)
	set(&o.Hardened, e.Hardened)
	set(&o.OutboundRule, e.OutboundRule)
	set(&o.ValidationMailbox, e.Mailbox)
	if e.Connectors != nil && *e.Connectors != "auto" {
		o.Connectors = exchange.Connector(*e.Connectors)
	}
	return o
}

func set[T any](to *T, given *T) {
	if given != nil {
		*to = *given
	}
}

type exchangePlanCmd struct {
	exchangeTenant
	exchangeChoices
}

func (e *exchangePlanCmd) Run(c *console) error {
	return c.onExchange(e.Tenant, func(_ *admin.Exchange, _ string, engine *exchange.Engine, spec exchange.Spec) error {
		spec.Options = e.into(spec.Options)
		plan, err := engine.Plan(c.ctx, spec)
		if err != nil {
			return err
		}
		return c.print(plan, func(w io.Writer) { printPlan(w, plan) })
	})
}

func printPlan(w io.Writer, plan *exchange.Plan) {
	for _, k := range plan.Checks {
		fmt.Fprintf(w, "%-8s  %s\n", k.Severity, show(mail.Together(k.Text, k.Mend).String(), 400))
	}
	if len(plan.Actions) == 0 {
		fmt.Fprintln(w, "Nothing is to do: Exchange is set up as wanted.")
		return
	}
	for i, a := range plan.Actions {
		guide := ""
		if len(a.GuideSteps) > 0 {
			guide = "   (guide: " + strings.Join(a.GuideSteps, ", ") + ")"
		}
		fmt.Fprintf(w, "\n%2d. %s %s%s\n    %s\n", i+1, a.Cmdlet, show(a.Name, 100), guide, show(a.Why.String(), 400))
		names := make([]string, 0, len(a.Parameters))
		for name := range a.Parameters {
			names = append(names, name)
		}
		sort.Strings(names)
		given, before := adminapi.Mask(a.Parameters), adminapi.Mask(a.Before)
		for _, name := range names {
			line := fmt.Sprintf("    -%s %v", name, given[name])
			if was, ok := before[name]; ok {
				line += fmt.Sprintf("   (now %v)", was)
			}
			fmt.Fprintln(w, show(line, 300))
		}
	}
	fmt.Fprintf(w, "\n%d changes. Nothing was done yet: postern exchange apply --tenant %s does it.\n", len(plan.Actions), plan.Tenant)
}

type exchangeApplyCmd struct {
	exchangeTenant
	exchangeChoices
	Force bool `help:"Go on although a check is critical."`
}

func (e *exchangeApplyCmd) Run(c *console) error {
	return c.onExchange(e.Tenant, func(x *admin.Exchange, id string, engine *exchange.Engine, spec exchange.Spec) error {
		spec.Options = e.into(spec.Options)
		if err := x.SetOptions(c.ctx, id, spec.Options); err != nil {
			return err
		}
		result, err := engine.Apply(c.ctx, spec, exchange.ApplyOptions{Force: e.Force})
		if err != nil {
			return err
		}
		return c.result(result, "Exchange is set up as wanted.")
	})
}

// result prints the outcome of a change.
func (c *console) result(r *exchange.Result, done string) error {
	return c.print(r, func(w io.Writer) {
		fmt.Fprintf(w, "%d changes made. %s\n", len(r.Actions), done)
		for _, n := range r.Notes {
			fmt.Fprintf(w, "  %s\n", n)
		}
		for _, d := range r.Foreign {
			if d.Note.Format != "" {
				fmt.Fprintf(w, "  changed by others: %s %s was %v. %s\n", d.Object, d.Field, d.Have, d.Note)
				continue
			}
			fmt.Fprintf(w, "  left alone, changed by others: %s %s is %v\n", d.Object, d.Field, d.Have)
		}
	})
}

type exchangeVerifyCmd struct{ exchangeTenant }

func (e *exchangeVerifyCmd) Run(c *console) error {
	return c.onExchange(e.Tenant, func(_ *admin.Exchange, _ string, engine *exchange.Engine, spec exchange.Spec) error {
		report, err := engine.Verify(c.ctx, spec)
		if err != nil {
			return err
		}
		if err := c.print(report, func(w io.Writer) {
			for _, d := range report.Drift {
				fmt.Fprintf(w, "%-8s  %s %s is %v, should be %v. %s\n", d.Severity, d.Object, d.Field, d.Have, d.Want, d.Note)
			}
			if report.OK {
				fmt.Fprintln(w, "Exchange is as it was set up.")
			}
		}); err != nil {
			return err
		}
		if !report.OK {
			return errSilent
		}
		return nil
	})
}

type exchangeRollbackCmd struct {
	exchangeTenant
	Overwrite bool `help:"Put back prior values even where somebody else changed ours since."`
}

func (e *exchangeRollbackCmd) Run(c *console) error {
	return c.onExchange(e.Tenant, func(_ *admin.Exchange, _ string, engine *exchange.Engine, spec exchange.Spec) error {
		result, err := engine.Rollback(c.ctx, spec, exchange.RollbackOptions{Overwrite: e.Overwrite})
		if err != nil {
			return err
		}
		return c.result(result, "Exchange is as it was before; mail no longer comes here.")
	})
}

type exchangeRotateCmd struct{ exchangeTenant }

func (e *exchangeRotateCmd) Run(c *console) error {
	return c.onExchange(e.Tenant, func(_ *admin.Exchange, _ string, engine *exchange.Engine, spec exchange.Spec) error {
		r, err := engine.Rotate(c.ctx, spec)
		if err != nil {
			return err
		}
		return c.print(r, func(w io.Writer) {
			fmt.Fprintf(w, "The new key is in Exchange's rules. Retire the old one after %s: postern key retire --tenant %s\n", day(r.RetireAfter), e.Tenant)
		})
	})
}

type exchangeScriptCmd struct {
	exchangeTenant
	exchangeChoices
	Organization string `help:"The organization's initial domain, such as contoso.onmicrosoft.com." required:""`
	Out          string `help:"File to write, readable for you alone; default standard output." placeholder:"FILE"`
}

func (e *exchangeScriptCmd) Run(c *console) error {
	return c.withTenant(e.Tenant, func(o *opened, t mail.Tenant) error {
		x := c.exchange(o)
		spec, err := x.Spec(c.ctx, t.ID)
		if err != nil {
			return err
		}
		spec.Options = e.into(spec.Options)
		text, err := exchange.Script(spec, exchange.ScriptOptions{Organization: e.Organization, Now: time.Now()})
		if err != nil {
			return err
		}
		if e.Out == "" {
			_, err = io.WriteString(c.out, text)
			return err
		}
		if err := os.WriteFile(e.Out, []byte(text), 0o600); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
		fmt.Fprintf(c.err, "Written to %s. It holds the relay key: delete it after use.\n", e.Out)
		return nil
	})
}

type protectionCmd struct {
	List    protectionListCmd    `cmd:"" help:"List what can be switched off, and what cannot."`
	Disable protectionDisableCmd `cmd:"" help:"Switch chosen protections off, so that mail is not judged twice."`
	Enable  protectionEnableCmd  `cmd:"" help:"Put chosen protections back exactly as they were."`
}

type protectionListCmd struct{ exchangeTenant }

func (p *protectionListCmd) Run(c *console) error {
	return c.onExchange(p.Tenant, func(_ *admin.Exchange, _ string, engine *exchange.Engine, spec exchange.Spec) error {
		list, err := engine.Protection(c.ctx, spec)
		if err != nil {
			return err
		}
		return c.print(map[string]any{"policies": list, "cannot_be_switched_off": exchange.Unswitchable()}, func(w io.Writer) {
			table(w, "POLICY\tSTATE\tWHAT IT IS", len(list), func(t io.Writer, i int) {
				state := list[i].State
				if !list[i].Available {
					state = "not licensed"
				}
				fmt.Fprintf(t, "%s\t%s\t%s\n", list[i].ID, state, list[i].Title)
			})
			for _, s := range exchange.Unswitchable() {
				fmt.Fprintf(w, "\n%s\n", s)
			}
		})
	})
}

type protectionDisableCmd struct {
	exchangeTenant
	Policy []string `help:"Policy id from the list; at least one." placeholder:"NAME"`
}

func (p *protectionDisableCmd) Run(c *console) error {
	if len(p.Policy) == 0 {
		return usageError("choose at least one policy with --policy NAME; postern exchange protection list names them")
	}
	return c.onExchange(p.Tenant, func(_ *admin.Exchange, _ string, engine *exchange.Engine, spec exchange.Spec) error {
		result, err := engine.DisableProtection(c.ctx, spec, p.Policy)
		if err != nil {
			return err
		}
		return c.result(result, "The chosen protections are off; their former values are kept.")
	})
}

type protectionEnableCmd struct {
	exchangeTenant
	Policy []string `help:"Policy id from the list; default all that were switched off here." placeholder:"NAME"`
}

func (p *protectionEnableCmd) Run(c *console) error {
	return c.onExchange(p.Tenant, func(_ *admin.Exchange, _ string, engine *exchange.Engine, spec exchange.Spec) error {
		result, err := engine.EnableProtection(c.ctx, spec, p.Policy)
		if err != nil {
			return err
		}
		return c.result(result, "The protections are on again as they were.")
	})
}

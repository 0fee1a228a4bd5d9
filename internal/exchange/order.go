package exchange

import (
	"slices"
	"strings"

	"postern/internal/mail"
)

// Order of the rules (product.md X11, X12, X14): our stripping rules first, the
// redirect rules after an outbound relay's rule, the clutter rule after them. The
// other rules keep their order.

func (p *planner) index(name string) int {
	return slices.IndexFunc(p.order, func(n string) bool { return strings.EqualFold(n, name) })
}

// place finds where a new rule goes and notes it in the order; end means after
// all others, which is what Exchange does without a Priority.
func (p *planner) place(o Object) (at int, end bool) {
	at = len(p.order)
	switch {
	case o.Where == "X14":
		at = min(p.stripIndex(o), len(p.order))
	case isRedirect(o):
		if c := p.index(p.spec.clutterRule().Name); c >= 0 && c > p.outboundIndex() {
			at = c
		}
	}
	end = at == len(p.order)
	p.order = slices.Insert(p.order, at, o.Name)
	return at, end
}

func (p *planner) stripIndex(o Object) int {
	return slices.IndexFunc(p.spec.stripRules(), func(s Object) bool { return s.ID == o.ID })
}

// outboundIndex is where the last rule of an outbound relay stands, -1 if there
// is none: the one named in the options, or rules that route mail leaving the
// organization to a connector.
func (p *planner) outboundIndex() int {
	last := -1
	for _, r := range p.cur.Rules {
		if p.isOutboundRelay(r) {
			last = max(last, p.index(nameOf(r)))
		}
	}
	return last
}

func (p *planner) isOutboundRelay(r map[string]any) bool {
	name := nameOf(r)
	if p.isOurRedirect(name) {
		return false
	}
	if p.spec.Options.OutboundRule != "" {
		return strings.EqualFold(name, p.spec.Options.OutboundRule)
	}
	out := strings.EqualFold(text(r["FromScope"]), "InOrganization") || strings.EqualFold(text(r["SentToScope"]), "NotInOrganization")
	return out && text(r["RouteMessageOutboundConnector"]) != ""
}

// arrange moves rules of ours that stand in the wrong place.
func (p *planner) arrange() {
	for _, o := range p.objects {
		if o.Where == "X14" {
			if want := p.stripIndex(o); p.index(o.Name) != want {
				p.move(o, want, mail.Say("It must be the first of the rules, so that no other rule believes a forged header."))
			}
		}
	}
	for _, o := range p.objects {
		if out := p.outboundIndex(); isRedirect(o) && p.index(o.Name) < out {
			p.move(o, out, mail.Say("It must come after the outbound relay's rule, or mail between your own people would take the wrong way."))
		}
	}
	clutter, last := p.spec.clutterRule(), 0
	for _, o := range p.objects {
		if isRedirect(o) {
			last = max(last, p.index(o.Name))
		}
	}
	if at := p.index(clutter.Name); at >= 0 && at < last {
		p.move(clutter, last, mail.Say("It must come after the relay rule."))
	}
}

func (p *planner) move(o Object, to int, why mail.Sentence) {
	from := p.index(o.Name)
	p.order = slices.Delete(p.order, from, from+1)
	p.order = slices.Insert(p.order, to, o.Name)
	step := []string{"G1.58"}
	if o.ID == "rule-clutter" {
		step = []string{"G2.c13"}
	}
	if o.Where == "X14" {
		step = []string{}
	}
	p.add(Action{
		ID: o.ID + "/move", Cmdlet: "Set-TransportRule", Parameters: Values{"Identity": o.Name, "Priority": to}, GuideSteps: step,
		Before: Values{"Priority": from}, After: Values{"Priority": to}, move: true, ours: p.marked(p.cur.Object(o.Kind, o.Name)), Why: why,
	}, o)
}

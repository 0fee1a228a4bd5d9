package portal

import (
	"net/http"

	"postern/internal/exchange"
	"postern/internal/exchange/guide"
	"postern/internal/mail"
)

// guidePage is the set-up by hand, step by step, with this tenant's values.
type guidePage struct {
	*shell
	Sections []guideSection
	Checked  bool // each step was compared with Exchange
}

type guideSection struct {
	Title, Where mail.Sentence
	Steps        []guide.Step
}

func (p *Portal) guide(w http.ResponseWriter, r *http.Request, v *visit) error {
	ctx := r.Context()
	page := guidePage{shell: p.shell(r, v, "Set-up by hand")}
	spec, err := v.Spec(ctx, v.tenant.ID)
	if err != nil {
		return err
	}
	domains, err := p.Store.Domains(ctx, v.tenant.ID)
	if err != nil {
		return err
	}
	mtas := map[string][]string{}
	for _, d := range domains {
		for _, m := range d.MTAs {
			mtas[d.Name] = append(mtas[d.Name], m.Address())
		}
	}
	var report *exchange.Report
	if e, _, err := p.engine(ctx, v); err == nil {
		if report, err = e.Verify(ctx, spec); err != nil {
			report = nil // the steps stay without a mark
		}
	}
	page.Checked = report != nil
	steps, err := exchange.Guide(spec, mtas, "", report)
	if err != nil {
		return p.showExchange(w, r, v, http.StatusUnprocessableEntity, exchangePage{Why: v.words.Wrong(err)})
	}
	for _, s := range steps {
		if n := len(page.Sections); n == 0 || page.Sections[n-1].Title.Format != s.Section.Format {
			page.Sections = append(page.Sections, guideSection{Title: s.Section, Where: s.Where})
		}
		last := &page.Sections[len(page.Sections)-1]
		last.Steps = append(last.Steps, s)
	}
	return p.render(w, http.StatusOK, "guide", page)
}

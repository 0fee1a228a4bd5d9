package portal

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/relay/deliver"
)

// planPage is Inbound Management, Plan Settings.
type planPage struct {
	*shell
	Architecture mail.Architecture // of new domains
	Domains      []mail.Domain
	Keys         []mail.Key // valid ones first
	Valid        int
	May          bool
	Given        givenDomain // what is being entered or edited
	Editing      bool
	Why          string
	Warning      string
	Shown        admin.NewKey // at the only moment it is shown
	Header       string       // that carries the key
	Max          int          // MTAs of a domain
	Connected    bool
}

// givenDomain is the form of the Domain and MTA table.
type givenDomain struct {
	Name string
	MTAs [mail.MaxMTAs]givenMTA
}

type givenMTA struct {
	Host, Port, TLS string
}

func (p *Portal) plan(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := planPage{}
	if name := r.FormValue("edit"); name != "" {
		d, err := p.domainOf(r, v, name)
		if err != nil {
			return err
		}
		page.Given, page.Editing = given(d.Name, d.MTAs), true
	}
	return p.showPlan(w, r, v, http.StatusOK, page)
}

func (p *Portal) showPlan(w http.ResponseWriter, r *http.Request, v *visit, status int, page planPage) error {
	ctx := r.Context()
	page.shell, page.May, page.Header, page.Max = p.shell(r, v, "Plan Settings"), v.has(changers), p.Prefix+"-creds", mail.MaxMTAs
	var err error
	if page.Domains, err = p.Store.Domains(ctx, v.tenant.ID); err != nil {
		return err
	}
	keys, err := p.Store.Keys(ctx, v.tenant.ID)
	if err != nil {
		return err
	}
	slices.Reverse(keys)
	for _, retired := range []bool{false, true} {
		for _, k := range keys {
			if k.RetiredAt.IsZero() != retired {
				page.Keys = append(page.Keys, k)
				if !retired {
					page.Valid++
				}
			}
		}
	}
	page.Architecture = mail.ViaRelay
	for _, d := range page.Domains {
		page.Architecture = d.Architecture
	}
	if a := mail.Architecture(r.FormValue("architecture")); a == mail.ViaMX || a == mail.ViaRelay {
		page.Architecture = a
	}
	if page.Given == (givenDomain{}) {
		page.Given = given("", nil)
	}
	_, err = v.Connection(ctx, v.tenant.ID)
	page.Connected = err == nil
	if err != nil && !errors.Is(err, admin.ErrNotConnected) {
		return err
	}
	return p.render(w, status, "plan", page)
}

// given is the form filled with what a domain has.
func given(name string, mtas []mail.MTA) givenDomain {
	g := givenDomain{Name: name}
	for i := range g.MTAs {
		g.MTAs[i] = givenMTA{Port: "25", TLS: string(mail.TLSVerify)}
		if i < len(mtas) {
			g.MTAs[i] = givenMTA{mtas[i].Host, strconv.Itoa(mtas[i].Port), string(mtas[i].TLS)}
		}
	}
	return g
}

// readDomain takes the form; an MTA without a host is left out.
func readDomain(r *http.Request) (g givenDomain, mtas []mail.MTA, err error) {
	g.Name = strings.TrimSpace(r.PostFormValue("domain"))
	for i := range g.MTAs {
		n := strconv.Itoa(i)
		m := givenMTA{strings.TrimSpace(r.PostFormValue("host" + n)), strings.TrimSpace(r.PostFormValue("port" + n)), r.PostFormValue("tls" + n)}
		if m.Port == "" {
			m.Port = "25"
		}
		g.MTAs[i] = m
		if m.Host == "" {
			continue
		}
		text := m.Host
		if m.Port != "25" {
			if strings.Contains(m.Host, ":") {
				text = "[" + strings.Trim(m.Host, "[]") + "]"
			}
			text += ":" + m.Port
		}
		one, perr := admin.ParseMTA(text + ",tls=" + m.TLS)
		if perr != nil && err == nil {
			err = perr
		}
		mtas = append(mtas, one)
	}
	return g, mtas, err
}

// saveDomain adds or changes a domain. The button Resolve host only fills in the
// MTAs.
func (p *Portal) saveDomain(w http.ResponseWriter, r *http.Request, v *visit) error {
	g, mtas, err := readDomain(r)
	page := planPage{Given: g, Editing: r.PostFormValue("editing") != ""}
	if r.PostFormValue("do") == "resolve" {
		return p.resolve(w, r, v, page)
	}
	if err == nil && len(mtas) == 0 { // found by itself, and shown first where there is something to think of
		s, err := v.ResolveDomain(r.Context(), g.Name)
		if err != nil || s.Warning.Format != "" || len(s.MTAs) == 0 {
			return p.resolve(w, r, v, page)
		}
		mtas = s.MTAs
	}
	if err == nil {
		const route = "POST /t/{tenant}/inbound/domain"
		if asked, err := p.askAgain(w, r, v); asked || err != nil {
			return err
		}
		if asked, err := p.askSecond(w, r, v, route, weighty[route]); asked || err != nil {
			return err
		}
		_, err = v.AddDomain(r.Context(), mail.Domain{Name: g.Name, Tenant: v.tenant.ID, Architecture: mail.Architecture(r.PostFormValue("architecture")), MTAs: mtas})
	}
	if err != nil {
		page.Why = v.words.Wrong(err)
		return p.showPlan(w, r, v, http.StatusUnprocessableEntity, page)
	}
	return tell(w, r, "/t/"+v.tenant.ID+"/inbound/plan", "good", v.words.T("Domain %s is kept. Test its connection, then enable it.", g.Name))
}

func (p *Portal) resolve(w http.ResponseWriter, r *http.Request, v *visit, page planPage) error {
	s, err := v.ResolveDomain(r.Context(), page.Given.Name)
	switch {
	case errors.Is(err, deliver.ErrLoop):
		page.Warning = v.words.Wrong(err)
		return p.showPlan(w, r, v, http.StatusUnprocessableEntity, page)
	case err != nil:
		page.Why = v.words.Wrong(err)
		return p.showPlan(w, r, v, http.StatusUnprocessableEntity, page)
	}
	page.Given, page.Warning = given(page.Given.Name, s.MTAs), v.words.Said(s.Warning)
	return p.showPlan(w, r, v, http.StatusOK, page)
}

// domainOf is a domain of the visit's tenant.
func (p *Portal) domainOf(r *http.Request, v *visit, name string) (mail.Domain, error) {
	list, err := p.Store.Domains(r.Context(), v.tenant.ID)
	if err != nil {
		return mail.Domain{}, err
	}
	for _, d := range list {
		if d.Name == name {
			return d, nil
		}
	}
	return mail.Domain{}, errMissing
}

// domainPage asks before a domain is switched, and says what will happen.
type domainPage struct {
	*shell
	Domain    mail.Domain
	Do        string // "enable", "disable" or "remove"
	First     bool   // the tenant has no key yet: enabling makes one
	Connected bool
}

func (p *Portal) domainForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	d, err := p.domainOf(r, v, r.PathValue("domain"))
	if err != nil {
		return err
	}
	page := domainPage{shell: p.shell(r, v, "Plan Settings"), Domain: d, Do: r.PathValue("do")}
	if !slices.Contains([]string{"enable", "disable", "remove"}, page.Do) {
		return errMissing
	}
	keys, err := p.Store.Keys(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	page.First = !slices.ContainsFunc(keys, func(k mail.Key) bool { return k.RetiredAt.IsZero() })
	if page.Connected, err = p.setUp(r.Context(), v); err != nil {
		return err
	}
	return p.render(w, http.StatusOK, "domain", page)
}

func (p *Portal) switchDomain(w http.ResponseWriter, r *http.Request, v *visit) error {
	d, err := p.domainOf(r, v, r.PathValue("domain"))
	if err != nil {
		return err
	}
	back, t := "/t/"+v.tenant.ID+"/inbound/plan", v.words.T
	switch r.PathValue("do") {
	case "enable":
		had, err := p.Store.Keys(r.Context(), v.tenant.ID)
		if err != nil {
			return err
		}
		key, err := v.EnableDomain(r.Context(), d.Name)
		if err != nil {
			return p.showPlan(w, r, v, http.StatusUnprocessableEntity, planPage{Why: v.words.Wrong(err)})
		}
		shown := slices.ContainsFunc(had, func(k mail.Key) bool { return k.ID == key.KeyID }) // to whoever made it
		if key.Key != "" && !shown {
			return p.showPlan(w, r, v, http.StatusOK, planPage{Shown: key})
		}
		return tell(w, r, back, "good", t("%s is enabled. Nothing changes in the mail flow until Exchange redirects mail here.", d.Name))
	case "disable":
		warning, err := v.DisableDomain(r.Context(), d.Name)
		if err != nil {
			return p.showPlan(w, r, v, http.StatusUnprocessableEntity, planPage{Why: v.words.Wrong(err)})
		}
		return tell(w, r, back, "warn", v.words.Said(warning))
	case "remove":
		if err := v.RemoveDomain(r.Context(), d.Name); err != nil {
			return p.showPlan(w, r, v, http.StatusUnprocessableEntity, planPage{Why: v.words.Wrong(err)})
		}
		return tell(w, r, back, "good", t("%s is forgotten here.", d.Name))
	}
	return errMissing
}

// testPage shows a connection test step by step.
type testPage struct {
	*shell
	Domain mail.Domain
	Tests  []tested
	Proved string // by what the domain is known to be the tenant's; "" if it is not
	Record string // TXT record that would prove it
	Value  string
}

type tested struct {
	MTA   mail.MTA
	Steps []deliver.Step
}

func (p *Portal) testDomain(w http.ResponseWriter, r *http.Request, v *visit) error {
	d, err := p.domainOf(r, v, r.PathValue("domain"))
	if err != nil {
		return err
	}
	page := testPage{shell: p.shell(r, v, "Connection test"), Domain: d}
	page.Record, page.Value = v.ProofRecord(d)
	proof, err := v.ProveDomain(r.Context(), d.Name)
	switch {
	case err == nil:
		page.Proved = proof.By
	case !errors.Is(err, admin.ErrNotProved):
		p.Log.Warn("ownership could not be looked up", "domain", d.Name, "err", err)
	}
	for _, m := range d.MTAs {
		page.Tests = append(page.Tests, tested{m, p.TryMTA(r.Context(), m)})
	}
	return p.render(w, http.StatusOK, "test", page)
}

func (p *Portal) rotateKey(w http.ResponseWriter, r *http.Request, v *visit) error {
	key, err := v.RotateKey(r.Context(), v.tenant.ID)
	if err != nil {
		return p.showPlan(w, r, v, http.StatusUnprocessableEntity, planPage{Why: v.words.Wrong(err)})
	}
	return p.showPlan(w, r, v, http.StatusOK, planPage{Shown: key})
}

func (p *Portal) retireKey(w http.ResponseWriter, r *http.Request, v *visit) error {
	key, warning, err := v.RetireKey(r.Context(), v.tenant.ID)
	if err != nil {
		return p.showPlan(w, r, v, http.StatusUnprocessableEntity, planPage{Why: v.words.Wrong(err)})
	}
	if warning.Format != "" {
		return tell(w, r, "/t/"+v.tenant.ID+"/inbound/plan", "warn", v.words.Said(warning))
	}
	return tell(w, r, "/t/"+v.tenant.ID+"/inbound/plan", "good", v.words.T("Key %s is retired. Mail that still carries it is held, with an alarm.", key.ID))
}

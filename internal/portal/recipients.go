package portal

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/quarantine"
	"postern/internal/relay/quarantine/digest"
	"postern/internal/store"
)

// recipientsPage is what a tenant lets its recipients do, and their digests.
type recipientsPage struct {
	*shell
	Rules   mail.Recipients
	Classes []classRow
	Habit   habit
	URL     string // of the recipients' pages, "" when there are none
	Text    string // the sample digest without HTML
	May     bool
	Why     string
}

// A classRow is a verdict and what recipients may do with it.
type classRow struct {
	Verdict mail.Verdict
	May     mail.Permission
	Listed  bool
	Choices []mail.Permission
}

func (p *Portal) recipients(w http.ResponseWriter, r *http.Request, v *visit) error {
	rules, err := p.Store.Recipients(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	return p.showRecipients(w, r, v, http.StatusOK, recipientsPage{Rules: rules, Habit: habitOf(&rules.Digest)})
}

func (p *Portal) showRecipients(w http.ResponseWriter, r *http.Request, v *visit, status int, page recipientsPage) error {
	page.shell, page.May = p.shell(r, v, "Recipients"), v.has(changers)
	for _, c := range verdictsInOrder {
		row := classRow{Verdict: c, May: page.Rules.Permission(c, 0), Listed: page.Rules.Lists(c), Choices: []mail.Permission{mail.MayRelease, mail.MayAsk, mail.MayNot}}
		if c == mail.Malware {
			row.Choices = row.Choices[1:]
		}
		page.Classes = append(page.Classes, row)
	}
	if p.Letters != nil {
		page.URL = p.Letters.URL
		_, text, err := p.Letters.Preview(v.tenant, page.Rules, p.sampleReader(r, v, page.Rules), p.now())
		if err != nil {
			return err
		}
		page.Text = text
	}
	return p.render(w, status, "recipients", page)
}

// sampleReader is who sample digests are written to.
func (p *Portal) sampleReader(r *http.Request, v *visit, rules mail.Recipients) digest.Reader {
	addr := mail.FoldAddress(v.user.Email)
	if p.enabledDomain(r, v, addr) != nil {
		addr = "ann@" + v.tenant.ID + ".example"
	}
	return quarantine.Reader(rules, store.Person{Addr: addr})
}

var errElsewhere = errors.New("the address is in none of this tenant's enabled domains")

func (p *Portal) enabledDomain(r *http.Request, v *visit, addr string) error {
	d, err := p.Store.Domain(r.Context(), mail.DomainOf(addr))
	if err != nil || d.Tenant != v.tenant.ID || !d.Enabled {
		return errElsewhere
	}
	return nil
}

func (p *Portal) setRecipients(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := r.ParseForm(); err != nil {
		return errBad
	}
	h := habit{r.PostFormValue("every"), r.PostFormValue("hours"), r.PostFormValue("day")}
	rules := mail.Recipients{May: map[mail.Verdict]mail.Permission{}, Listed: []mail.Verdict{}, Zone: strings.TrimSpace(r.PostFormValue("zone")), Lang: r.PostFormValue("lang"),
		FromName: r.PostFormValue("from-name"), FromAddr: r.PostFormValue("from-addr")}
	if s := h.schedule(); s != nil {
		rules.Digest = *s
	}
	for _, c := range verdictsInOrder {
		if may := r.PostFormValue("may-" + string(c)); may != "" {
			rules.May[c] = mail.Permission(may)
		}
		if slices.Contains(r.PostForm["listed"], string(c)) {
			rules.Listed = append(rules.Listed, c)
		}
	}
	if err := v.SetRecipients(r.Context(), v.tenant.ID, rules); err != nil {
		return p.showRecipients(w, r, v, http.StatusUnprocessableEntity, recipientsPage{Rules: rules, Habit: h, Why: v.words.Wrong(err)})
	}
	return tell(w, r, "/t/"+v.tenant.ID+"/inbound/recipients", "good", v.words.T("Kept. It counts from now on."))
}

// previewDigest shows a sample as mail programs do, in a frame in which nothing
// runs and nothing loads.
func (p *Portal) previewDigest(w http.ResponseWriter, r *http.Request, v *visit) error {
	if p.Letters == nil {
		return errMissing
	}
	rules, err := p.Store.Recipients(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	page, _, err := p.Letters.Preview(v.tenant, rules, p.sampleReader(r, v, rules), p.now())
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(digest.Style()))
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox")
	w.Header().Set("X-Frame-Options", "SAMEORIGIN")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page)
	return nil
}

// testDigest sends a sample to who asks for it.
func (p *Portal) testDigest(w http.ResponseWriter, r *http.Request, v *visit) error {
	back, addr := "/t/"+v.tenant.ID+"/inbound/recipients", mail.FoldAddress(v.user.Email)
	if p.Letters == nil {
		return errMissing
	}
	if p.enabledDomain(r, v, addr) != nil {
		return tell(w, r, back, "warn", v.words.T("Your own address is in none of this tenant's enabled domains, so nothing was sent: Postern writes to its tenants' mailboxes only."))
	}
	rules, err := p.Store.Recipients(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	l, err := p.Letters.Sample(mail.NewID(), v.tenant, rules, p.sampleReader(r, v, rules), p.now())
	if err != nil {
		return err
	}
	if err := p.Post(r.Context(), l); err != nil {
		return err
	}
	return tell(w, r, back, "good", v.words.T("A test digest is on its way to %s. The message trace shows what became of it.", address(addr)))
}

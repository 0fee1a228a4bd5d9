package portal

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"postern/internal/exchange"
)

// connectPage is how Exchange is to be connected: first the way, then what it needs.
type connectPage struct {
	*shell
	Way   string // "", "graph" or "script"
	Why   string
	Given givenConnection
	Ready bool // a domain is enabled, so that there is a key to write into a script
}

func (p *Portal) connectForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := connectPage{Way: r.FormValue("way")}
	if c, err := v.Connection(r.Context(), v.tenant.ID); err == nil {
		page.Given = givenConnection{Organization: c.Organization, ClientID: c.ClientID}
	}
	return p.showConnect(w, r, v, http.StatusOK, page)
}

func (p *Portal) showConnect(w http.ResponseWriter, r *http.Request, v *visit, status int, page connectPage) error {
	page.shell = p.shell(r, v, "Connect Exchange")
	if page.Way != "graph" && page.Way != "script" {
		page.Way = ""
	}
	page.Given.Way = orElse(page.Given.Way, "device")
	domains, err := p.Store.Domains(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	for _, d := range domains {
		page.Ready = page.Ready || d.Enabled
	}
	return p.render(w, status, "connect", page)
}

// questionPage asks before something weighty, and says what will happen and what not. A
// script shows it as a dialog on the page that led to it.
type questionPage struct {
	*shell
	Heading   string
	Texts     []string
	Action    string
	Button    string
	Danger    bool
	Overwrite bool // ask whether to put back what others changed
	Back      string
}

func (p *Portal) askExchange(w http.ResponseWriter, r *http.Request, v *visit) error {
	t := v.words.T
	page := questionPage{shell: p.shell(r, v, "Exchange"), Danger: true, Back: "/t/" + v.tenant.ID + "/exchange"}
	switch path.Base(r.URL.Path) {
	case "rollback":
		page.Heading, page.Button, page.Overwrite = t("Roll back?"), t("Roll back"), true
		page.Texts = []string{t("Mail is no longer redirected first; then everything else goes, in the opposite order. Afterwards Exchange is as it was before Postern."), t("Mail that is held here stays in the quarantine. Mail that is on its way is delivered first.")}
	case "disconnect":
		page.Heading, page.Button = t("Disconnect?"), t("Disconnect")
		page.Texts = []string{t("The sign-in is forgotten at once, on every node; no call to Exchange is made with it any more."), t("The set-up in Exchange stays: mail goes on coming here. Roll back first if it shall not.")}
	default:
		return errMissing
	}
	page.Action = page.Back + "/" + path.Base(r.URL.Path)
	return p.render(w, http.StatusOK, "question", page)
}

func (p *Portal) askKey(w http.ResponseWriter, r *http.Request, v *visit) error {
	t := v.words.T
	page := questionPage{shell: p.shell(r, v, "Plan Settings"), Back: "/t/" + v.tenant.ID + "/inbound/plan"}
	switch path.Base(r.URL.Path) {
	case "rotate":
		page.Heading, page.Button = t("Make a second key?"), t("Make it")
		page.Texts = []string{t("Both keys are valid from now on. Nothing changes in the mail flow until Exchange's rule has the new one: Show what will change, then apply."), t("The new key is shown once.")}
	case "retire":
		page.Heading, page.Button, page.Danger = t("Retire the older key?"), t("Retire it"), true
		page.Texts = []string{t("Mail that still carries the older key is held, with an alarm. Retire it only when the newer one has been in use for a day.")}
		keys, err := p.Store.Keys(r.Context(), v.tenant.ID)
		if err != nil {
			return err
		}
		valid := 0
		for _, k := range keys {
			if k.RetiredAt.IsZero() {
				valid++
			}
		}
		if valid < 2 {
			page.Texts = append(page.Texts, t("It is the only valid key: without one, all mail that Exchange sends here is held."))
		}
	default:
		return errMissing
	}
	page.Action = "/t/" + v.tenant.ID + "/inbound/key/" + path.Base(r.URL.Path)
	return p.render(w, http.StatusOK, "question", page)
}

// parts are the objects that can be set by themselves, by the name in the address.
var parts = map[string][]string{"clutter": {exchange.ClutterRule}, "remote-domain": {exchange.DefaultDomain}}

func onlyOf(r *http.Request) string {
	if only := r.FormValue("only"); parts[only] != nil {
		return only
	}
	return ""
}

func objectsOf(only string) []string { return slices.Clone(parts[only]) }

func orElse(s, otherwise string) string {
	if strings.TrimSpace(s) == "" {
		return otherwise
	}
	return s
}

package portal

import (
	"net/http"
	"strconv"

	"postern/internal/admin"
	"postern/internal/mail"
)

// sendersPage is a tenant's allow and block list.
type sendersPage struct {
	*shell
	Entries []mail.ListEntry
	May     bool
	Why     string
	Warning string // what is risky about Given
	Given   givenSender
}

type givenSender struct{ Sender, Kind, Note, Days string }

func (p *Portal) senders(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showSenders(w, r, v, http.StatusOK, sendersPage{})
}

func (p *Portal) showSenders(w http.ResponseWriter, r *http.Request, v *visit, status int, page sendersPage) error {
	page.shell, page.May = p.shell(r, v, "Senders"), v.has(changers)
	rules, err := p.Store.Rules(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	page.Entries = rules.Lists
	return p.render(w, status, "senders", page)
}

func (p *Portal) addSender(w http.ResponseWriter, r *http.Request, v *visit) error {
	g := givenSender{r.PostFormValue("sender"), r.PostFormValue("kind"), r.PostFormValue("note"), r.PostFormValue("days")}
	e := mail.ListEntry{Allow: g.Kind == "allow", Note: cutTo(g.Note, 200)}
	if days, err := strconv.Atoi(g.Days); err == nil && days > 0 {
		e.ExpiresAt = p.now().AddDate(0, 0, min(days, 3650))
	}
	if warning := admin.SenderWarning(g.Sender, e); warning != "" && r.PostFormValue("sure") != "yes" {
		return p.showSenders(w, r, v, http.StatusOK, sendersPage{Warning: v.words.T(warning), Given: g})
	}
	if _, err := v.AddEntry(r.Context(), v.tenant.ID, g.Sender, e); err != nil {
		return p.showSenders(w, r, v, http.StatusUnprocessableEntity, sendersPage{Why: v.words.Wrong(err), Given: g})
	}
	return tell(w, r, "/t/"+v.tenant.ID+"/senders", "good", v.words.T("Kept. It counts for mail from now on."))
}

func cutTo(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

func (p *Portal) removeSender(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := v.RemoveEntry(r.Context(), v.tenant.ID, r.PathValue("id")); err != nil {
		return p.showSenders(w, r, v, http.StatusUnprocessableEntity, sendersPage{Why: v.words.Wrong(err)})
	}
	return tell(w, r, "/t/"+v.tenant.ID+"/senders", "good", v.words.T("Removed."))
}

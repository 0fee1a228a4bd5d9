package portal

import (
	"errors"
	"net/http"

	"postern/internal/admin"
	"postern/internal/mail"
)

// ownSendersPage is a recipient's own allow and block list.
type ownSendersPage struct {
	*shell
	Entries []mail.ListEntry
	Given   givenSender
	Why     string
}

func (p *Portal) ownSenders(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showOwnSenders(w, r, v, http.StatusOK, ownSendersPage{Given: givenSender{Sender: r.FormValue("sender")}})
}

func (p *Portal) showOwnSenders(w http.ResponseWriter, r *http.Request, v *visit, status int, page ownSendersPage) error {
	page.shell = p.shell(r, v, "My senders")
	var err error
	if page.Entries, err = p.Store.Entries(r.Context(), v.tenant.ID, v.person.Addr); err != nil {
		return err
	}
	return p.render(w, status, "own-senders", page)
}

func (p *Portal) addOwnSender(w http.ResponseWriter, r *http.Request, v *visit) error {
	g := givenSender{Sender: r.PostFormValue("sender"), Kind: r.PostFormValue("kind")}
	err := v.AddOwnEntry(r.Context(), v.tenant.ID, v.person.Addr, g.Sender, g.Kind == "allow")
	t, why := v.words.T, ""
	switch {
	case errors.Is(err, admin.ErrNoSender):
		why = t("This is neither an e-mail address nor a domain.")
	case errors.Is(err, admin.ErrListFull):
		why = t("Your list is full. Remove some senders first.")
	case errors.Is(err, admin.ErrListed):
		why = t("This sender is on your list already. Remove the entry first to change it.")
	case err != nil:
		return err
	}
	if why != "" {
		return p.showOwnSenders(w, r, v, http.StatusUnprocessableEntity, ownSendersPage{Why: why, Given: g})
	}
	return tell(w, r, "/senders", "good", t("Kept. It counts for mail from now on."))
}

func (p *Portal) removeOwnSender(w http.ResponseWriter, r *http.Request, v *visit) error {
	err := v.RemoveOwnEntry(r.Context(), v.tenant.ID, v.person.Addr, r.PathValue("id"))
	if errors.Is(err, admin.ErrNoSender) {
		return errMissing
	}
	if err != nil {
		return err
	}
	return tell(w, r, "/senders", "good", v.words.T("Removed."))
}

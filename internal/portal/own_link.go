package portal

import (
	"errors"
	"net/http"

	"postern/internal/mail"
	"postern/internal/relay/quarantine/digest"
	"postern/internal/store"
)

// ticket reads the link of a digest and finds the copy it is for. Nothing is
// changed by it.
func (p *Portal) ticket(r *http.Request) (digest.Ticket, store.TraceRow, error) {
	ctx := r.Context()
	t, err := p.Letters.Signer.Read(r.PathValue("token"), p.now(), func(id mail.ID, n int) (string, string, error) {
		m, err := p.Store.Message(ctx, "", id)
		if errors.Is(err, store.ErrNotFound) {
			return "", "", digest.ErrToken
		}
		if err != nil {
			return "", "", err
		}
		for _, to := range m.Recipients {
			if to.N == n {
				return m.Tenant, mail.FoldAddress(to.Addr), nil
			}
		}
		return "", "", digest.ErrToken
	})
	switch {
	case errors.Is(err, digest.ErrToken):
		return t, store.TraceRow{}, &problem{http.StatusNotFound, "This link is not whole, or not one of ours. Open it again from the mail, or sign in to see your held mail."}
	case errors.Is(err, digest.ErrOver):
		return t, store.TraceRow{}, &problem{http.StatusGone, "This link has ended. Sign in to see what is still held for you."}
	case err != nil:
		return t, store.TraceRow{}, err
	}
	row, err := p.ownCopy(ctx, t.Tenant, t.Rcpt, t.ID, t.N)
	return t, row, err
}

// linkPage shows what a link is for. Programs that follow every link of a mail see
// it too, and nothing happens.
func (p *Portal) linkPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	if r.PathValue("token") == "test" {
		return &problem{http.StatusOK, "This is the link of a test digest. In a real one, this page shows the message and the button."}
	}
	t, row, err := p.ticket(r)
	if err != nil {
		return err
	}
	return p.showLink(w, r, v, t, row, notice{})
}

func (p *Portal) showLink(w http.ResponseWriter, r *http.Request, v *visit, t digest.Ticket, row store.TraceRow, result notice) error {
	v.person, v.session = store.Person{}, store.Session{} // a link is nobody's session
	page := ownMailPage{shell: p.shell(r, v, "Held mail"), Link: true, Result: result}
	if err := page.look(r.Context(), p, row); err != nil {
		return err
	}
	if page.May != t.Action {
		page.May = mail.MayNot // the rules were changed since
	}
	var err error
	if page.Used, err = p.Store.TicketUsed(r.Context(), t.Tenant, digest.Hash(r.PathValue("token"))); err != nil {
		return err
	}
	return p.render(w, http.StatusOK, "own-mail", page)
}

// useLink does what a link is for, once, and tells what really came of it.
func (p *Portal) useLink(w http.ResponseWriter, r *http.Request, v *visit) error {
	t, row, err := p.ticket(r)
	if err != nil {
		return err
	}
	do := "ask"
	if t.Action == mail.MayRelease {
		do = "release"
	}
	ticket := digest.Hash(r.PathValue("token"))
	used, err := p.Store.TicketUsed(r.Context(), t.Tenant, ticket)
	if err != nil {
		return err
	}
	var result notice
	if used { // cheaper than judging again in vain; what counts is the ledger
		result = p.ownFailed(v, row, store.ErrUsed)
	} else {
		result = p.grant(r.Context(), v, row, t.Rcpt, do, ticket)
	}
	if row, err = p.ownCopy(r.Context(), t.Tenant, t.Rcpt, t.ID, t.N); err != nil {
		return err
	}
	return p.showLink(w, r, v, t, row, result)
}

package portal

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/relay/deliver"
	"postern/internal/store"
)

// ownMailPage is one copy, for its recipient: on the recipient's pages, or behind a
// link of a digest.
type ownMailPage struct {
	*shell
	Row     store.TraceRow
	Held    bool
	May     mail.Permission
	Request *store.Request
	Link    bool // came by a link: only what it is for can be done
	Used    bool // the link was used before
	Result  notice
}

// ownCopy is a recipient's copy of a message; errMissing for anybody else's.
func (p *Portal) ownCopy(ctx context.Context, tenant, addr string, id mail.ID, n int) (store.TraceRow, error) {
	rows, err := p.Store.Trace(ctx, store.TraceFilter{Tenant: tenant, ID: id, Limit: 1000})
	if err != nil {
		return store.TraceRow{}, err
	}
	for _, row := range rows {
		if row.N == n && addr != "" && mail.FoldAddress(row.Addr) == addr {
			return row, nil
		}
	}
	return store.TraceRow{}, errMissing
}

// look fills a page with what the copy is now.
func (page *ownMailPage) look(ctx context.Context, p *Portal, row store.TraceRow) error {
	rules, err := p.Store.Recipients(ctx, row.Tenant)
	if err != nil {
		return err
	}
	page.Row, page.Held, page.May = row, row.State == mail.Held, rules.Permission(row.Verdict, row.Score)
	q, err := p.Store.Request(ctx, row.Tenant, row.ID, row.N)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	page.Request = &q
	return err
}

func (p *Portal) ownMail(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showOwn(w, r, v, notice{})
}

func (p *Portal) showOwn(w http.ResponseWriter, r *http.Request, v *visit, result notice) error {
	id, n, ok := splitCopy(r.PathValue("id"))
	if !ok {
		return errMissing
	}
	row, err := p.ownCopy(r.Context(), v.tenant.ID, v.person.Addr, id, n)
	if err != nil {
		return err
	}
	page := ownMailPage{shell: p.shell(r, v, "Message"), Result: result}
	if err := page.look(r.Context(), p, row); err != nil {
		return err
	}
	return p.render(w, http.StatusOK, "own-mail", page)
}

// ownAct releases, asks for or deletes a recipient's own copy, as the tenant's
// rules allow.
func (p *Portal) ownAct(w http.ResponseWriter, r *http.Request, v *visit) error {
	id, n, ok := splitCopy(r.PathValue("id"))
	if !ok {
		return errMissing
	}
	row, err := p.ownCopy(r.Context(), v.tenant.ID, v.person.Addr, id, n)
	if err != nil {
		return err
	}
	switch do := r.PostFormValue("do"); do {
	case "release", "ask":
		return p.showOwn(w, r, v, p.grant(r.Context(), v, row, v.person.Addr, do, nil))
	case "delete":
		if err := v.DeleteOwn(r.Context(), v.tenant.ID, v.person.Addr, id, n); err != nil {
			return p.showOwn(w, r, v, p.ownFailed(v, row, err))
		}
		return tell(w, r, "/", "good", v.words.T("Deleted."))
	}
	return errBad
}

// grant does what a recipient may: release, or ask. ticket is of the link it came
// by, nil without one.
func (p *Portal) grant(ctx context.Context, v *visit, row store.TraceRow, addr, do string, ticket []byte) notice {
	t, as := v.words.T, p.as(addr)
	rules, err := p.Store.Recipients(ctx, row.Tenant)
	if err != nil {
		return p.ownFailed(v, row, err)
	}
	may := rules.Permission(row.Verdict, row.Score)
	switch {
	case do == "release" && may == mail.MayRelease:
		out, err := p.Held.Release(ctx, relay.Order{Tenant: row.Tenant, ID: row.ID, N: row.N, By: addr, Ticket: ticket})
		if err != nil {
			return p.ownFailed(v, row, err)
		}
		if err := as.NoteRelease(ctx, row.Tenant, copyID(row), out.Reply); err != nil {
			p.Log.Error("release was done but not noted", "mid", row.ID, "err", err)
		}
		return ownOutcome(t, out)
	case do == "ask" && may == mail.MayAsk:
		if err := as.AskFor(ctx, row.Tenant, addr, row.ID, row.N, ticket); err != nil {
			return p.ownFailed(v, row, err)
		}
		p.Asked(row.Tenant, row.ID, row.N)
		return notice{"good", t("Your administrators were asked. You see their answer on your own page.")}
	}
	return notice{"bad", t("Your organization does not let you do this with this message (any more). Ask your administrators.")}
}

// ownOutcome tells a recipient what became of a release, with the server's own
// answer.
func ownOutcome(t func(string, ...any) string, out deliver.Outcome) notice {
	switch out.Kind {
	case deliver.Delivered:
		return notice{"good", t("It was delivered to your mailbox. The mailbox's server answered: %s", visible(out.Reply))}
	case deliver.Deferred:
		return notice{"warn", t("Not delivered yet; it is tried again by itself. Last answer: %s", visible(out.Reply))}
	}
	return notice{"bad", t("The mailbox's server refused it, so it is held again. Its answer: %s", visible(out.Reply))}
}

// ownFailed tells a recipient why nothing was done.
func (p *Portal) ownFailed(v *visit, row store.TraceRow, err error) notice {
	t := v.words.T
	switch {
	case errors.Is(err, store.ErrUsed):
		return notice{"warn", t("This was done already; nothing was done a second time.")}
	case errors.Is(err, store.ErrNotHeld):
		return notice{"warn", t("It is not held any more: it was released, deleted or has expired.")}
	case errors.Is(err, relay.ErrMalware), errors.Is(err, relay.ErrPhish):
		return notice{"bad", t("It was checked once more, and it is dangerous. It stays held; ask your administrators.")}
	case errors.Is(err, relay.ErrUnjudged):
		return notice{"bad", t("It could not be judged again just now, so it stays held. Try again in a moment.")}
	}
	p.Log.Error("recipient's act on held mail", "mid", row.ID, "tenant", row.Tenant, "err", err)
	return notice{"bad", t("This did not work; the message stays held.")}
}

// splitCopy reads the name of a copy: a message's id and a recipient's number.
func splitCopy(text string) (id mail.ID, n int, ok bool) {
	before, number, found := strings.Cut(text, ".")
	n, err := strconv.Atoi(number)
	id = mail.ID(before)
	return id, n, found && err == nil && id.Valid()
}

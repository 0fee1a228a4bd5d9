package admin

import (
	"context"
	"errors"
	"reflect"

	"postern/internal/mail"
	"postern/internal/store"
)

// maxOwn is how many entries of one's own anybody needs.
const maxOwn = 200

// Errors of a recipient's own list.
var (
	ErrNoSender = mail.Refuse("there is no such sender: give an e-mail address or a domain")
	ErrListFull = mail.Refuse("the list is full: remove some senders first")
	ErrListed   = mail.Refuse("this sender is on the list already: remove the entry first to change it")
)

// ErrNotYours means that there is no such copy, or that it is somebody else's; who
// asks is not told which.
var ErrNotYours = mail.Refuse("there is no such message, or it is not for you")

// OwnCopy is a recipient's own copy of a message. The error is ErrNotYours for
// anybody else's.
func (a *Admin) OwnCopy(ctx context.Context, tenant, addr string, id mail.ID, n int) (*store.Message, store.Recipient, error) {
	m, err := a.Store.Message(ctx, tenant, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, store.Recipient{}, ErrNotYours
	}
	if err != nil {
		return nil, store.Recipient{}, err
	}
	for _, r := range m.Recipients {
		if r.N == n && addr != "" && mail.FoldAddress(r.Addr) == addr {
			return m, r, nil
		}
	}
	return nil, store.Recipient{}, ErrNotYours
}

// DeleteOwn drops a recipient's own held copy.
func (a *Admin) DeleteOwn(ctx context.Context, tenant, addr string, id mail.ID, n int) error {
	if _, _, err := a.OwnCopy(ctx, tenant, addr, id, n); err != nil {
		return err
	}
	return a.DeleteHeld(ctx, tenant, id, n)
}

// AskFor keeps a recipient's wish for a held copy of their own. ticket is the hash
// of the link it came by, nil on the recipient's own pages. The error is
// store.ErrUsed when it was asked for already.
func (a *Admin) AskFor(ctx context.Context, tenant, addr string, id mail.ID, n int, ticket []byte) error {
	_, r, err := a.OwnCopy(ctx, tenant, addr, id, n)
	if err != nil {
		return err
	}
	if r.State != mail.Held {
		return store.ErrNotHeld
	}
	if err := a.Store.Ask(ctx, tenant, store.Request{Message: id, N: n, Addr: addr}, ticket); err != nil {
		return err
	}
	return a.note(ctx, tenant, "request.ask", copyName(id, n), "", addr)
}

// SetPerson keeps what a recipient chose. A schedule that changed counts from now
// on.
func (a *Admin) SetPerson(ctx context.Context, tenant, addr string, s store.PersonSettings) error {
	p, err := a.Store.Person(ctx, tenant, addr)
	if err != nil {
		return err
	}
	var none mail.Schedule
	schedule := &none
	if s.Digest != nil {
		schedule = s.Digest
	}
	if err := checkHabits(s.Lang, s.Zone, schedule); err != nil {
		return err
	}
	was := p.PersonSettings
	s.Since = was.Since
	if !reflect.DeepEqual(s.Digest, was.Digest) || s.Zone != was.Zone {
		s.Since = a.now().UTC()
	}
	p.PersonSettings = s
	if err := a.Store.PutPerson(ctx, p); err != nil {
		return err
	}
	return a.note(ctx, tenant, "recipient.settings", addr, asJSON(was), asJSON(s))
}

// AddOwnEntry adds a sender, an address or a domain, to a recipient's own list. The
// error is ErrNoSender, ErrListFull or ErrListed.
func (a *Admin) AddOwnEntry(ctx context.Context, tenant, addr, sender string, allow bool) error {
	e := mail.ListEntry{Allow: allow, Recipient: addr, ID: string(mail.NewID()), CreatedAt: a.now()}
	if err := readSender(sender, &e); err != nil || e.Network.IsValid() {
		return ErrNoSender
	}
	have, err := a.Store.Entries(ctx, tenant, addr)
	if err != nil {
		return err
	}
	if len(have) >= maxOwn {
		return ErrListFull
	}
	for _, old := range have {
		if old.Address == e.Address && old.Domain == e.Domain {
			return ErrListed
		}
	}
	if err := a.Store.AddEntry(ctx, tenant, e); err != nil {
		return err
	}
	kind := "block"
	if allow {
		kind = "allow"
	}
	return a.note(ctx, tenant, "recipient."+kind, addr, "", e.Address+e.Domain)
}

// RemoveOwnEntry removes an entry of a recipient's own list; ErrNoSender if it has
// none of that id.
func (a *Admin) RemoveOwnEntry(ctx context.Context, tenant, addr, id string) error {
	err := a.Store.RemoveOwnEntry(ctx, tenant, addr, id)
	if errors.Is(err, store.ErrNotFound) {
		return ErrNoSender
	}
	if err != nil {
		return err
	}
	return a.note(ctx, tenant, "recipient.remove", addr, id, "")
}

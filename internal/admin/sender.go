package admin

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"postern/internal/mail"
	"postern/internal/store"
)

// AddEntry adds sender, an address, a domain or a network, to a tenant's allow or
// block list.
func (a *Admin) AddEntry(ctx context.Context, tenant, sender string, e mail.ListEntry) (mail.ListEntry, error) {
	if err := readSender(sender, &e); err != nil {
		return e, err
	}
	if err := tooWide(e); err != nil {
		return e, err
	}
	if !e.ExpiresAt.IsZero() && !e.ExpiresAt.After(a.now()) {
		return e, mail.Refuse("the entry would be over already: choose a later day")
	}
	e.ID, e.CreatedAt = string(mail.NewID()), a.now()
	if err := a.Store.AddEntry(ctx, tenant, e); err != nil {
		return e, err
	}
	kind := "block"
	if e.Allow {
		kind = "allow"
	}
	return e, a.note(ctx, tenant, "sender."+kind, sender, "", e.Note)
}

func readSender(sender string, e *mail.ListEntry) error {
	sender = strings.TrimSpace(sender)
	if p, err := netip.ParsePrefix(sender); err == nil {
		e.Network = p.Masked()
		return nil
	}
	if addr, err := netip.ParseAddr(sender); err == nil {
		e.Network = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
		return nil
	}
	local, domain := mail.SplitAddress(sender)
	if domain == "" {
		domain, local = local, ""
	}
	folded, err := mail.FoldDomain(strings.TrimPrefix(domain, "*."))
	if err != nil || !strings.Contains(folded, ".") {
		return mail.Refuse("%q is neither an address, nor a domain, nor a network", sender)
	}
	if local != "" {
		e.Address = local + "@" + folded
	} else {
		e.Domain = folded
	}
	return nil
}

// RemoveEntry removes an entry of a tenant's lists.
func (a *Admin) RemoveEntry(ctx context.Context, tenant, id string) error {
	err := a.Store.RemoveEntry(ctx, tenant, id)
	if errors.Is(err, store.ErrNotFound) {
		return mail.Refuse("tenant %s has no entry %s", tenant, id)
	}
	if err != nil {
		return err
	}
	return a.note(ctx, tenant, "sender.remove", id, "", "")
}

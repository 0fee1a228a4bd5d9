package admin

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/deliver"
	"postern/internal/store"
)

// AddDomain adds a domain with its MTAs, in order of preference, or replaces the
// MTAs of one that the tenant has. An MTA that is this relay is refused: mail
// would go in circles.
func (a *Admin) AddDomain(ctx context.Context, d mail.Domain) (mail.Domain, error) {
	name, err := mail.FoldDomain(d.Name)
	if err != nil || !strings.Contains(name, ".") {
		return d, mail.Refuse("%q is not a domain that mail can be sent to, such as example.com", d.Name)
	}
	d.Name = name
	if d.Architecture == "" {
		d.Architecture = mail.ViaRelay
	}
	if err := a.checkMTAs(ctx, d.MTAs); err != nil {
		return d, err
	}
	before := ""
	old, err := a.Store.Domain(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return d, err
	case old.Tenant != d.Tenant:
		return d, mail.Refuse("domain %s belongs to tenant %s: remove it there first", name, old.Tenant)
	default:
		d.Enabled, d.Disabled = old.Enabled, old.Disabled
		before = describe(old.MTAs)
	}
	if err := a.Store.PutDomain(ctx, d); err != nil {
		return d, err
	}
	return d, a.note(ctx, d.Tenant, "domain.add", name, before, describe(d.MTAs))
}

func (a *Admin) checkMTAs(ctx context.Context, mtas []mail.MTA) error {
	if len(mtas) == 0 {
		return mail.Refuse("no MTA is given: name the server that takes the domain's mail with --mta HOST, or let postern domain resolve suggest it")
	}
	if len(mtas) > mail.MaxMTAs {
		return mail.Refuse("%d MTAs are too many: a domain has at most %d, the first is used and the others take over when it fails", len(mtas), mail.MaxMTAs)
	}
	for i, m := range mtas {
		if slices.ContainsFunc(mtas[:i], func(other mail.MTA) bool {
			return strings.EqualFold(other.Host, m.Host) && other.Port == m.Port
		}) {
			return mail.Refuse("MTA %s is given twice", m.Address())
		}
		if err := deliver.CheckMTA(ctx, a.Resolver, m, a.Own); err != nil {
			return err
		}
	}
	return nil
}

// ParseMTA reads HOST[:PORT][,tls=verify|require|none].
func ParseMTA(text string) (mail.MTA, error) {
	m := mail.MTA{Port: 25, TLS: mail.TLSVerify}
	host, options, _ := strings.Cut(text, ",")
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "", "tls=verify":
		case "tls=require":
			m.TLS = mail.TLSRequire
		case "tls=none":
			m.TLS = mail.TLSNone
		default:
			return m, mail.Refuse("MTA %q: %q is no option; there are tls=verify, tls=require and tls=none", text, option)
		}
	}
	var err error
	if m.Host, m.Port, err = splitPort(host); err != nil {
		return m, mail.Refuse("MTA %q: %w", text, err)
	}
	return m, nil
}

// EnableDomain switches a domain on. The tenant's first domain creates its relay
// key. Nothing changes in the mail flow by this: Exchange is not touched.
func (a *Admin) EnableDomain(ctx context.Context, name string) (NewKey, error) {
	d, err := a.domain(ctx, name)
	if err != nil {
		return NewKey{}, err
	}
	was := state(d)
	d.Enabled, d.Disabled = true, false
	var key NewKey
	if d.Architecture == mail.ViaRelay {
		if key, err = a.keyFor(ctx, d.Tenant); err != nil {
			return NewKey{}, err
		}
	}
	key.Tenant, key.Domain = d.Tenant, d.Name
	if err := a.Store.PutDomain(ctx, d); err != nil {
		return NewKey{}, err
	}
	return key, a.note(ctx, d.Tenant, "domain.enable", d.Name, was, "enabled")
}

// keyFor is the tenant's relay key: a new one if it has none, else the newest as
// long as its sealed copy is kept, else only its id.
func (a *Admin) keyFor(ctx context.Context, tenant string) (NewKey, error) {
	valid, err := a.validKeys(ctx, tenant)
	if err != nil {
		return NewKey{}, err
	}
	if len(valid) == 0 {
		return a.addKey(ctx, tenant)
	}
	newest := valid[len(valid)-1]
	pending, err := a.PendingKey(ctx, tenant)
	if errors.Is(err, store.ErrNotFound) || (err == nil && pending.KeyID != newest.ID) {
		return NewKey{Tenant: tenant, KeyID: newest.ID}, nil
	}
	return pending, err
}

// DisableDomain switches a domain off: its mail gets 4xx, so Exchange keeps it for
// a day. warning says so.
func (a *Admin) DisableDomain(ctx context.Context, name string) (warning mail.Sentence, err error) {
	d, err := a.domain(ctx, name)
	if err != nil {
		return mail.Sentence{}, err
	}
	was := state(d)
	d.Enabled, d.Disabled = false, true
	if err := a.Store.PutDomain(ctx, d); err != nil {
		return mail.Sentence{}, err
	}
	warning = mail.Say("Mail for %s now gets a temporary refusal. If a rule in Exchange still redirects it here, Exchange queues it for 24 hours and then returns it to the senders: switch the rule off first.", d.Name)
	return warning, a.note(ctx, d.Tenant, "domain.disable", d.Name, was, "disabled")
}

// RemoveDomain forgets a domain that is not enabled.
func (a *Admin) RemoveDomain(ctx context.Context, name string) error {
	d, err := a.domain(ctx, name)
	if err != nil {
		return err
	}
	if d.Enabled {
		return mail.Refuse("domain %s is enabled: disable it first, so that no mail for it is on its way", d.Name)
	}
	if err := a.Store.RemoveDomain(ctx, d.Tenant, d.Name); err != nil {
		return err
	}
	return a.note(ctx, d.Tenant, "domain.remove", d.Name, describe(d.MTAs), "")
}

// ResolveDomain suggests a domain's MTAs from its MX records (product.md P4, P6).
// The error wraps deliver.ErrLoop when mail would go in circles; the suggestion's
// Warning says so too.
func (a *Admin) ResolveDomain(ctx context.Context, name string) (deliver.Suggestion, error) {
	folded, err := mail.FoldDomain(name)
	if err != nil {
		return deliver.Suggestion{}, mail.Refuse("%q is not a domain that mail can be sent to, such as example.com", name)
	}
	return deliver.Resolve(ctx, a.Resolver, folded, func(host string, addr netip.Addr) bool {
		return a.Own != nil && a.Own(host, netip.AddrPortFrom(addr, 25)) // where MX records lead
	})
}

func (a *Admin) domain(ctx context.Context, name string) (mail.Domain, error) {
	folded, err := mail.FoldDomain(name)
	if err != nil {
		return mail.Domain{}, mail.Refuse("%q is not a domain name", name)
	}
	d, err := a.Store.Domain(ctx, folded)
	if errors.Is(err, store.ErrNotFound) {
		return d, mail.Refuse("domain %s is not known: add it with postern domain add %s --tenant TENANT --mta HOST", folded, folded)
	}
	return d, err
}

func state(d mail.Domain) string {
	switch {
	case d.Enabled:
		return "enabled"
	case d.Disabled:
		return "disabled"
	}
	return "not enabled yet"
}

func describe(mtas []mail.MTA) string {
	var list []string
	for _, m := range mtas {
		list = append(list, fmt.Sprintf("%s,tls=%s", m.Address(), m.TLS))
	}
	return strings.Join(list, " ")
}

package admit

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync/atomic"

	"postern/internal/mail"
)

// A Directory knows tenants, domains and keys. Its answers come from memory.
type Directory interface {
	Domain(name string) (mail.Domain, bool) // name as mail.FoldDomain gives it
	Tenant(id string) (mail.Tenant, bool)
	KeyByHash(hash [32]byte) (mail.Key, bool)
}

// Gate decides whose mail a message is.
type Gate struct {
	Directory Directory
	Headers   Headers
	Marker    Marker

	sources atomic.Pointer[[]netip.Prefix]
}

// SetSources names the networks that may hand in mail with a key; nil, which is
// the default, switches the check off. It may be called while mail comes in.
func (g *Gate) SetSources(nets []netip.Prefix) { g.sources.Store(&nets) }

// An Admission is one tenant's share of a message.
type Admission struct {
	Tenant mail.Tenant
	Via    mail.Architecture
	To     []To
	Record string // why it is recorded and nothing else (connector validation); "" normally
	Alarm  string // kind of alarm to raise with Hold: "loop", "retired-key" ...; "" for none
	KeyID  string // of the key that was used
	Pass   int    // how often the message has come to us, from 1
}

// To is one recipient of an Admission.
type To struct {
	mail.Rcpt
	Hold string // why the copy must be held whatever the message is; "" normally
}

// hold holds every recipient's copy that is not held already.
func (a *Admission) hold(alarm, why string) {
	for i := range a.To {
		if a.To[i].Hold == "" {
			a.To[i].Hold = why
		}
	}
	a.Alarm = alarm
}

func recipients(to []mail.Rcpt) []To {
	list := make([]To, len(to))
	for i, r := range to {
		list[i].Rcpt = r
	}
	return list
}

// Result is what Message found out.
type Result struct {
	Admissions []Admission // never empty; more than one only for several tenants' domains that use us as MX
	Header     []byte      // the header without our control headers, each field with its line end
	Fields     [][]byte    // the same, field by field
	Rest       io.Reader   // the empty line, and everything that body still yields
	Subject    string      // raw values for the trace, until judging decodes them
	From       string
	MessageID  string
}

const (
	maxReceived = 100 // more is a loop (RFC 5321 §6.3)
	maxPasses   = 2   // a message that comes a third time is in a loop (product.md M5)
)

var (
	errNoKey     = &mail.Reply{Code: 550, Enhanced: "5.7.1", Text: "Relaying denied: no valid relay key for these recipients"}
	errDisabled  = &mail.Reply{Code: 451, Enhanced: "4.3.2", Text: "This domain is switched off for now, try again later"}
	errNotHere   = &mail.Reply{Code: 550, Enhanced: "5.7.1", Text: "Relaying denied: not a domain of ours"}
	errHeaderBig = &mail.Reply{Code: 552, Enhanced: "5.3.4", Text: "Header is too large"}
)

// Message reads the header from body and says whose mail it is. A *mail.Reply as
// error refuses it: without a valid key 550 5.7.1, for a domain that is switched
// off 451. Another error comes from body.
func (g *Gate) Message(env *mail.Envelope, body io.Reader) (*Result, error) {
	head, rest, err := readHeader(body)
	if err != nil {
		return nil, err
	}
	s := g.Headers.read(head)
	key, verdict := g.key(s.keys)
	var list []Admission
	switch {
	case verdict == noKey && len(head) > maxHeader:
		err = errHeaderBig
	case verdict == noKey:
		list, err = g.keyless(env)
	default:
		list, err = g.keyed(env, key, verdict)
	}
	if err != nil {
		return nil, err
	}
	for i := range list {
		g.guardLoop(&list[i], &s)
		if len(head) > maxHeader {
			list[i].hold("header-size", "The header is larger than 1 MiB, more than any mail program writes or reads to its end.")
		}
	}
	return s.result(list, len(head), rest), nil
}

// key is the one key the message carries.
func (g *Gate) key(presented []string) (mail.Key, keyState) {
	var found mail.Key
	state := noKey
	differ := false
	for i, text := range presented {
		differ = differ || (i > 0 && text != presented[0])
		k, ok := g.Directory.KeyByHash(HashKey(text))
		if !ok {
			continue
		}
		if state == noKey || (!found.RetiredAt.IsZero() && k.RetiredAt.IsZero()) {
			found, state = k, validKey
		}
	}
	switch {
	case state == noKey:
	case differ:
		state = severalKeys
	case !found.RetiredAt.IsZero():
		state = retiredKey
	}
	return found, state
}

type keyState int

const (
	noKey keyState = iota
	validKey
	retiredKey
	severalKeys
)

// keyed admits a message with a genuine key: never a refusal for good.
func (g *Gate) keyed(env *mail.Envelope, key mail.Key, state keyState) ([]Admission, error) {
	tenant, ok := g.Directory.Tenant(key.Tenant)
	if !ok {
		return nil, fmt.Errorf("key %s belongs to tenant %q, which is not known", key.ID, key.Tenant)
	}
	a := Admission{Tenant: tenant, Via: mail.ViaRelay, To: recipients(env.To), KeyID: key.ID}
	if g.foreign(&a) == len(a.To) {
		return nil, errDisabled
	}
	switch {
	case state == retiredKey:
		a.hold("retired-key", fmt.Sprintf("The message carries the relay key %s, which is retired. A transport rule in Exchange still sends it: put the new key into the rule, then release the message.", key.ID))
	case state == severalKeys:
		a.hold("several-keys", "The message carries different relay keys. Only one can come from Exchange, so where it came from cannot be told.")
	case !g.fromSource(env.Client):
		a.hold("key-from-elsewhere", fmt.Sprintf("The message carries the valid relay key %s but comes from %s, which is not an address of Exchange Online. The key may be in wrong hands: rotate it.", key.ID, env.Client))
	}
	return []Admission{a}, nil
}

// foreign holds the copies of recipients that are not in an enabled domain of the
// tenant, and counts those whose domain is switched off.
func (g *Gate) foreign(a *Admission) (off int) {
	for i := range a.To {
		to := &a.To[i]
		d, known := g.Directory.Domain(mail.DomainOf(to.Addr))
		switch {
		case !known || d.Tenant != a.Tenant.ID:
			to.Hold = fmt.Sprintf("The relay key belongs to %s, but the recipient %s is not in one of its domains. Add the domain, or correct the transport rule in Exchange.", a.Tenant.Name, to.Addr)
		case d.Enabled:
			continue
		case d.Disabled:
			off++
			to.Hold = fmt.Sprintf("The domain of %s is switched off, and other recipients of the message are not.", to.Addr)
		default:
			to.Hold = fmt.Sprintf("The domain of %s has not been enabled yet.", to.Addr)
		}
		a.Alarm = "recipient-domain"
	}
	return off
}

// keyless admits connector validation and mail for domains that use us as MX.
func (g *Gate) keyless(env *mail.Envelope) ([]Admission, error) {
	if a, ok := g.validation(env); ok {
		return []Admission{a}, nil
	}
	var list []Admission
	off := false
	for _, to := range env.To {
		d, known := g.Directory.Domain(mail.DomainOf(to.Addr))
		switch {
		case !known || d.Architecture != mail.ViaMX || (!d.Enabled && !d.Disabled):
			if known && d.Architecture == mail.ViaRelay {
				return nil, errNoKey
			}
			return nil, errNotHere
		case d.Disabled:
			off = true
			continue
		}
		list = g.share(list, d.Tenant, to)
	}
	if off || len(list) == 0 {
		return nil, errDisabled // all of it: a sender that is no Exchange gets no partial promise
	}
	return list, nil
}

func (g *Gate) share(list []Admission, tenant string, to mail.Rcpt) []Admission {
	for i := range list {
		if list[i].Tenant.ID == tenant {
			list[i].To = append(list[i].To, To{Rcpt: to})
			return list
		}
	}
	t, _ := g.Directory.Tenant(tenant)
	return append(list, Admission{Tenant: t, Via: mail.ViaMX, To: []To{{Rcpt: to}}})
}

// validation recognises what Exchange sends when an administrator validates the
// outbound connector, before any rule adds the key (exchange.md §2).
func (g *Gate) validation(env *mail.Envelope) (Admission, bool) {
	local, domain := mail.SplitAddress(env.From)
	if !strings.EqualFold(local, "O365ConnectorValidation") || !g.fromSource(env.Client) || len(env.To) == 0 {
		return Admission{}, false
	}
	d, ok := g.Directory.Domain(mail.DomainOf(env.To[0].Addr))
	if !ok || d.Architecture != mail.ViaRelay {
		return Admission{}, false
	}
	from, known := g.Directory.Domain(mail.DomainOf(env.From))
	if !(known && from.Tenant == d.Tenant) && !strings.HasSuffix(strings.ToLower(domain), ".onmicrosoft.com") {
		return Admission{}, false
	}
	for _, to := range env.To {
		if other, ok := g.Directory.Domain(mail.DomainOf(to.Addr)); !ok || other.Tenant != d.Tenant {
			return Admission{}, false
		}
	}
	tenant, ok := g.Directory.Tenant(d.Tenant)
	return Admission{Tenant: tenant, Via: mail.ViaRelay, To: recipients(env.To),
		Record: "Exchange validated its connector with this message; it is recorded and not sent on."}, ok
}

func (g *Gate) fromSource(addr netip.Addr) bool {
	nets := g.sources.Load()
	if nets == nil || *nets == nil {
		return true
	}
	addr = addr.Unmap()
	for _, p := range *nets {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func (g *Gate) guardLoop(a *Admission, s *scan) {
	a.Pass = g.Marker.passes(s.hops, a.Tenant, s.id) + 1
	if a.Record != "" {
		return
	}
	switch {
	case a.Pass > maxPasses:
		a.hold("loop", fmt.Sprintf("The message came to the relay for the %d. time: it is in a loop. A rule in Exchange redirects mail that the relay has handed back; check that the rule excepts the processed header's token and the relay's addresses.", a.Pass))
	case s.received > maxReceived:
		a.hold("loop", fmt.Sprintf("The message has passed %d servers (Received fields): it is in a loop.", s.received))
	}
}

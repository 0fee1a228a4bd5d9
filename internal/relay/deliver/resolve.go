package deliver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"postern/internal/mail"
)

// ErrLoop means that mail sent to a hop would come back to this relay.
var ErrLoop = errors.New("mail would go round in a circle")

// Suggestion is what a domain's MX records say about its MTAs.
type Suggestion struct {
	MTAs    []mail.MTA    // in order, at most mail.MaxMTAs, TLS verified; empty when nothing can be suggested
	MX      []string      // the hosts of the MX records, the most preferred first
	Warning mail.Sentence // for the administrator, empty if all is well
}

// exchangeOnline are the domains in which Exchange Online's MX hosts stand:
// worldwide and GCC, DNSSEC-signed ones, GCC High and DoD, 21Vianet.
var exchangeOnline = []string{".mail.protection.outlook.com", ".mx.microsoft", ".mail.protection.office365.us", ".mail.protection.partner.outlook.cn"}

// gateways are other filters' MX hosts, to call them by their name.
var gateways = []struct{ suffix, name string }{
	{".pphosted.com", "Proofpoint"}, {".ppe-hosted.com", "Proofpoint Essentials"}, {".mimecast.com", "Mimecast"},
	{".barracudanetworks.com", "Barracuda"}, {".iphmx.com", "Cisco Secure Email"}, {".messagelabs.com", "Symantec Email Security.cloud"},
	{".trendmicro.com", "Trend Micro"}, {".trendmicro.eu", "Trend Micro"}, {".sophos.com", "Sophos"}, {".hornetsecurity.com", "Hornetsecurity"},
	{".antispameurope.com", "Hornetsecurity"}, {".retarus.com", "Retarus"}, {".mailcontrol.com", "Forcepoint"}, {".fireeyecloud.com", "Trellix"},
	{".spamtitan.com", "SpamTitan"}, {".mailspamprotection.com", "SiteGround"}, {".google.com", "Google"}, {".googlemail.com", "Google"},
	{".fortimailcloud.com", "FortiMail Cloud"}, {".cloudfilter.net", "Cloudfilter"}, {".mxthunder.com", "SpamHero"}, {".trustifi.com", "Trustifi"},
}

// Resolve reads domain's MX records and suggests its MTAs (product.md P4, P6).
// own reports whether a host, or an address of one (the host is told too), is
// this relay; it is asked with an invalid address for the name alone.
//
// The error is a sentence for the administrator. It wraps ErrLoop when the MX is
// this relay or another mail gateway: then Suggestion.Warning says the same. A
// DNS failure that may pass wraps the *net.DNSError.
func Resolve(ctx context.Context, resolver Resolver, domain string, own func(host string, addr netip.Addr) bool) (Suggestion, error) {
	name, err := mail.FoldDomain(domain)
	if err != nil {
		return Suggestion{}, fmt.Errorf("%q is %w", clip(domain, 80), err)
	}
	records, err := resolver.LookupMX(ctx, name)
	if err != nil {
		return Suggestion{}, mxWords(name, err)
	}
	if len(records) == 1 && records[0].Host == "." {
		return Suggestion{}, mail.Refuse("%s says in DNS that it takes no mail at all (null MX, RFC 7505); remove that record, or enter the MTA by hand", name)
	}
	var s Suggestion
	var others []string
	for _, mx := range records {
		host := strings.ToLower(strings.TrimSuffix(mx.Host, "."))
		if host == "" {
			continue
		}
		s.MX = append(s.MX, host)
		if isOwn(ctx, resolver, host, own) {
			return s.loop("The MX record of %s points to this relay (%s). Mail that Postern sends there would come straight back. Enter the MTA by hand: the tenant's own address in Exchange Online, %s.", name, host, tenantHost(name))
		}
		if isExchangeOnline(host) {
			if len(s.MTAs) < mail.MaxMTAs {
				s.MTAs = append(s.MTAs, mail.MTA{Host: host, Port: 25, TLS: mail.TLSVerify})
			}
		} else {
			others = append(others, host)
		}
	}
	switch {
	case len(s.MX) == 0:
		return s, mail.Refuse("%s has no usable MX record; enter the MTA by hand", name)
	case len(s.MTAs) == 0:
		return s.loop("The MX record of %s is not Exchange Online but %s. Mail that Postern sends there may be filtered twice or come back. Enter the MTA by hand: %s.", name, gatewayName(others[0]), guessTenant(ctx, resolver, name))
	case len(others) > 0:
		s.Warning = mail.Say("%s also has MX records that are not Exchange Online: %s. They were left out, because mail sent there may come back.", name, strings.Join(others, ", "))
	}
	return s, nil
}

// loop ends in a refusal that is said twice: as warning and as error.
func (s Suggestion) loop(format string, args ...any) (Suggestion, error) {
	s.MTAs = nil
	s.Warning = mail.Say(format, args...)
	return s, &loopError{s.Warning}
}

// loopError is ErrLoop with a sentence of its own.
type loopError struct{ mail.Sentence }

func (e *loopError) Error() string { return strings.TrimSuffix(e.String(), ".") }

// Told is the sentence.
func (e *loopError) Told() mail.Sentence { return e.Sentence }

func (e *loopError) Unwrap() error { return ErrLoop }

func mxWords(domain string, err error) error {
	var e *net.DNSError
	if errors.As(err, &e) && e.IsNotFound {
		return mail.Refuse("%s has no MX record, or does not exist in DNS; check the spelling, or enter the MTA by hand", domain)
	}
	return mail.Refuse("the MX record of %s could not be looked up, try again: %w", domain, err)
}

func isExchangeOnline(host string) bool {
	for _, suffix := range exchangeOnline {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

func gatewayName(host string) mail.Sentence {
	for _, g := range gateways {
		if strings.HasSuffix(host, g.suffix) {
			return mail.Sentence{Format: g.name + " (" + host + ")"}
		}
	}
	return mail.Say("another mail server (%s)", host)
}

// tenantHost is the name Exchange Online gives a domain's MX: dots become
// hyphens.
func tenantHost(domain string) string {
	return strings.ReplaceAll(domain, ".", "-") + exchangeOnline[0]
}

// guessTenant says where in Exchange Online the domain probably is.
func guessTenant(ctx context.Context, resolver Resolver, domain string) mail.Sentence {
	host := tenantHost(domain)
	if addrs, err := resolver.LookupIPAddr(ctx, host); err == nil && len(addrs) > 0 {
		return mail.Say("%s exists and is probably right.", host)
	}
	return mail.Say("Microsoft 365 admin center shows it under Settings, Domains, as the MX value.")
}

// isOwn reports whether host, what it is an alias of, or one of its addresses is
// this relay. What cannot be looked up is not.
func isOwn(ctx context.Context, resolver Resolver, host string, own func(string, netip.Addr) bool) bool {
	if own == nil {
		return false
	}
	if own(host, netip.Addr{}) {
		return true
	}
	if canonical, err := resolver.LookupCNAME(ctx, host); err == nil && own(strings.TrimSuffix(canonical, "."), netip.Addr{}) {
		return true
	}
	ips, err := resolver.LookupIPAddr(ctx, host)
	if err != nil {
		return false
	}
	for _, ip := range ips {
		if addr, ok := netip.AddrFromSlice(ip.IP); ok && own(host, addr.Unmap()) {
			return true
		}
	}
	return false
}

// CheckMTA refuses an MTA that nobody should enter: one that is no host or port,
// has no address, or is this relay itself by name, alias or address. own is asked
// with an address without IP but with the port for the name alone, and then with
// each address and the port; "this relay" means the same address and port.
//
// The error is a sentence for the administrator; it wraps ErrLoop for this relay,
// and the *net.DNSError when DNS could not tell.
func CheckMTA(ctx context.Context, resolver Resolver, mta mail.MTA, own func(host string, at netip.AddrPort) bool) error {
	if mta.Port < 1 || mta.Port > 65535 {
		return mail.Refuse("%d is not a port: it must be from 1 to 65535", mta.Port)
	}
	port := uint16(mta.Port)
	host := strings.ToLower(strings.TrimSuffix(mta.Host, "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		if own != nil && own(host, netip.AddrPortFrom(ip.Unmap(), port)) {
			return ownMTA(mta)
		}
		switch ip = ip.Unmap(); {
		case ip.IsUnspecified():
			return mail.Refuse("%s means this machine, not a mail server: enter the address or the name of the server that takes the mail", ip)
		case ip.IsMulticast(), ip.IsLinkLocalUnicast():
			return mail.Refuse("%s is not an address that a mail server can have: enter the address or the name of the server that takes the mail", ip)
		}
		return nil
	}
	if _, err := mail.FoldDomain(host); err != nil {
		return mail.Refuse("%q is neither a host name nor an IP address", clip(mta.Host, 80))
	}
	if _, err := resolver.LookupIPAddr(ctx, host); err != nil {
		var e *net.DNSError
		if errors.As(err, &e) && e.IsNotFound {
			return mail.Refuse("%s has no address in DNS; check the spelling: %w", host, err)
		}
		return mail.Refuse("%s could not be looked up, try again: %w", host, err)
	}
	if own != nil && isOwn(ctx, resolver, host, func(h string, addr netip.Addr) bool { return own(h, netip.AddrPortFrom(addr, port)) }) {
		return ownMTA(mta)
	}
	return nil
}

func ownMTA(mta mail.MTA) error {
	return &loopError{mail.Say("%s is this relay itself: mail sent there would come straight back. Enter the mail server behind it, for Exchange Online the MX value that Microsoft 365 shows for the domain.", mta.Address())}
}

package twin

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"strings"

	"postern/internal/twin/wire"
)

// The servers whose names stand in headers and replies.
const (
	front       string = "AM2PEPF0001C717"
	frontServer string = front + ".eurprd05.prod.outlook.com"
	backServer  string = "DB3PR08MB8794.eurprd08.prod.outlook.com"
	hubServer   string = "AS4PR10CA0010"
)

// admit decides on one recipient: which inbound connector the message is
// attributed to, and whether this peer may send it at all.
func (t *Tenant) admit(env *wire.Envelope, to string) (connector Object, reply wire.Reply) {
	connector = t.attribute(env)
	if r := t.lockedDown(env); r.Code != 0 {
		return connector, r
	}
	if connector != nil && connector.Bool("RequireTls") && env.TLS == nil {
		return connector, wire.Reply{Code: 451, Text: "5.7.3 STARTTLS is required to send mail [" + frontServer + "]"}
	}
	if _, own := t.accepted(domainOf(env.From)); own && connector == nil && t.org().Bool("RejectDirectSend") {
		return nil, wire.Reply{Code: 550, Text: "5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources [" + frontServer + "]"}
	}
	if kind, _ := t.accepted(domainOf(to)); kind == "Authoritative" && t.mailbox(to) == nil {
		return connector, wire.Reply{Code: 550, Text: fmt.Sprintf("5.4.1 Recipient address rejected: Access denied. For more information see https://aka.ms/EXOSmtpErrors [%s]", frontServer)}
	}
	return connector, wire.Reply{Code: 250, Text: "2.1.5 Recipient OK"}
}

func (t *Tenant) org() Object { return t.Objects("OrganizationConfig")[0] }

// attribute finds the inbound connector for a peer: by certificate, else by
// address. The documentation says that SenderIPAddresses counts only with
// RestrictDomainsToIPAddresses; its own examples and the portal identify the sender
// by it without, and so do we.
func (t *Tenant) attribute(env *wire.Envelope) Object {
	for _, c := range t.Objects("InboundConnector") {
		if !c.Bool("Enabled") {
			continue
		}
		if c.String("ConnectorType") == "Partner" && !senderDomain(c, env.From) {
			continue
		}
		if name := c.String("TlsSenderCertificateName"); name != "" && certified(env.TLS, name) || inBlocks(env.Peer, c.List("SenderIPAddresses")) {
			return c
		}
	}
	return nil
}

// lockedDown is the refusal by a connector that restricts its sender domains to
// addresses or a certificate: with SenderDomains * it refuses the whole Internet.
func (t *Tenant) lockedDown(env *wire.Envelope) wire.Reply {
	for _, c := range t.Objects("InboundConnector") {
		if !c.Bool("Enabled") || c.String("ConnectorType") != "Partner" || !senderDomain(c, env.From) {
			continue
		}
		if c.Bool("RestrictDomainsToIPAddresses") && !inBlocks(env.Peer, c.List("SenderIPAddresses")) ||
			c.Bool("RestrictDomainsToCertificate") && !certified(env.TLS, c.String("TlsSenderCertificateName")) {
			return wire.Reply{Code: 550, Text: "5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's recipient domain. The connector had either the RestrictDomainsToIPAddresses or RestrictDomainsToCertificate set [" + frontServer + "]"}
		}
	}
	return wire.Reply{}
}

// senderDomain reports whether a connector's SenderDomains hold the reverse-path's.
func senderDomain(c Object, from string) bool {
	d := domainOf(from)
	for _, s := range c.List("SenderDomains") {
		s, _, _ = strings.Cut(strings.TrimPrefix(strings.ToLower(s), "smtp:"), ";")
		if s == "*" || s == d || strings.HasPrefix(s, "*.") && strings.HasSuffix("."+d, s[1:]) {
			return true
		}
	}
	return false
}

// certified reports whether the client showed a certificate of that name. Its chain
// is not checked: the twin is for a laboratory.
func certified(state *tls.ConnectionState, name string) bool {
	if state == nil || len(state.PeerCertificates) == 0 {
		return false
	}
	leaf := state.PeerCertificates[0]
	for _, n := range append([]string{leaf.Subject.CommonName}, leaf.DNSNames...) {
		if nameMatches(n, name) {
			return true
		}
	}
	return false
}

// nameMatches compares a certificate's name with a connector's, either of which may
// begin with a wildcard.
func nameMatches(have, want string) bool {
	have, want = strings.ToLower(have), strings.ToLower(want)
	if have == want {
		return true
	}
	if strings.HasPrefix(want, "*.") {
		return strings.HasSuffix(have, want[1:])
	}
	if strings.HasPrefix(have, "*.") {
		_, parent, _ := strings.Cut(want, ".")
		return parent == have[2:]
	}
	return false
}

// inBlocks reports whether an address is in a list of addresses, ranges and CIDR ranges.
func inBlocks(a netip.Addr, blocks []string) bool {
	for _, b := range blocks {
		if p, err := netip.ParsePrefix(b); err == nil && p.Masked().Contains(a) {
			return true
		}
		if x, err := netip.ParseAddr(b); err == nil && x == a {
			return true
		}
		if first, last, ok := strings.Cut(b, "-"); ok {
			x, err1 := netip.ParseAddr(strings.TrimSpace(first))
			y, err2 := netip.ParseAddr(strings.TrimSpace(last))
			if err1 == nil && err2 == nil && x.Compare(a) <= 0 && a.Compare(y) <= 0 {
				return true
			}
		}
	}
	return false
}

package exchange

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"postern/internal/mail"
)

// A Spec is all that Want needs to know of a tenant and of the relay.
type Spec struct {
	Tenant       string     // our tenant id; marks the objects we make
	Token        string     // word in the processed header that only this tenant's rules trust; [A-Za-z0-9], 22 or more
	Key          string     // relay key; "" when only its hash is known any more: rules that have it keep it, none can be made
	KeyHashes    [][32]byte // SHA-256 of every valid key, for comparing without Key
	Domains      []string   // enabled recipient domains
	Addresses    []string   // relay egress: IPv4 addresses or networks /24 to /32, as Exchange will see them
	Reverse      string     // domain that reverse DNS gives for every relay address; "" if they have no such name
	SmartHost    string     // the relay's name, to which Exchange delivers
	TLSName      string     // name the relay's certificate must carry, "relay.example.com" or "*.example.com"; default SmartHost
	HeaderPrefix string     // default "x-trustifi"
	Brand        string     // begins the name of every object; default "Postern"
	Options      Options
}

// Options are the choices of the set-up. The zero value is the recommended one.
type Options struct {
	IncludeInternal   bool      `json:"include_internal,omitempty"`   // redirect mail between the tenant's own people too, as the guide does
	PlainYes          bool      `json:"plain_yes,omitempty"`          // compatibility: trust "yes" in the processed header, which anybody can write
	CertificateBound  bool      `json:"certificate_bound,omitempty"`  // the receive connector recognises us by TLSName instead of by address
	Connectors        Connector `json:"connectors,omitempty"`         // default ConnectorAuto
	ArcSealer         string    `json:"arc_sealer,omitempty"`         // d= of our ARC seals, to be trusted; "" for none
	Hardened          bool      `json:"hardened,omitempty"`           // see Want
	OutboundRule      string    `json:"outbound_rule,omitempty"`      // name of the outbound relay's rule; "" to recognise it
	ValidationMailbox string    `json:"validation_mailbox,omitempty"` // that Exchange addresses its test message to; "" for postmaster@ the first domain
}

// Connector is the sort of connectors to make.
type Connector string

const (
	ConnectorAuto         Connector = ""             // by reading the tenant
	ConnectorPartner      Connector = "partner"      // "Partner organization", for every tenant
	ConnectorOrganization Connector = "organization" // "Your organization", for tenants from before 2023
)

// Names and limits of Exchange (limits.json).
const (
	defaultPrefix  = "x-trustifi"
	defaultBrand   = "Postern"
	minToken       = 22   // characters of [A-Za-z0-9] that hold 128 bits
	maxRules       = 300  // transport rules of a tenant
	maxRuleBytes   = 8192 // of one rule
	maxAllowedIPs  = 1273 // entries of the connection filter's allow list
	maxSpoofPairs  = 1024 // entries of the tenant allow/block list for spoofed senders
	maxObjectName  = 64
	bypassClutter  = "X-MS-Exchange-Organization-BypassClutter"
	defaultObject  = "Default"
	markerTemplate = "Managed by Postern. Marker postern-%s."
)

var (
	tokenForm  = regexp.MustCompile(`^[A-Za-z0-9]+$`)
	keyForm    = regexp.MustCompile(`^[A-Za-z0-9._~-]{16,256}$`)
	prefixForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,30}$`)
	brandForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,23}$`)
	tenantForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	emailForm  = regexp.MustCompile(`^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$`)
)

// clean returns s with defaults filled in, lists folded, sorted and without
// doubles. The error is a *Problem.
func (s Spec) clean() (Spec, error) {
	if s.HeaderPrefix == "" {
		s.HeaderPrefix = defaultPrefix
	}
	if s.Brand == "" {
		s.Brand = defaultBrand
	}
	for _, f := range []struct {
		what, value string
		form        *regexp.Regexp
	}{
		{"tenant id", s.Tenant, tenantForm}, {"token", s.Token, tokenForm},
		{"header prefix", s.HeaderPrefix, prefixForm}, {"brand", s.Brand, brandForm},
	} {
		if !f.form.MatchString(f.value) {
			return s, badSpec("the %s is missing or has characters that Exchange does not take in a name", f.what)
		}
	}
	if len(s.Token) < minToken {
		return s, badSpec("the tenant's token is shorter than 128 bits (%d characters)", minToken)
	}
	if s.Key != "" && !keyForm.MatchString(s.Key) {
		return s, badSpec("the relay key has characters that do not belong into a header")
	}
	if s.Options.ValidationMailbox != "" && !emailForm.MatchString(s.Options.ValidationMailbox) {
		return s, badSpec("the mailbox for validation is not an address")
	}
	switch s.Options.Connectors {
	case ConnectorAuto, ConnectorPartner, ConnectorOrganization:
	default:
		return s, badSpec("connectors are %q, %q or %q", ConnectorAuto, ConnectorPartner, ConnectorOrganization)
	}
	if s.Key != "" {
		s.KeyHashes = append(slices.Clone(s.KeyHashes), sha256.Sum256([]byte(s.Key)))
	}
	return s.cleanNames()
}

func (s Spec) cleanNames() (Spec, error) {
	var err error
	if s.Domains, err = foldAll(s.Domains); err != nil {
		return s, err
	}
	if len(s.Domains) == 0 {
		return s, &Problem{Code: "no-domain", Cause: mail.Say("No domain of this tenant is enabled."), Mend: mail.Say("Add a domain and enable it first, then plan again.")}
	}
	if s.Addresses, err = cleanAddresses(s.Addresses); err != nil {
		return s, err
	}
	if s.SmartHost, err = mail.FoldDomain(s.SmartHost); err != nil || !strings.Contains(s.SmartHost, ".") {
		return s, badSpec("the relay's host name is not a name that Exchange can reach")
	}
	if s.TLSName == "" {
		s.TLSName = s.SmartHost
	}
	star := strings.HasPrefix(s.TLSName, "*.")
	if s.TLSName, err = mail.FoldDomain(strings.TrimPrefix(s.TLSName, "*.")); err != nil {
		return s, badSpec("the certificate name is not a domain name")
	}
	if star {
		s.TLSName = "*." + s.TLSName
	}
	for _, p := range []*string{&s.Reverse, &s.Options.ArcSealer} {
		if *p == "" {
			continue
		}
		if *p, err = mail.FoldDomain(*p); err != nil {
			return s, badSpec("the domain of reverse DNS or of our ARC seals is not a domain name")
		}
	}
	return s, nil
}

func foldAll(domains []string) ([]string, error) {
	out := make([]string, 0, len(domains))
	for _, d := range domains {
		f, err := mail.FoldDomain(d)
		if err != nil {
			return nil, badSpec("%q is not a domain name", d)
		}
		out = append(out, f)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// cleanAddresses are the relay's networks as Exchange takes them: IPv4 only,
// single or /24 to /32 (limits.json, inbound_connector).
func cleanAddresses(list []string) ([]string, error) {
	prefixes := make([]netip.Prefix, 0, len(list))
	for _, a := range list {
		p, err := parseAddress(a)
		if err != nil {
			return nil, err
		}
		prefixes = append(prefixes, p)
	}
	if len(prefixes) == 0 {
		return nil, badSpec("no relay address is configured (relay.egress_ips); Exchange has to know from where mail comes back")
	}
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	prefixes = slices.Compact(prefixes)
	out := make([]string, len(prefixes))
	for i, p := range prefixes {
		out[i] = addressText(p)
	}
	return out, nil
}

func parseAddress(a string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(a)
	if ip, ipErr := netip.ParseAddr(a); ipErr == nil {
		p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	if err != nil {
		return p, badSpec("relay address %q is not an IP address", a)
	}
	if !p.Addr().Is4() || p.Bits() < 24 {
		return p, badSpec("relay address %s cannot be used: Exchange's connectors take single IPv4 addresses and networks from /24 to /32", a)
	}
	return p.Masked(), nil
}

func addressText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// marker is the word by which we know an object that we made in this tenant. It
// tells nothing of the tenant to a reader.
func (s Spec) marker() string {
	sum := sha256.Sum256([]byte("postern marker " + s.Tenant))
	return "postern-" + hex.EncodeToString(sum[:6])
}

func (s Spec) credsHeader() string     { return s.HeaderPrefix + "-creds" }
func (s Spec) processedHeader() string { return s.HeaderPrefix + "-inbound-processed" }

// trustedWord is what the processed header has to contain for a rule to believe it.
func (s Spec) trustedWord() string {
	if s.Options.PlainYes {
		return "yes"
	}
	return s.Token
}

func badSpec(format string, args ...any) *Problem {
	return NewProblem("configuration", mail.Say("The configuration does not do for Exchange: %s.", mail.Refuse(format, args...)), mail.Say("Correct the configuration and plan again."), nil)
}

// String names s without its key and token.
func (s Spec) String() string {
	return fmt.Sprintf("tenant %s, domains %v, relay %s %v", s.Tenant, s.Domains, s.SmartHost, s.Addresses)
}

// GoString is String.
func (s Spec) GoString() string { return s.String() }

// LogValue is String.
func (s Spec) LogValue() slog.Value { return slog.StringValue(s.String()) }

package mail

import (
	"net"
	"net/netip"
	"strconv"
	"time"
)

// A Tenant is one customer: one Microsoft 365 organization.
type Tenant struct {
	ID    string // stable, lower case, [a-z0-9-]
	Name  string // as people call it
	Token string // unguessable word in the processed header that its Exchange rules trust (128 bits or more)

	Limits Limits // what a provider set for it
}

// Limits are the most that a tenant may use. Zero means no limit. What goes beyond
// waits at its sender (4xx) and is never refused for good.
type Limits struct {
	Messages   int   `json:"messages,omitempty"`    // an hour
	Recipients int   `json:"recipients,omitempty"`  // an hour, over all messages
	HeldOctets int64 `json:"held_octets,omitempty"` // of mail that waits in the quarantine
	Users      int   `json:"users,omitempty"`       // who may sign in
}

// Architecture says how a domain's mail reaches us.
type Architecture string

const (
	ViaRelay Architecture = "relay" // Exchange redirects it with the relay key
	ViaMX    Architecture = "mx"    // we are the domain's MX; no key, the peer is the origin
	Own      Architecture = "own"   // of a message, not of a domain: we wrote it ourselves, a digest or a sign-in link
)

// A Domain is one recipient domain of a tenant.
type Domain struct {
	Name         string // as FoldDomain gives it
	Tenant       string
	Architecture Architecture
	Enabled      bool
	Disabled     bool  // was enabled and is switched off: its mail gets 4xx, while a domain never enabled is unknown
	MTAs         []MTA // 1 to MaxMTAs, in order of preference
}

// MaxMTAs is the most next hops a domain may have (product.md P5).
const MaxMTAs = 3

// An MTA is a next hop.
type MTA struct {
	Host string // domain name or IP address without brackets
	Port int    // 1-65535, 25 by default
	TLS  TLSMode
}

// Address is host:port as net.Dial takes it.
func (m MTA) Address() string { return net.JoinHostPort(m.Host, strconv.Itoa(m.Port)) }

// TLSMode says what the connection to a next hop must prove.
type TLSMode string

const (
	TLSVerify  TLSMode = "verify"  // certificate of a trusted CA for the MTA's name; the default
	TLSRequire TLSMode = "require" // encrypted, any certificate
	TLSNone    TLSMode = "none"    // plaintext; for an MTA on a trusted wire
)

// A Key is a tenant's relay key without its secret.
type Key struct {
	ID        string // public part, shown in lists
	Tenant    string
	Hash      [32]byte // SHA-256 of the whole key as it stands in the header
	CreatedAt time.Time
	RetiredAt time.Time // zero while valid; mail with a retired key is accepted, held and alarmed
	SeenAt    time.Time // last use; zero if never
}

// Rules are what a tenant decided about verdicts. The zero value is the default.
type Rules struct {
	Thresholds map[Verdict]int    // points at which a class is reached; missing means policy's default
	Actions    map[Verdict]Action // missing means policy's default
	Groups     []Group            // of recipients; of several that one is in, the first counts
	Persons    []PersonRules      // of single recipients; they count before groups
	Lists      []ListEntry
	Protected  []string // domains, besides the tenant's own, that look-alikes are compared with
	People     []Person // to protect from impersonation
	Keep       Keep
	Bypass     Bypass
	Observe    Observe `json:",omitzero"`
	Draft      *Draft  `json:",omitempty"` // nil: none is tried

	Recipients Recipients             `json:"-"` // what people may do themselves; kept apart
	Personal   map[string][]ListEntry `json:"-"` // entries of people's own, by FoldAddress
}

// A ListEntry allows or blocks a sender.
type ListEntry struct {
	ID        string
	Allow     bool         // false: block
	Address   string       // exactly one of Address, Domain and Network is set
	Domain    string       // and its subdomains
	Network   netip.Prefix // the true origin's address
	AnyAuth   bool         // an allow entry that counts even when authentication does not pass
	Note      string
	Recipient string // whose own entry, as FoldAddress gives it; "" for the whole tenant
	CreatedAt time.Time
	ExpiresAt time.Time // when it is removed by itself; zero for never
}

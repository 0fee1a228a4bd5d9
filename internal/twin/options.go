package twin

import (
	"crypto/rsa"
	"crypto/x509"
	"net/netip"
	"time"

	"postern/internal/twin/sign"
)

// Options say how a Twin differs from the default: one tenant
// contoso.onmicrosoft.com, MX on a free port of 127.0.0.1, no DNS.
type Options struct {
	Tenants []TenantOptions
	SMTP    string // where the MX listens; "127.0.0.1:0" if empty

	// Resolve maps a smart host's name, or name:port, to ADDR:PORT. A name that is
	// not in it is looked up by the system, at port 25.
	Resolve map[string]string
	CAs     *x509.CertPool                        // besides the twin's own CA, trusted for connectors' TLS
	Egress  []netip.Addr                          // local addresses that mail leaves from, in turn
	Seen    map[netip.Addr]netip.Addr             // peers that count as another address, so that loopback may play the Internet
	PTR     map[netip.Addr]string                 // reverse names of peers
	TXT     sign.LookupTXT                        // SPF, DKIM, DMARC records; nil knows only the twin's own keys
	Judge   func(from string, raw []byte) Verdict // Exchange's opinion of content; nil for JudgeBySignature

	RetryEvery    time.Duration // between attempts of a deferred message; 1 minute if 0
	ExpireAfter   time.Duration // until a deferred message is returned; 24 hours if 0
	Lag           time.Duration // Get- shows the directory as it was this long ago
	RuleLag       time.Duration // mail flow acts on the directory as it was this long ago
	Concurrent    int           // admin API calls of one tenant at once before 429; 0 for no limit
	CmdletTimeout time.Duration // when the admin API gives up; 15 minutes if 0
	Ask           bool          // sign-in and consent pages wait for a person; false approves at once
	Parallel      int           // deliveries at once to connectors; 20 if 0
	MaxSize       int           // octets of a message; 150 MiB if 0

	SRS         bool            // rewrite foreign reverse-paths of redirected mail (it happens; when is not documented)
	NoLoopCount bool            // do not count redirects by rule, so that a wrong rule loops until somebody stops it
	KeepCopies  bool            // a rule that sets a header overwrites its first copy only (not documented which)
	NoFiltering bool            // no verdict on content at all, so that everything reaches the rules
	Key         *rsa.PrivateKey // signs ARC sets, DKIM and tokens; nil makes one when it is needed
	Now         func() time.Time
}

// A Card tells a script how to reach a twin's first tenant.
type Card struct {
	Admin        string   `json:"admin"` // base address of login and admin API
	SMTP         string   `json:"smtp"`
	TenantID     string   `json:"tenant_id"`
	Organization string   `json:"organization"`
	Domains      []string `json:"domains"`
	Mailboxes    []string `json:"mailboxes"`
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"`
}

// Card is the first tenant's; admin is where Handler is served.
func (tw *Twin) Card(admin string) Card {
	t := tw.tenants[0]
	c := Card{Admin: admin, SMTP: tw.MX(), TenantID: t.ID, Organization: t.Organization, ClientID: t.ClientID, ClientSecret: t.ClientSecret, Domains: []string{}, Mailboxes: []string{}}
	for _, d := range t.Objects("AcceptedDomain") {
		c.Domains = append(c.Domains, d.String("DomainName"))
	}
	for _, m := range t.Objects("Mailbox") {
		c.Mailboxes = append(c.Mailboxes, m.String("PrimarySmtpAddress"))
	}
	return c
}

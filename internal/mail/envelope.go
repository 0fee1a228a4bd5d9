package mail

import (
	"net/netip"
	"time"
)

// Envelope is what the SMTP client said around the content (RFC 5321 §2.3.1).
// Nothing in it is taken from the header.
type Envelope struct {
	Client     netip.Addr // peer of the TCP connection (or as PROXY named it); behind Exchange this is Microsoft, not the sender
	HELO       string     // as given by the client; proves nothing
	TLS        TLS        // zero when the session is in plaintext
	From       string     // reverse-path without <>; "" is the null path of a bounce (RFC 5321 §4.5.5)
	SMTPUTF8   bool       // client asked for SMTPUTF8 (RFC 6531 §3.4)
	Body       string     // BODY parameter: "", "7BIT" or "8BITMIME" (RFC 6152)
	Ret        string     // RET parameter: "", "FULL" or "HDRS" (RFC 3461 §4.3)
	EnvID      string     // ENVID parameter, still xtext (RFC 3461 §4.4)
	Size       int64      // SIZE parameter in octets, 0 if not given (RFC 1870)
	RequireTLS bool       // REQUIRETLS parameter (RFC 8689)
	To         []Rcpt     // never empty
	Received   time.Time  // UTC, when the content ended

	// Set by admit, not by the client.
	Via  Architecture // how the message came to us
	Pass int          // how often it has come to us, from 1 (RFC 5321 §6.3)
}

// Rcpt is one RCPT command.
type Rcpt struct {
	Addr   string // forward-path without <>, case and quoting kept; "postmaster" may lack a domain
	Notify string // NOTIFY parameter as given: "", "NEVER" or a list like "SUCCESS,FAILURE" (RFC 3461 §4.1)
	ORcpt  string // ORCPT parameter as given: "rfc822;..." still xtext (RFC 3461 §4.2)
}

// TLS says how a session was protected.
type TLS struct {
	Version string // "TLSv1.3"; "" means plaintext
	Cipher  string // IANA name, "TLS_AES_128_GCM_SHA256"
	Peer    string // common name of the client certificate, "" if none; not verified, for display only
}

package mail

import "net/netip"

// A Result is one outcome of an authentication method (RFC 8601 §2.7).
type Result string

const (
	ResultNone      Result = "none"
	ResultPass      Result = "pass"
	ResultFail      Result = "fail"
	ResultSoftFail  Result = "softfail"
	ResultNeutral   Result = "neutral"
	ResultPolicy    Result = "policy" // verified, but not by our rules: key under 1024 bits, "l=" with an unsigned tail
	ResultTempError Result = "temperror"
	ResultPermError Result = "permerror"
)

// Auth is everything that authentication says of one message. It is a value: it
// may be stored, shown, and judged again.
type Auth struct {
	Origin   Origin
	SPF      SPF
	DKIM     []DKIM // one for each signature looked at, in the header's order
	DMARC    DMARC
	ARC      ARC
	Exchange *Exchange // what Exchange Online stamped; nil if the message did not come through it
}

// Origin is where the message entered the world we trust: the client of the first
// border MTA, not our own peer.
type Origin struct {
	IP       netip.Addr // invalid if unknown
	HELO     string
	MailFrom string // reverse-path for policy, SRS undone; "" for the null path
	Internal bool   // handed in by a mailbox of the tenant itself
	Source   string // which evidence named the address: "peer", "received-spf", "authentication-results", "cip", "received", "none"
}

// SPF is the outcome of RFC 7208 for the origin's address.
type SPF struct {
	Result Result
	Domain string // that was checked: of MAIL FROM, or HELO for the null path
	Reason string // in words, for fail and the errors
}

// DKIM is the outcome for one signature (RFC 6376).
type DKIM struct {
	Result    Result
	Domain    string // d=
	Selector  string // s=
	Algorithm string // a=
	Testing   bool   // the key says t=y
	Reason    string
}

// DMARC is the outcome of RFC 9989.
type DMARC struct {
	Result      Result
	Domain      string // of the From field
	Policy      string // "none", "quarantine", "reject": what the domain's owner asks for; "" without a record
	Record      string // domain the record was found at
	AlignedSPF  bool
	AlignedDKIM bool
	Reason      string
}

// ARC is the outcome of RFC 8617. It never makes a verdict better by itself.
type ARC struct {
	Result  Result
	Sealers []string // d= of each seal, i=1 first
	Oldest  int      // of a pass: nothing was changed since this instance sealed; 0 if never (RFC 8617 §5.2, oldest-pass)
	Reason  string
}

// Exchange is Microsoft's own verdict, from the top-most Exchange Online block.
type Exchange struct {
	SPF, DKIM, DMARC string // results in words, lower case
	CompAuth         string // "pass", "fail", "softpass", "none"
	CompAuthReason   string // "100"
	SCL              string // "-1" .. "9"
	Category         string // CAT: "NONE", "SPM", "PHSH", ...
	Filtered         string // SFV
	TenantID         string // X-MS-Exchange-CrossTenant-Id
	AuthAs           string // "Anonymous", "Internal"
}

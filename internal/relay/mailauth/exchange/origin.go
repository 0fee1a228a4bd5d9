package exchange

import (
	"net/netip"
	"regexp"
	"strings"

	"postern/internal/mail"
)

var (
	clientIP   = regexp.MustCompile(`(?i)(?:^|[;\s])client-ip=([0-9A-Fa-f:.]+)`)
	heloOf     = regexp.MustCompile(`(?i)(?:^|[;\s])helo=([^;\s]+)`)
	internalIP = netip.MustParseAddr("255.255.255.255") // CIP of what a mailbox of the tenant sent
)

// Read says where a message that Exchange handed us came from, and what Exchange
// stamped on it. from is the reverse-path of our session with Exchange. ok is
// false if the header shows nothing of Exchange; origin then only has MailFrom.
func Read(h mail.Header, from string) (origin mail.Origin, found *mail.Exchange, ok bool) {
	b := top(h)
	if !b.from {
		return mail.Origin{MailFrom: from, Source: "none"}, nil, false
	}
	results := resultsOf(b.fields)
	origin = originOf(b, results, cip(h))
	origin.MailFrom = UndoSRS(from, results.mailFrom)
	found = &mail.Exchange{
		SPF: results.spf, DKIM: results.dkim, DMARC: results.dmarc,
		CompAuth: results.compAuth, CompAuthReason: results.reason,
		TenantID: last(h, "X-MS-Exchange-CrossTenant-Id"),
		AuthAs:   last(h, "X-MS-Exchange-CrossTenant-AuthAs"),
	}
	origin.Internal = (b.edge == nil || !b.edge.border) && strings.EqualFold(found.AuthAs, "Internal") && internalOnly(h)
	if origin.Internal && b.edge == nil {
		origin.Source = "cip"
	}
	if r := lastReport(h); reportFits(r, origin, b) {
		found.SCL, found.Category, found.Filtered = r["SCL"], r["CAT"], r["SFV"]
	}
	if found.SCL == "" {
		found.SCL = last(h, "X-MS-Exchange-Organization-SCL") // only inside the organization, as in exported mail
	}
	return origin, found, true
}

// originOf takes the first evidence that another one confirms; if none agree, the
// edge's Received, which alone is not derived from anything.
func originOf(b block, results verdicts, report netip.Addr) mail.Origin {
	if b.edge == nil {
		return mail.Origin{Source: "none"}
	}
	spf := b.fields.First("Received-SPF")
	evidence := []struct {
		source string
		ip     netip.Addr
	}{
		{"received-spf", match(clientIP, spf)},
		{"authentication-results", parse(results.ip)},
		{"cip", report},
		{"received", b.edge.ip},
	}
	origin := mail.Origin{IP: b.edge.ip, HELO: b.edge.helo, Source: "received"}
	for i, e := range evidence {
		for _, other := range evidence[i+1:] {
			if e.ip.IsValid() && e.ip == other.ip {
				origin.IP, origin.Source = e.ip, e.source
				if m := heloOf.FindStringSubmatch(spf); m != nil {
					origin.HELO = m[1]
				}
				return origin
			}
		}
	}
	if !origin.IP.IsValid() {
		origin.Source = "none"
	}
	return origin
}

// resultsOf reads the top-most result field of the block; for mail on its way out
// of a tenant it has another name.
func resultsOf(fields mail.Header) verdicts {
	for _, f := range fields {
		if f.Is("Authentication-Results") || f.Is("X-MS-Exchange-Authentication-Results") {
			return parseResults(f.Value())
		}
	}
	return verdicts{}
}

func cip(h mail.Header) netip.Addr { return parse(lastReport(h)["CIP"]) }

func internalOnly(h mail.Header) bool {
	ip := cip(h)
	return !ip.IsValid() || ip == internalIP
}

// reportFits reports whether a Forefront report is of this hand-over: it came with
// the message if it names another address. Where Exchange looks through a gateway
// of the tenant (enhanced filtering), it still names the gateway.
func reportFits(r report, o mail.Origin, b block) bool {
	ip := parse(r["CIP"])
	if !ip.IsValid() {
		return false
	}
	if ip == internalIP {
		return o.Internal || !o.IP.IsValid()
	}
	return ip == o.IP || b.edge != nil && ip == b.edge.ip
}

func parse(text string) netip.Addr {
	ip, _ := netip.ParseAddr(text)
	return ip.Unmap()
}

func match(re *regexp.Regexp, s string) netip.Addr {
	m := re.FindStringSubmatch(s)
	if m == nil {
		return netip.Addr{}
	}
	return parse(m[1])
}

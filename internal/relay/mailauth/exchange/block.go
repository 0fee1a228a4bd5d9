package exchange

import (
	"net/netip"
	"strings"

	"postern/internal/mail"
)

// block is what Exchange wrote on top of a message.
type block struct {
	fields mail.Header // above the edge's Received, that one included
	edge   *hop        // where the message entered from outside; nil if it did not
	from   bool        // at least one Received of Exchange stands on top
}

// hop is one Received field of Exchange.
type hop struct {
	helo   string
	ip     netip.Addr
	by     string
	edge   bool // from a client that is no server of Exchange
	border bool // by a server that takes mail from anybody; others want a login
}

// top finds the block. It starts at the first field and ends with the Received of
// the edge, or before the first Received that is not Exchange's.
func top(h mail.Header) block {
	var b block
	skipped := false
	for i, f := range h {
		if !f.Is("Received") {
			continue
		}
		hop, ok := parseHop(f.Value())
		if !ok {
			if b.from {
				b.fields = h[:i]
				return b
			}
			if skipped {
				return b
			}
			skipped = true // may be our own, above the block
			continue
		}
		b.from = true
		if hop.edge {
			b.edge, b.fields = &hop, h[:i+1]
			return b
		}
	}
	if b.from {
		b.fields = h
	}
	return b
}

// parseHop reads "from NAME (IP) by NAME (IP) with PROTOCOL ..."; ok is false if
// Exchange Online did not write it. "by" is the writer's own word: a server of
// *.mail.protection.outlook.com is a border, those of the mailbox servers end
// otherwise.
func parseHop(value string) (h hop, ok bool) {
	words := make([]string, 0, 10)
	for w := range strings.FieldsSeq(value) {
		if words = append(words, w); len(words) == cap(words) {
			break
		}
	}
	if len(words) < 7 || words[0] != "from" || words[3] != "by" {
		return h, false
	}
	h.helo, h.by = words[1], strings.ToLower(words[4])
	rest := words[5:]
	if _, ok := address(rest[0]); ok {
		rest = rest[1:]
	}
	if h.ip, ok = address(words[2]); !ok || rest[0] != "with" || !isExchange(h.by) || !isProtocol(rest[1:]) {
		return h, false
	}
	h.border = strings.Contains(h.by, ".mail.protection.")
	h.edge = h.border || !isInternal(h.ip)
	return h, true
}

// address reads "(192.0.2.1)", "(::1)" or "([fe80::1%6])".
func address(word string) (netip.Addr, bool) {
	word, opened := strings.CutPrefix(word, "(")
	word, closed := strings.CutSuffix(word, ")")
	ip, err := netip.ParseAddr(strings.Trim(word, "[]"))
	return ip.WithZone(""), opened && closed && err == nil
}

// exchangeDomains are the names of Exchange Online's servers in all its clouds.
var exchangeDomains = []string{
	".outlook.com", ".office365.com", ".outlook.de", ".office365.us", ".outlook.us", ".partner.outlook.cn", ".exchangelabs.com",
}

func isExchange(host string) bool {
	for _, d := range exchangeDomains {
		if strings.HasSuffix(host, d) {
			return true
		}
	}
	return false
}

// isProtocol knows what Exchange says after "with".
func isProtocol(words []string) bool {
	if len(words) == 0 {
		return false
	}
	switch words[0] {
	case "mapi", "HTTP", "HTTPS", "TransportReplication":
		return true
	}
	return len(words) > 2 && words[0] == "Microsoft" && words[1] == "SMTP" && words[2] == "Server"
}

// internalNetworks are the addresses that Exchange's servers use among themselves,
// those towards other organizations included. Only a border server takes mail from
// anybody else at them.
var internalNetworks = []netip.Prefix{
	netip.MustParsePrefix("2a01:111:f400::/48"), netip.MustParsePrefix("2a01:111:f403::/48"),
	netip.MustParsePrefix("40.92.0.0/15"), netip.MustParsePrefix("40.107.0.0/16"),
	netip.MustParsePrefix("52.100.0.0/14"), netip.MustParsePrefix("104.47.0.0/17"),
	netip.MustParsePrefix("2603:1000::/20"), netip.MustParsePrefix("2a01:111:e000::/36"),
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fe80::/10"),
}

func isInternal(ip netip.Addr) bool {
	ip = ip.Unmap()
	for _, n := range internalNetworks {
		if n.Contains(ip) {
			return true
		}
	}
	return ip.IsLoopback()
}

package guard

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// A Refused says why the Guard does not let a connection go to an address.
type Refused struct {
	addr netip.Addr
	why  string
}

func (e *Refused) Error() string { return fmt.Sprintf("%s %s", e.addr, e.why) }

// Guard decides where a connection may go, whatever DNS says (safety.md R21). The
// zero value lets it go to public addresses only.
type Guard struct {
	Loopback bool                      // allowed
	Private  bool                      // allowed for names too
	Own      func(netip.AddrPort) bool // is the relay itself; may be nil
}

// never lists what no server of anybody's can be, beside what netip.Addr tells by itself.
var never = []struct {
	prefix netip.Prefix
	why    string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "means this machine"},
	{netip.MustParsePrefix("240.0.0.0/4"), "is a reserved address"},
	{netip.MustParsePrefix("100.100.100.200/32"), "is a cloud's metadata service"},
	{netip.MustParsePrefix("168.63.129.16/32"), "is a cloud's metadata service"},
	{netip.MustParsePrefix("192.0.0.0/24"), "is a reserved address"}, // with a cloud's metadata service at .192
	{netip.MustParsePrefix("fd00:ec2::/32"), "is a cloud's metadata service"},
	{netip.MustParsePrefix("::/96"), "is a reserved address"}, // IPv4-compatible, long deprecated
	{netip.MustParsePrefix("2001::/32"), "is a Teredo address, which hides another"},
	{netip.MustParsePrefix("fec0::/10"), "is a reserved address"},
	{netip.MustParsePrefix("100::/64"), "is a reserved address"},
}

var (
	sharedNet = netip.MustParsePrefix("100.64.0.0/10") // behind a carrier's NAT (RFC 6598)
	nat64     = netip.MustParsePrefix("64:ff9b::/96")  // RFC 6052
	nat64own  = netip.MustParsePrefix("64:ff9b:1::/48")
	sixToFour = netip.MustParsePrefix("2002::/16") // RFC 3056
)

// Check returns a *Refused if at must not be connected to. literal says that
// an administrator wrote the address itself, rather than a name that DNS turned
// into it.
func (g Guard) Check(at netip.AddrPort, literal bool) error {
	addr := at.Addr().WithZone("").Unmap()
	if why := g.refuse(addr, literal); why != "" {
		return &Refused{at.Addr(), why}
	}
	if g.Own != nil && g.Own(netip.AddrPortFrom(addr, at.Port())) {
		return &Refused{at.Addr(), "is this relay itself: it would go round in a circle"}
	}
	return nil
}

func (g Guard) refuse(addr netip.Addr, literal bool) string {
	switch {
	case !addr.IsValid():
		return "is not an address"
	case addr.IsLoopback() && g.Loopback:
		return ""
	case addr.IsLoopback():
		return "is this machine's loopback"
	case addr.IsUnspecified():
		return "means this machine"
	case addr.IsMulticast():
		return "is a multicast address"
	case addr.IsLinkLocalUnicast():
		return "is a link-local address, where clouds keep their metadata service"
	}
	for _, n := range never {
		if n.prefix.Contains(addr) {
			return n.why
		}
	}
	if (addr.IsPrivate() || sharedNet.Contains(addr)) && !literal && !g.Private {
		return "is a private address that a name in DNS led to: enter the address itself if this is meant"
	}
	if inner, ok := embedded(addr); ok { // must not smuggle in what is refused above
		return g.refuse(inner, false)
	}
	return ""
}

// embedded is the IPv4 address that an IPv6 transition address leads to.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	b := addr.As16()
	switch {
	case nat64.Contains(addr), nat64own.Contains(addr):
		return v4(binary.BigEndian.Uint32(b[12:])), true
	case sixToFour.Contains(addr):
		return v4(binary.BigEndian.Uint32(b[2:])), true
	}
	return netip.Addr{}, false
}

func v4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

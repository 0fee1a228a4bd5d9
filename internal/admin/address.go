package admin

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"postern/internal/mail"
)

// splitPort reads HOST or HOST:PORT; a port is 1 to 65535 and 25 by default.
func splitPort(text string) (host string, port int, err error) {
	host, port = text, 25
	if _, aerr := netip.ParseAddr(text); aerr != nil {
		if h, p, serr := net.SplitHostPort(text); serr == nil {
			if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
				return "", 0, mail.Refuse("port %q is not a number from 1 to 65535", p)
			}
			host = h
		} else if strings.Contains(text, ":") {
			return "", 0, mail.Refuse("write HOST or HOST:PORT, and an IPv6 address with a port in brackets")
		}
	}
	if addr, aerr := netip.ParseAddr(host); aerr == nil {
		return addr.Unmap().String(), port, nil
	}
	host, err = mail.FoldDomain(host)
	if err != nil {
		return "", 0, mail.Refuse("this is neither a host name nor an IP address")
	}
	return host, port, nil
}

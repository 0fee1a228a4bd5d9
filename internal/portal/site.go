package portal

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"postern/internal/admin"
)

// base is the portal's address as browsers know it, without a slash at its end:
// the configured one, else the one that this request came to.
func (p *Portal) base(r *http.Request) string {
	if p.URL != "" {
		return strings.TrimSuffix(p.URL, "/")
	}
	if plain(r) {
		return "http://" + r.Host
	}
	return "https://" + r.Host
}

// site is the portal for passkeys. A name that came with the request is believed on
// this machine only: elsewhere the configuration has to say it.
func (p *Portal) site(r *http.Request) admin.Site {
	u, err := url.Parse(p.base(r))
	if err != nil || (p.URL == "" && !plain(r)) {
		return admin.Site{}
	}
	host := u.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return admin.Site{} // browsers have no passkeys for addresses
	}
	return admin.Site{Name: "Postern", Host: host, Origin: u.Scheme + "://" + u.Host}
}

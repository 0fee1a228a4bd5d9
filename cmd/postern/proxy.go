package main

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// behind makes a request that a proxy of ours hands on one of the browser's address:
// the last in X-Forwarded-For that is no proxy of ours. What a browser wrote there
// itself stands before it and does not count. Limits, sign-ins and the addresses of
// API tokens go by it.
func behind(proxies []netip.Prefix, next http.Handler) http.Handler {
	if len(proxies) == 0 {
		return next
	}
	ours := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		from, err := netip.ParseAddr(host)
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for err == nil && ours(from.Unmap()) && len(hops) > 0 {
			var hop netip.Addr
			if hop, err = netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1])); err == nil {
				from, hops = hop.Unmap(), hops[:len(hops)-1]
			}
		}
		if from.IsValid() {
			r = r.WithContext(r.Context())
			r.RemoteAddr = netip.AddrPortFrom(from, 0).String()
		}
		next.ServeHTTP(w, r)
	})
}

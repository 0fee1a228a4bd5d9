package twin

import (
	"context"
	"net/netip"
	"strings"
)

// spf is RFC 7208 as far as a laboratory's records go: ip4, ip6, include, redirect
// and all. Other mechanisms do not match.
func (tw *Twin) spf(ctx context.Context, peer netip.Addr, domain string, depth int) string {
	record := ""
	txts, err := tw.lookup(ctx, domain)
	if err != nil {
		return "temperror"
	}
	for _, t := range txts {
		if t == "v=spf1" || strings.HasPrefix(strings.ToLower(t), "v=spf1 ") {
			record = t
		}
	}
	if record == "" || depth > 10 {
		return "none"
	}
	redirect := ""
	for _, term := range strings.Fields(record)[1:] {
		if to, ok := strings.CutPrefix(term, "redirect="); ok {
			redirect = to
			continue
		}
		result := "pass"
		if i := strings.IndexByte("+-~?", term[0]); i >= 0 {
			result = []string{"pass", "fail", "softfail", "neutral"}[i]
			term = term[1:]
		}
		if tw.mechanism(ctx, peer, strings.ToLower(term), depth) {
			return result
		}
	}
	if redirect != "" {
		return tw.spf(ctx, peer, redirect, depth+1)
	}
	return "neutral"
}

func (tw *Twin) mechanism(ctx context.Context, peer netip.Addr, term string, depth int) bool {
	name, value, _ := strings.Cut(term, ":")
	switch name {
	case "all":
		return true
	case "ip4", "ip6":
		return inBlocks(peer, []string{value})
	case "include":
		return tw.spf(ctx, peer, value, depth+1) == "pass"
	}
	return false
}

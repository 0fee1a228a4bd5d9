package twin

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"postern/internal/twin/sign"
	"postern/internal/twin/wire"
)

// Auth is what authentication says of a message. In Internet it may be given;
// fields left empty count as none.
type Auth struct {
	SPF        string // "pass", "fail", "softfail", "neutral", "none", "temperror"
	DKIM       string // "pass", "fail", "none"
	DKIMDomain string // d= of the signature that counts
	DKIMReason string // Exchange's words
	DMARC      string // "pass", "fail", "none", "bestguesspass"
	Policy     string // p= of the record; "" without one
	CompAuth   string // "pass", "fail", "softpass", "none"
	Reason     string // "100", "130", "000" ...
	Chain      sign.Chain
	Trusted    bool // every sealer of the chain is trusted ("oda=1")
}

// authenticate looks at a message as it came from a peer.
func (t *Tenant) authenticate(ctx context.Context, env *wire.Envelope, raw []byte) Auth {
	tw, h := t.twin, fields(raw)
	fromDomain := domainOf(h.fromAddress())
	spfDomain := domainOf(env.From)
	if spfDomain == "" {
		spfDomain = strings.ToLower(env.HELO)
	}
	a := Auth{SPF: tw.spf(ctx, env.Peer, spfDomain, 0), DKIM: "none", DKIMReason: "message not signed"}
	aligned := false
	for _, s := range sign.DKIM(ctx, tw.lookup, raw) {
		if a.DKIM != "pass" || s.OK && !aligned && organization(s.Domain) == organization(fromDomain) {
			a.DKIM, a.DKIMDomain, a.DKIMReason = map[bool]string{true: "pass", false: "fail"}[s.OK], s.Domain, s.Reason
		}
		aligned = aligned || s.OK && organization(s.Domain) == organization(fromDomain)
	}
	aligned = aligned || a.SPF == "pass" && organization(spfDomain) == organization(fromDomain)
	a.Policy = tw.dmarcPolicy(ctx, fromDomain)
	switch {
	case a.Policy != "" && aligned:
		a.DMARC = "pass"
	case a.Policy != "":
		a.DMARC = "fail"
	case aligned:
		a.DMARC = "bestguesspass"
	default:
		a.DMARC = "none"
	}
	a.Chain = sign.ARC(ctx, tw.lookup, raw)
	a.Trusted = a.Chain.Status == "pass" && t.trusts(a.Chain.Sealers)
	t.composite(&a, fromDomain)
	return a
}

// complete fills in what an injected Auth leaves open.
func (t *Tenant) complete(a Auth, fromDomain string) Auth {
	for _, p := range []*string{&a.SPF, &a.DKIM, &a.DMARC} {
		if *p == "" {
			*p = "none"
		}
	}
	if a.DKIMReason == "" {
		a.DKIMReason = map[string]string{"pass": "signature was verified", "fail": "body hash did not verify", "none": "message not signed"}[a.DKIM]
	}
	if a.DKIMDomain == "" && a.DKIM != "none" {
		a.DKIMDomain = fromDomain
	}
	if a.Chain.Status == "" {
		a.Chain.Status = "none"
	}
	if a.CompAuth == "" {
		t.composite(&a, fromDomain)
	}
	return a
}

// composite is compauth: DMARC, or the chain of trusted sealers, or a guess.
func (t *Tenant) composite(a *Auth, fromDomain string) {
	_, own := t.accepted(fromDomain)
	switch {
	case a.DMARC == "pass":
		a.CompAuth, a.Reason = "pass", "100"
	case a.Trusted && strings.Contains(a.Chain.Sets[0].Results.Value(), "dmarc=pass"):
		a.CompAuth, a.Reason = "pass", "130"
	case a.DMARC == "bestguesspass":
		a.CompAuth, a.Reason = "pass", "109"
	case own:
		a.CompAuth, a.Reason = "fail", "601"
	case a.DMARC == "fail" && (a.Policy == "reject" || a.Policy == "quarantine"):
		a.CompAuth, a.Reason = "fail", "000"
	default:
		a.CompAuth, a.Reason = "fail", "001"
	}
}

// trusts reports whether every sealer is Microsoft or one of ArcTrustedSealers.
func (t *Tenant) trusts(sealers []string) bool {
	list := strings.Split(t.Objects("ArcConfig")[0].String("ArcTrustedSealers"), ",")
	for _, s := range sealers {
		if s != "microsoft.com" && !listed(append([]string{"microsoft.com"}, list...), s) {
			return false
		}
	}
	return len(sealers) > 0
}

// dmarcPolicy is p= (or sp=) for a domain, "" without a record (RFC 9989).
func (tw *Twin) dmarcPolicy(ctx context.Context, domain string) string {
	for _, name := range []string{domain, organization(domain)} {
		txts, err := tw.lookup(ctx, "_dmarc."+name)
		if err != nil || name == "" {
			continue
		}
		for _, txt := range txts {
			if !strings.HasPrefix(strings.ToLower(txt), "v=dmarc1") {
				continue
			}
			tags := map[string]string{}
			for part := range strings.SplitSeq(txt, ";") {
				k, v, _ := strings.Cut(part, "=")
				tags[strings.ToLower(strings.TrimSpace(k))] = strings.ToLower(strings.TrimSpace(v))
			}
			if sp := tags["sp"]; name != domain && sp != "" {
				return sp
			}
			if tags["p"] == "" {
				return "none"
			}
			return tags["p"]
		}
	}
	return ""
}

func organization(domain string) string {
	if d, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return d
	}
	return domain
}

// ptr is a peer's reverse name.
func (tw *Twin) ptr(peer netip.Addr) string {
	if n := tw.opt.PTR[peer]; n != "" {
		return n
	}
	return "InfoDomainNonexistent"
}

// results is the value of Authentication-Results as Exchange writes it.
func (a Auth) results(peer netip.Addr, mailFrom, headerFrom string) string {
	d := a.DKIMDomain
	if a.DKIM != "pass" {
		d = "none"
	}
	return fmt.Sprintf("spf=%s (sender IP is %s) smtp.mailfrom=%s; dkim=%s (%s) header.d=%s;dmarc=%s action=%s header.from=%s;compauth=%s reason=%s",
		a.SPF, peer, mailFrom, a.DKIM, a.DKIMReason, d, a.DMARC, a.action(), headerFrom, a.CompAuth, a.Reason)
}

// action is what DMARC asks for, as Exchange names it.
func (a Auth) action() string {
	if a.DMARC != "fail" || a.CompAuth == "pass" {
		return "none"
	}
	switch a.Policy {
	case "reject":
		return "oreject"
	case "quarantine":
		return "quarantine"
	}
	return "none"
}

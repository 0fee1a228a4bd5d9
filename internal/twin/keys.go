package twin

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"strings"

	"postern/internal/twin/sign"
)

// newKey makes the signing key when the first signature is due, because that takes
// longer than everything else a new twin does.
func (tw *Twin) newKey() *rsa.PrivateKey {
	if tw.opt.Key != nil {
		return tw.opt.Key
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the system's random source is broken
	}
	return k
}

// arc is the key of Exchange's ARC sets, dkim that of a tenant's domain.
func (tw *Twin) arc() sign.Key {
	return sign.Key{Domain: "microsoft.com", Selector: "arcselector10001", Private: tw.key()}
}

func (tw *Twin) dkim(domain string) sign.Key {
	return sign.Key{Domain: domain, Selector: "selector1", Private: tw.key()}
}

// Records are the DNS TXT records that the twin's own signatures need: its ARC key
// and the DKIM keys of its tenants' domains.
func (tw *Twin) Records() map[string]string {
	name, txt := tw.arc().Record()
	m := map[string]string{name: txt}
	for _, t := range tw.tenants {
		for _, d := range t.Objects("AcceptedDomain") {
			name, txt := tw.dkim(d.String("DomainName")).Record()
			m[name] = txt
		}
	}
	return m
}

// lookup asks the twin's own records first, then the given resolver.
func (tw *Twin) lookup(ctx context.Context, name string) ([]string, error) {
	if txt, ok := tw.Records()[strings.ToLower(name)]; ok {
		return []string{txt}, nil
	}
	if tw.opt.TXT == nil {
		return nil, nil
	}
	return tw.opt.TXT(ctx, strings.TrimSuffix(name, "."))
}

package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	_ "time/tzdata" // recipients' zones, also where the system has none

	"postern/internal/portal"
	"postern/internal/relay/quarantine"
	"postern/internal/relay/quarantine/digest"
)

// recipients builds what serves the people whose mail is held: their pages, and
// the digests that lead to them; nil when they have none.
func (s *server) recipients(p *portal.Portal) (http.Handler, error) {
	if s.o.conf.Recipients.Listen == "" {
		return nil, nil
	}
	letters := &digest.Composer{
		Hostname: s.o.conf.Hostname,
		URL:      strings.TrimSuffix(s.o.conf.Recipients.URL, "/"),
		Signer:   digest.Signer{Keys: []digest.Key{digest.NewKey(s.o.root.Derive("digest link"))}},
	}
	s.digests = &quarantine.Digester{Store: s.o.store, Composer: letters, Post: s.relay.Post, Alarm: s.relay.Alarm, Log: s.log}
	p.Letters, p.Post, p.Asked = letters, s.relay.Post, s.relay.Asked
	return p.Recipients()
}

// check asks for an address that recipients' browsers may be sent to.
func (c RecipientsConfig) check() error {
	if c.Listen == "" {
		if c.URL != "" {
			return errors.New("recipients.url is given without recipients.listen: give the address on which recipients' pages are served, such as 127.0.0.1:8026, or remove both")
		}
		return nil
	}
	u, err := url.Parse(c.URL)
	if c.URL == "" || err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("recipients.url %q is not an address such as https://held.example.com, without a path: recipients' browsers are led there", c.URL)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !local(u.Hostname())) {
		return fmt.Errorf("recipients.url %q is not https: only on this machine itself can it do without", c.URL)
	}
	return nil
}

func local(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.IsLoopback())
}

package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/google/renameio/v2"

	"postern/internal/twin"
)

// twinCmd runs a simulated Exchange tenant, for trying out and for tests.
type twinCmd struct {
	Admin        string            `required:"" help:"Address of login and admin API." placeholder:"ADDR"`
	SMTP         string            `required:"" name:"smtp" help:"Address of the tenant's MX." placeholder:"ADDR"`
	State        string            `help:"File that keeps the tenant's objects." placeholder:"FILE"`
	Resolve      map[string]string `help:"Where a smart host's name leads." placeholder:"HOST=ADDR:PORT"`
	CA           string            `name:"ca" help:"Authorities that connectors trust, besides the twin's own." placeholder:"FILE"`
	CAOut        string            `name:"ca-out" help:"Write the twin's own authority, which its MX's certificate is from, to this file." placeholder:"FILE"`
	Organization string            `default:"contoso.onmicrosoft.com" help:"The tenant's initial domain."`
	Domain       []string          `default:"contoso.example" help:"The tenant's other domains."`
	Mailbox      []string          `default:"ann@contoso.example,bob@contoso.example" help:"Addresses that have a mailbox."`
	Egress       []string          `help:"Local addresses that mail to connectors leaves from." placeholder:"IP"`
	Seen         map[string]string `help:"Peers that count as another address, so that loopback may play the Internet." placeholder:"IP=IP"`
	NoFiltering  bool              `help:"No verdict of Exchange's own on content."`
	Retry        time.Duration     `default:"10s" help:"Between attempts of a deferred message."`
}

func (t *twinCmd) Run(c *console) error {
	o, err := t.options()
	if err != nil {
		return err
	}
	tw, err := twin.New(o)
	if err != nil {
		return err
	}
	defer tw.Close()
	if err := t.load(tw); err != nil {
		return err
	}
	if t.CAOut != "" {
		if err := os.WriteFile(t.CAOut, tw.CAPEM(), 0o644); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", t.Admin)
	if err != nil {
		return explainListen("--admin", t.Admin, err)
	}
	card := tw.Card("http://" + l.Addr().String())
	if err := json.NewEncoder(c.out).Encode(card); err != nil {
		return err
	}
	srv := &http.Server{Handler: tw.Handler(), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(c.ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return t.save(tw)
}

func (t *twinCmd) options() (twin.Options, error) {
	o := twin.Options{
		Tenants:     []twin.TenantOptions{{Organization: t.Organization, Domains: t.Domain, Mailboxes: t.Mailbox}},
		SMTP:        t.SMTP,
		Resolve:     t.Resolve,
		RetryEvery:  t.Retry,
		NoFiltering: t.NoFiltering,
		Seen:        map[netip.Addr]netip.Addr{},
	}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return o, fmt.Errorf("--ca: %w", err)
		}
		o.CAs = x509.NewCertPool()
		if !o.CAs.AppendCertsFromPEM(pem) {
			return o, fmt.Errorf("--ca: %s has no certificate in PEM form", t.CA)
		}
	}
	for _, text := range t.Egress {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return o, usageError(fmt.Sprintf("--egress %q is not an IP address", text))
		}
		o.Egress = append(o.Egress, a)
	}
	for from, as := range t.Seen {
		a, err := netip.ParseAddr(from)
		b, err2 := netip.ParseAddr(as)
		if err = errors.Join(err, err2); err != nil {
			return o, usageError(fmt.Sprintf("--seen %s=%s: both must be IP addresses", from, as))
		}
		o.Seen[a] = b
	}
	return o, nil
}

// load puts the objects of the state file into the tenant.
func (t *twinCmd) load(tw *twin.Twin) error {
	if t.State == "" {
		return nil
	}
	file, err := os.Open(t.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	defer file.Close()
	state, err := twin.ReadState(file)
	if err != nil {
		return fmt.Errorf("--state: %s is not what a twin wrote: %w", t.State, err)
	}
	tw.Tenants()[0].Edit(state)
	return nil
}

func (t *twinCmd) save(tw *twin.Twin) error {
	if t.State == "" {
		return nil
	}
	text, err := json.MarshalIndent(tw.Tenants()[0].State(), "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(t.State, append(text, '\n'), 0o600)
}

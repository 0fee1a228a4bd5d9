package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/deliver"
)

type checkCmd struct {
	Ready bool `help:"Only ask the running relay whether it takes mail; for health checks."`
}

// A point is one thing that check looked at.
type point struct {
	What string `json:"what"`
	OK   bool   `json:"ok"`
	Warn bool   `json:"warning,omitempty"` // worth a look, nothing fails by it
	Text string `json:"text"`
}

// checker gathers points.
type checker struct {
	ctx    context.Context
	conf   *Config
	points []point
}

func (c *checker) good(what, text string, args ...any) {
	c.points = append(c.points, point{what, true, false, fmt.Sprintf(text, args...)})
}

func (c *checker) warn(what, text string, args ...any) {
	c.points = append(c.points, point{what, true, true, fmt.Sprintf(text, args...)})
}

func (c *checker) bad(what, text string, args ...any) {
	c.points = append(c.points, point{what, false, false, fmt.Sprintf(text, args...)})
}

func (v *checkCmd) Run(c *console) error {
	conf, err := loadConfig(c.config)
	if err != nil {
		return err
	}
	if v.Ready {
		return c.ready(conf)
	}
	k := &checker{ctx: c.ctx, conf: conf}
	k.good("configuration", "%s is well-formed", conf.file)
	k.certificate()
	k.ports()
	k.disk()
	k.engines()
	k.store()
	failed := slices.ContainsFunc(k.points, func(p point) bool { return !p.OK })
	if err := c.print(map[string]any{"ok": !failed, "checks": k.points}, func(w io.Writer) {
		for _, p := range k.points {
			mark := "ok  "
			switch {
			case !p.OK:
				mark = "FAIL"
			case p.Warn:
				mark = "warn"
			}
			fmt.Fprintf(w, "%s  %-14s %s\n", mark, p.What, p.Text)
		}
	}); err != nil {
		return err
	}
	if failed {
		return errSilent
	}
	return nil
}

func (c *checker) certificate() {
	t := c.conf.SMTP.TLS
	if t.Cert == "" {
		if t.ACME.Email == "" {
			c.warn("certificate", "none is configured: Exchange hands mail over TLS only")
		} else {
			c.good("certificate", "comes from %s by ACME", orElse(t.ACME.Directory, "Let's Encrypt"))
		}
		return
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		c.bad("certificate", "%s and %s cannot be used: %v", t.Cert, t.Key, err)
		return
	}
	leaf := pair.Leaf
	switch left := time.Until(leaf.NotAfter); {
	case left < 0:
		c.bad("certificate", "ended on %s: renew it", leaf.NotAfter.UTC().Format("2 January 2006"))
	case leaf.VerifyHostname(c.conf.Hostname) != nil:
		c.bad("certificate", "is not for %s but for %s: Exchange checks the name", c.conf.Hostname, strings.Join(leaf.DNSNames, ", "))
	case left < expiryAlarm:
		c.warn("certificate", "ends in %d days, on %s: renew it", int(left.Hours()/24), leaf.NotAfter.UTC().Format("2 January 2006"))
	default:
		c.good("certificate", "for %s, valid until %s", c.conf.Hostname, leaf.NotAfter.UTC().Format("2 January 2006"))
	}
	pool := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		if inter, err := x509.ParseCertificate(der); err == nil {
			pool.AddCert(inter)
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Intermediates: pool, DNSName: c.conf.Hostname}); err != nil {
		c.warn("certificate", "is not issued by an authority this machine trusts (%v); Exchange accepts public authorities only", err)
	}
}

func (c *checker) ports() {
	listens := map[string][]string{"smtp.listen": c.conf.SMTP.Listen, "portal.listen": {c.conf.Portal.Listen}, "recipients.listen": {c.conf.Recipients.Listen}, "metrics.listen": {c.conf.Metrics.Listen}}
	for key, addrs := range listens {
		for _, addr := range addrs {
			if addr == "" {
				continue
			}
			l, err := net.Listen("tcp", addr)
			if err != nil {
				c.portTaken(key, addr, err)
				continue
			}
			l.Close()
			c.good("port", "%s %s is free", key, addr)
		}
	}
}

// portTaken tells a running Postern from another program: the latter is wrong.
func (c *checker) portTaken(key, addr string, err error) {
	if key == "smtp.listen" && c.answersAsPostern(addr) || key != "smtp.listen" && askReady(c.ctx, addr) == nil {
		c.good("port", "%s %s: Postern is running", key, addr)
		return
	}
	c.bad("port", "%s", oneLine(explainListen(key, addr, err)))
}

func (c *checker) answersAsPostern(addr string) bool {
	host, port, _ := net.SplitHostPort(addr)
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "localhost"
	}
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), 3*time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
	buf := make([]byte, 512)
	n, _ := conn.Read(buf)
	return strings.Contains(string(buf[:n]), c.conf.Hostname)
}

func (c *checker) disk() {
	if err := enoughDisk(c.conf.Data); err != nil {
		c.bad("disk", "%s", oneLine(err))
		return
	}
	free, _, err := diskSpace(c.conf.Data)
	if err == nil {
		c.good("disk", "%.1f GiB free in %s", float64(free)/(1<<30), c.conf.Data)
	}
	probe, err := os.CreateTemp(c.conf.Data, ".check-*")
	if err != nil {
		c.bad("data", "%s cannot be written by this user: %v", c.conf.Data, err)
		return
	}
	probe.Close()
	os.Remove(probe.Name())
}

func (c *checker) engines() {
	for _, e := range engines(c.conf) {
		if p, ok := e.(interface{ Ping(context.Context) error }); ok {
			ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
			err := p.Ping(ctx)
			cancel()
			if err != nil {
				c.bad("engine", "%s does not answer: %v", e.Name(), err)
			} else {
				c.good("engine", "%s answers", e.Name())
			}
		}
	}
}

// store opens the store beside a running relay and looks at what is in it.
func (c *checker) store() {
	o, err := openStore(c.ctx, c.conf, slog.New(slog.DiscardHandler))
	if err != nil {
		c.bad("store", "%s", oneLine(err))
		return
	}
	defer o.close()
	if err := o.store.Check(c.ctx); err != nil {
		c.bad("store", "%s", oneLine(err))
	} else {
		c.good("store", "%s is sound", c.conf.Database)
	}
	domains, err := o.store.Domains(c.ctx, "")
	if err != nil {
		c.bad("store", "%s", oneLine(err))
		return
	}
	if len(domains) == 0 {
		c.warn("domains", "there is none yet: postern tenant add NAME, then postern domain add DOMAIN --tenant NAME --mta HOST")
	}
	sender, err := newSender(o, relayOptions{log: slog.New(slog.DiscardHandler)})
	if err != nil {
		c.bad("delivery", "%s", oneLine(err))
		return
	}
	defer sender.Close()
	for _, d := range domains {
		for _, m := range d.MTAs {
			c.mta(sender, d, m)
		}
	}
}

// mta tries the connection to a next hop without sending anything.
func (c *checker) mta(sender *deliver.Sender, d mail.Domain, m mail.MTA) {
	ctx, cancel := context.WithTimeout(c.ctx, 20*time.Second)
	defer cancel()
	for _, step := range sender.Test(ctx, m) {
		if !step.OK {
			c.bad("mta", "%s of %s: %s: %s", m.Address(), d.Name, step.Name, step.Detail)
			return
		}
	}
	c.good("mta", "%s of %s answers, TLS %s", m.Address(), d.Name, m.TLS)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"time"

	"golang.org/x/sys/unix"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/relay"
)

const (
	engineTime  = 5 * time.Second // that an engine has to answer
	oldBackup   = 8 * 24 * time.Hour
	staUnsynced = 0x40 // STA_UNSYNC of adjtimex(2)
)

// parts is how well this installation's own parts are, whoever's mail it is.
func (o *opened) parts(ctx context.Context) []mail.Health {
	list := []mail.Health{o.certificateHealth(), o.portalCertificate(ctx), o.storeHealth(ctx), o.diskHealth(), o.spoolHealth(ctx), o.dnsHealth(ctx)}
	list = append(list, o.engineHealth(ctx)...)
	return append(list, clockHealth(), o.backupHealth(ctx))
}

// parts of a running relay say also whether it takes mail and how its judge is.
func (s *server) parts(ctx context.Context) []mail.Health {
	relay := mail.Health{Name: "relay", Lamp: mail.Green, Title: mail.Say("Relay"), Text: mail.Say("Takes mail.")}
	if err := s.notReady(); err != nil {
		relay.Lamp, relay.Text, relay.Do = mail.Red, mail.Say("Takes no mail: %s.", oneLine(err)), mail.Say("See to the disk and to the log; Exchange keeps the mail and tries again meanwhile.")
	}
	list := append([]mail.Health{relay, s.judgeHealth()}, s.o.parts(ctx)...)
	if s.certs != nil && s.certs.acme != nil {
		if end := s.certs.expires(); !end.IsZero() {
			list[2] = admin.CertificateHealth("smtp-certificate", mail.Say("SMTP certificate"), end, time.Now())
		}
	}
	return list
}

func (s *server) judgeHealth() mail.Health {
	h := mail.Health{Name: "judge", Lamp: mail.Green, Title: mail.Say("Judge"), Text: mail.Say("Its workers run, locked down.")}
	if s.pool == nil {
		h.Lamp, h.Text, h.Do = mail.Red, mail.Say("Judging is switched off: all mail is passed on as it is."), mail.Say("Remove judge.enabled from the configuration and restart.")
		return h
	}
	if w := s.pool.Warnings(); len(w) > 0 {
		h.Lamp, h.Text, h.Do = mail.Amber, mail.Say("Its workers run, but are not fully locked down: %s", w[0]), mail.Say("Run a kernel that has what is missing (operating manual, Before you begin).")
	}
	return h
}

func (o *opened) certificateHealth() mail.Health {
	title := mail.Say("SMTP certificate")
	t := o.conf.SMTP.TLS
	if t.Cert == "" {
		return mail.Health{Name: "smtp-certificate", Lamp: mail.Dark, Title: title, Text: mail.Say("No certificate file is configured.")}
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return mail.Health{Name: "smtp-certificate", Lamp: mail.Red, Title: title, Text: mail.Say("It cannot be read: %s.", oneLine(err)), Do: mail.Say("Correct smtp.tls.cert and smtp.tls.key, or the rights of the files.")}
	}
	return admin.CertificateHealth("smtp-certificate", title, pair.Leaf.NotAfter, time.Now())
}

// portalCertificate looks at the certificate under the portal's public address,
// which is that of the proxy before it.
func (o *opened) portalCertificate(ctx context.Context) mail.Health {
	h := mail.Health{Name: "portal-certificate", Lamp: mail.Dark, Title: mail.Say("Portal certificate"), Text: mail.Say("Not looked at: portal.url is not an https address.")}
	u, err := url.Parse(o.conf.Portal.URL)
	if err != nil || u.Scheme != "https" {
		return h
	}
	ctx, cancel := context.WithTimeout(ctx, engineTime)
	defer cancel()
	d := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // its end is read, nothing is sent
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")))
	if err != nil {
		h.Text, h.Do = mail.Say("Not reached from here: %s.", oneLine(err)), mail.Say("See whether people reach the portal under portal.url.")
		return h
	}
	defer conn.Close()
	leaf := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	h = admin.CertificateHealth(h.Name, h.Title, leaf.NotAfter, time.Now())
	if h.Lamp != mail.Green {
		h.Do = mail.Say("Renew it, or people get warnings in place of the portal.")
	}
	return h
}

func (o *opened) storeHealth(ctx context.Context) mail.Health {
	h := mail.Health{Name: "store", Lamp: mail.Green, Title: mail.Say("Store"), Text: mail.Say("Answers and keeps what is written.")}
	err := o.store.Failed()
	if err == nil {
		_, err = o.store.Generation(ctx)
	}
	if err != nil {
		h.Lamp, h.Text, h.Do = mail.Red, mail.Say("It failed: %s.", oneLine(err)), mail.Say("See to the disk or the database server, then restart Postern.")
	}
	return h
}

func (o *opened) diskHealth() mail.Health {
	h := mail.Health{Name: "disk", Lamp: mail.Green, Title: mail.Say("Disk room")}
	free, total, err := diskSpace(o.conf.Data)
	if err != nil {
		h.Lamp, h.Text = mail.Dark, mail.Say("Not known: %s.", oneLine(err))
		return h
	}
	h.Text = mail.Say("%.1f GiB free.", float64(free)/(1<<30))
	switch reserve := relay.Reserve(total); {
	case free < reserve:
		h.Lamp, h.Do = mail.Red, mail.Say("Make room now: mail is refused for a while until there is.")
	case free < 2*reserve:
		h.Lamp, h.Do = mail.Amber, mail.Say("Make room, or shorten how long held mail is kept.")
	}
	return h
}

func (o *opened) spoolHealth(ctx context.Context) mail.Health {
	h := mail.Health{Name: "spool", Lamp: mail.Green, Title: mail.Say("Spool of large messages"), Text: mail.Say("Answers.")}
	ctx, cancel := context.WithTimeout(ctx, engineTime)
	defer cancel()
	spooled, err := openSpool(ctx, o.conf)
	if err == nil {
		enough := errors.New("one is enough")
		err = spooled.List(ctx, func(mail.ID, time.Time) error { return enough })
		if errors.Is(err, enough) {
			err = nil
		}
	}
	if err != nil {
		h.Lamp, h.Text, h.Do = mail.Red, mail.Say("It does not answer: %s.", oneLine(err)), mail.Say("See to the folder's rights, or to the bucket and its keys.")
	}
	return h
}

func (o *opened) dnsHealth(ctx context.Context) mail.Health {
	h := mail.Health{Name: "dns", Lamp: mail.Green, Title: mail.Say("DNS"), Text: mail.Say("Answers.")}
	ctx, cancel := context.WithTimeout(ctx, engineTime)
	defer cancel()
	_, err := o.resolver.LookupMX(ctx, o.conf.Hostname)
	var missing *net.DNSError
	if err != nil && (!errors.As(err, &missing) || !missing.IsNotFound) {
		h.Lamp, h.Text, h.Do = mail.Red, mail.Say("It does not answer: %s.", oneLine(err)), mail.Say("See to the resolver (dns.server): without it senders cannot be checked and mail servers not found.")
	}
	return h
}

func (o *opened) engineHealth(ctx context.Context) []mail.Health {
	var list []mail.Health
	for _, e := range engines(o.conf) {
		p, ok := e.(interface{ Ping(context.Context) error })
		if !ok {
			continue
		}
		h := mail.Health{Name: e.Name(), Lamp: mail.Green, Title: mail.Say(e.Name()), Text: mail.Say("Answers.")}
		ctx, cancel := context.WithTimeout(ctx, engineTime)
		err := p.Ping(ctx)
		cancel()
		if err != nil {
			h.Lamp, h.Text, h.Do = mail.Red, mail.Say("It does not answer: %s.", oneLine(err)), mail.Say("Start it again: until then mail that it should see is held.")
		}
		list = append(list, h)
	}
	return list
}

// clockHealth asks the kernel whether something keeps its clock right.
func clockHealth() mail.Health {
	h := mail.Health{Name: "clock", Lamp: mail.Green, Title: mail.Say("Clock")}
	var x unix.Timex
	_, err := unix.Adjtimex(&x)
	switch {
	case err != nil:
		h.Lamp, h.Text = mail.Dark, mail.Say("This machine does not say whether its clock is kept right.")
	case x.Status&staUnsynced != 0:
		h.Lamp, h.Text, h.Do = mail.Dark, mail.Say("The kernel does not know of a time service that keeps it right."), mail.Say("Run chrony or systemd-timesyncd here, or on the host if this is a container.")
	default:
		h.Text = mail.Say("Kept right to within %d ms.", x.Maxerror/1000)
		if x.Maxerror > 5_000_000 {
			h.Lamp, h.Do = mail.Amber, mail.Say("See to the time service: signatures and sign-ins depend on the time.")
		}
	}
	return h
}

func (o *opened) backupHealth(ctx context.Context) mail.Health {
	h := mail.Health{Name: "backup", Lamp: mail.Green, Title: mail.Say("Backup")}
	at, err := o.admin().LastBackup(ctx)
	switch {
	case err != nil:
		h.Lamp, h.Text = mail.Dark, mail.Say("Not known: %s.", oneLine(err))
	case at.IsZero():
		h.Lamp, h.Text, h.Do = mail.Dark, mail.Say("None was made with postern backup."), mail.Say("Make one every day, and keep it elsewhere. If another tool does it, nothing is to do.")
	case time.Since(at) > oldBackup:
		h.Lamp, h.Text, h.Do = mail.Amber, mail.Say("The last one was made on %s.", mail.Day(at)), mail.Say("Look why no newer one was made.")
	default:
		h.Text = mail.Say("The last one was made on %s.", mail.Day(at))
	}
	return h
}

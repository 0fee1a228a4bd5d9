package admin

import (
	"time"

	"postern/internal/exchange"
	"postern/internal/exchange/signin"
	"postern/internal/mail"
)

const (
	coverageRed  = 0.9           // share of external mail below which most of it passes by
	coverageGood = 0.99          // as the watch's alarm
	stale        = 3 * time.Hour // after which the watch, which looks every hour, has stopped
	slowProbe    = 10 * time.Minute
	waitAmber    = 15 * time.Minute // that mail waits: about one retry
	waitRed      = 2 * time.Hour
	endAmber     = 21 * 24 * time.Hour // before a certificate ends (product.md M1)
	endRed       = 3 * 24 * time.Hour
	oldKey       = 365 * 24 * time.Hour
	twoKeys      = 7 * 24 * time.Hour // that a rotation may stay unfinished
)

func (f *facts) domainsOn() mail.Health {
	h := mail.Health{Name: "domains", Lamp: mail.Green, Title: mail.Say("Domains"), Text: mail.Say("%d of %d domains enabled", f.enabled, len(f.domains)), Link: "inbound/plan"}
	switch {
	case len(f.domains) == 0:
		h.Lamp, h.Text, h.Do = mail.Red, mail.Say("There is no domain yet"), mail.Say("Add the domain whose mail is to be protected.")
	case f.enabled == 0:
		h.Lamp, h.Do = mail.Red, mail.Say("Enable a domain in Plan Settings.")
	case f.enabled < len(f.domains):
		h.Lamp, h.Do = mail.Amber, mail.Say("Enable the others in Plan Settings, or remove them.")
	}
	return h
}

func (f *facts) coverage() mail.Health {
	h := mail.Health{Name: "coverage", Lamp: mail.Dark, Title: mail.Say("Does all external mail come by here?"), Link: "exchange/verify"}
	c := f.watched.Coverage
	switch {
	case !f.viaRelay():
		h.Text, h.Link = mail.Say("Not measured: mail comes here as to the domain's MX, not from Exchange."), ""
		return h
	case !f.connected:
		h.Text, h.Do, h.Link = mail.Say("Not known: Exchange is not connected."), mail.Say("Connect Exchange, so that its message trace can be compared with what came here."), "exchange"
		return h
	case c == nil:
		h.Text, h.Do, h.Link = mail.Say("Not measured yet."), mail.Say("It is measured every hour; press Measure now to do it at once."), ""
		return h
	case c.Total == 0:
		h.Text = mail.Say("No external mail came in the two hours before %s.", c.To)
		return h
	}
	h.Text = mail.Say("%.1f %% of external mail came by here: %d of %d messages in the two hours before %s.", 100*c.Share(), c.Relayed, c.Total, c.To)
	switch share := c.Share(); {
	case share < coverageRed:
		h.Lamp, h.Do = mail.Red, mail.Say("Verify Exchange: an exception, a switched-off rule or another rule before ours lets mail pass by.")
	case share < coverageGood:
		h.Lamp, h.Do = mail.Amber, mail.Say("Verify Exchange, and look up the missed messages in Exchange's message trace.")
	default:
		h.Lamp = mail.Green
	}
	return h
}

func (f *facts) probe() mail.Health {
	h := mail.Health{Name: "probe", Lamp: mail.Dark, Link: "probe", Title: mail.Say("Does a test message come round?")}
	p := f.watched.Probe
	switch {
	case p == nil:
		h.Text, h.Do = mail.Say("No test message was sent yet."), mail.Say("Set exchange.probe.source in the configuration to an address that Exchange does not know as the relay's; one is sent every hour then.")
	case p.Problem.Format != "":
		h.Lamp, h.Text, h.Do = mail.Red, mail.Say("The one of %s did not come round: %s.", p.At, p.Problem.Sentence), mail.Say("See how far it came. Then verify Exchange; when that is clean, send another.")
	case p.Took > slowProbe:
		h.Lamp, h.Text, h.Do = mail.Amber, mail.Say("The one of %s took %s.", p.At, ago(p.Took)), mail.Say("See below where it waited; often it is a busy queue, here or at Microsoft.")
	case f.now.Sub(p.At) > 24*time.Hour:
		h.Lamp, h.Text, h.Do = mail.Amber, mail.Say("The last one came round on %s; none since.", p.At), mail.Say("Send one now.")
	default:
		h.Lamp, h.Text = mail.Green, mail.Say("The one of %s came round in %s.", p.At, ago(p.Took))
	}
	return h
}

func (f *facts) lastMail() mail.Health {
	h := mail.Health{Name: "last-mail", Lamp: mail.Green, Title: mail.Say("Last mail"), Link: "trace"}
	switch quiet := f.now.Sub(f.last); {
	case f.last.IsZero():
		h.Lamp, h.Text = mail.Dark, mail.Say("None came yet.")
	case quiet > 24*time.Hour && f.enabled > 0:
		h.Lamp, h.Text, h.Do = mail.Amber, mail.Say("None since %s.", f.last), mail.Say("If your domain gets mail every day, verify Exchange: mail may pass by here.")
	default:
		h.Text = mail.Say("Received on %s.", f.last)
	}
	return h
}

func (f *facts) queue() mail.Health {
	h := mail.Health{Name: "queue", Lamp: mail.Green, Title: mail.Say("Queue"), Text: mail.Say("Nothing waits."), Link: "queue"}
	if f.oldest.IsZero() {
		return h
	}
	wait := f.now.Sub(f.oldest)
	h.Text = mail.Say("The oldest message has waited for %s.", ago(wait))
	if wait > waitAmber {
		h.Lamp, h.Do = mail.Amber, mail.Say("See in the queue what the mail server answered; test its connection in Plan Settings.")
	}
	if wait > waitRed {
		h.Lamp = mail.Red
	}
	return h
}

func (f *facts) setUp() mail.Health {
	h := mail.Health{Name: "setup", Lamp: mail.Green, Title: mail.Say("Is Exchange as it was set up?"), Link: "exchange/verify"}
	worst := mail.Green
	n := 0
	for _, d := range f.watched.Drift {
		switch d.Severity {
		case exchange.Critical:
			worst, n = mail.Red, n+1
		case exchange.Warning:
			worst, n = worst.Worse(mail.Amber), n+1
		}
	}
	switch {
	case f.enabled > 0 && !f.viaRelay():
		h.Lamp, h.Text, h.Link = mail.Dark, mail.Say("Not needed: mail comes here as to the domain's MX."), ""
	case !f.isSetUp():
		h.Lamp, h.Text, h.Do, h.Link = mail.Red, mail.Say("Exchange was not set up from here."), mail.Say("Connect Exchange and set up the relay. If you did it by script or by hand, connecting lets Postern check it."), "exchange"
	case f.watched.Verified.IsZero():
		h.Lamp, h.Text, h.Do = mail.Amber, mail.Say("Nobody has verified it yet."), mail.Say("Verify Exchange.")
	case n > 0:
		h.Lamp, h.Text, h.Do = worst, mail.Say("Differences from what was set up: %d (seen on %s).", n, f.watched.Verified), mail.Say("They are listed below. Set up the relay again to mend them; you see every change first.")
	case f.now.Sub(f.watched.Verified) > stale && f.connected:
		h.Lamp, h.Text, h.Do = mail.Amber, mail.Say("As set up, but last verified on %s.", f.watched.Verified), mail.Say("Verify Exchange. If it fails, connect Exchange again.")
	default:
		h.Text = mail.Say("Every field is as it was set up, seen on %s.", f.watched.Verified)
	}
	return h
}

func (f *facts) credential() mail.Health {
	h := mail.Health{Name: "connection", Lamp: mail.Green, Title: mail.Say("Connection to Exchange"), Link: "exchange"}
	c := f.connection
	left := c.EndsAt.Sub(f.now)
	switch {
	case !f.connected:
		h.Lamp, h.Text, h.Do = mail.Amber, mail.Say("Exchange is not connected: nobody sees whether it stays as it was set up."), mail.Say("Connect Exchange.")
		if !f.viaRelay() {
			h.Lamp = mail.Dark
		}
	case !c.EndsAt.IsZero() && left < 0:
		h.Lamp, h.Text, h.Do = mail.Red, mail.Say("The app's certificate ended on %s.", mail.Day(c.EndsAt)), mail.Say("Upload a new certificate to the app registration at Microsoft, then connect again with it.")
	case f.watched.Problem.Format != "":
		h.Lamp, h.Text, h.Do = mail.Red, mail.Say("Exchange did not let us look on %s: %s.", f.watched.At, f.watched.Problem.Sentence), mail.Say("The sign-in may have been revoked or its secret ended. Disconnect, then connect again.")
	case !c.EndsAt.IsZero() && left < endAmber:
		h.Lamp, h.Text, h.Do = mail.Amber, mail.Say("The app's certificate ends on %s.", mail.Day(c.EndsAt)), mail.Say("Upload a new certificate to the app registration at Microsoft, then connect again with it.")
	case !c.EndsAt.IsZero():
		h.Text = mail.Say("Connected to %s; the app's certificate ends on %s.", c.Organization, mail.Day(c.EndsAt))
	case c.Kind == signin.Secret:
		h.Text = mail.Say("Connected to %s with a client secret. Microsoft does not tell when it ends: note it, a secret lasts two years at most.", c.Organization)
	default:
		h.Text = mail.Say("Connected to %s.", c.Organization)
	}
	return h
}

func (f *facts) key() mail.Health {
	h := mail.Health{Name: "relay-key", Lamp: mail.Green, Title: mail.Say("Relay key"), Link: "inbound/plan"}
	if len(f.keys) == 0 {
		h.Lamp, h.Text = mail.Dark, mail.Say("There is none yet; enabling a domain makes it.")
		if f.viaRelay() {
			h.Lamp, h.Text, h.Do = mail.Red, mail.Say("There is no valid relay key: mail from Exchange is held."), mail.Say("Rotate the key in Plan Settings and set up Exchange again.")
		}
		return h
	}
	newest := f.keys[len(f.keys)-1]
	age := int(f.now.Sub(newest.CreatedAt).Hours() / 24)
	seen := time.Time{}
	for _, k := range f.keys {
		if k.SeenAt.After(seen) {
			seen = k.SeenAt
		}
	}
	h.Text = mail.Say("Made on %s, last used on %s.", mail.Day(newest.CreatedAt), mail.Day(seen))
	switch {
	case seen.IsZero():
		h.Lamp, h.Text = mail.Dark, mail.Say("Made on %s, never used yet.", mail.Day(newest.CreatedAt))
	case len(f.keys) > 1 && f.now.Sub(newest.CreatedAt) > twoKeys:
		h.Lamp, h.Text, h.Do = mail.Amber, mail.Say("Two keys have been valid for %d days: a rotation is not finished.", age), mail.Say("Set up Exchange again so that it sends the new key, then retire the old one.")
	case f.now.Sub(newest.CreatedAt) > oldKey:
		h.Lamp, h.Do = mail.Amber, mail.Say("Rotate it in Plan Settings: a key should not serve for more than a year.")
	}
	return h
}

// CertificateHealth judges the end of a certificate of this installation.
func CertificateHealth(name string, title mail.Sentence, ends, now time.Time) mail.Health {
	h := mail.Health{Name: name, Lamp: mail.Green, Title: title, Text: mail.Say("Valid until %s.", mail.Day(ends))}
	renew := mail.Say("Renew it: Exchange hands over no mail without a valid one.")
	switch left := ends.Sub(now); {
	case left < 0:
		h.Lamp, h.Text, h.Do = mail.Red, mail.Say("Ended on %s.", mail.Day(ends)), renew
	case left < endRed:
		h.Lamp, h.Do = mail.Red, renew
	case left < endAmber:
		h.Lamp, h.Do = mail.Amber, renew
	}
	return h
}

package portal

import (
	"strings"

	"postern/internal/mail"
)

// A claim is what one method of authentication says, in a sentence.
type claim struct {
	Name string // "SPF"
	Kind string // "good", "bad", "warn" or "plain"
	Text string
	More string // in the method's own words
}

// claims tell what authentication found, for people who never read an RFC.
func claims(t func(string, ...any) string, a *mail.Auth) []claim {
	list := []claim{spfClaim(t, a)}
	for _, d := range a.DKIM {
		list = append(list, dkimClaim(t, d))
	}
	if len(a.DKIM) == 0 {
		list = append(list, claim{"DKIM", "plain", t("Nobody signed it."), ""})
	}
	list = append(list, dmarcClaim(t, a.DMARC))
	if len(a.ARC.Sealers) > 0 {
		c := claim{"ARC", "plain", t("It was passed on by %s, who vouch for what they saw.", strings.Join(a.ARC.Sealers, ", ")), a.ARC.Reason}
		if a.ARC.Result != mail.ResultPass {
			c.Kind, c.Text = "warn", t("It says that it was passed on by %s, but the proof does not hold.", strings.Join(a.ARC.Sealers, ", "))
		}
		list = append(list, c)
	}
	if x := a.Exchange; x != nil {
		list = append(list, claim{"Microsoft", "plain", t("Microsoft's own check came to: %s.", strings.TrimSpace(x.CompAuth+" "+x.Category)), strings.TrimSpace("SCL " + x.SCL)})
	}
	return list
}

func spfClaim(t func(string, ...any) string, a *mail.Auth) claim {
	c := claim{Name: "SPF", Kind: "plain", More: a.SPF.Reason}
	domain, server := a.SPF.Domain, "?"
	if a.Origin.IP.IsValid() {
		server = a.Origin.IP.String()
	}
	switch a.SPF.Result {
	case mail.ResultPass:
		c.Kind, c.Text = "good", t("%s lets the server %s send in its name.", domain, server)
	case mail.ResultFail:
		c.Kind, c.Text = "bad", t("%s says that the server %s must not send in its name.", domain, server)
	case mail.ResultSoftFail:
		c.Kind, c.Text = "warn", t("%s doubts that the server %s may send in its name.", domain, server)
	case mail.ResultTempError:
		c.Kind, c.Text = "warn", t("DNS did not answer for %s, so nobody knows which servers may send in its name.", domain)
	case mail.ResultPermError:
		c.Kind, c.Text = "warn", t("%s lists its servers in a way that cannot be read.", domain)
	default:
		c.Text = t("%s does not say which servers may send in its name.", domain)
	}
	return c
}

func dkimClaim(t func(string, ...any) string, d mail.DKIM) claim {
	c := claim{Name: "DKIM", Kind: "plain", More: d.Reason}
	switch d.Result {
	case mail.ResultPass:
		c.Kind, c.Text = "good", t("%s signed it, and nothing signed was changed since.", d.Domain)
	case mail.ResultFail:
		c.Kind, c.Text = "bad", t("It bears a signature of %s that does not hold: it was changed on its way, or forged.", d.Domain)
	case mail.ResultPolicy:
		c.Kind, c.Text = "warn", t("The signature of %s is too weak to count.", d.Domain)
	case mail.ResultTempError:
		c.Kind, c.Text = "warn", t("DNS did not answer for %s, so its signature could not be checked.", d.Domain)
	default:
		c.Kind, c.Text = "warn", t("The signature of %s cannot be checked.", d.Domain)
	}
	return c
}

func dmarcClaim(t func(string, ...any) string, d mail.DMARC) claim {
	c := claim{Name: "DMARC", Kind: "plain", More: d.Reason}
	switch d.Result {
	case mail.ResultPass:
		c.Kind, c.Text = "good", t("It is proved to come from %s, the domain in its From field.", d.Domain)
	case mail.ResultFail:
		c.Kind, c.Text = "bad", t("Nothing proves that it comes from %s, the domain in its From field.", d.Domain)
		switch d.Policy {
		case "reject":
			c.Text += " " + t("Its owner asks everybody to refuse such mail.")
		case "quarantine":
			c.Text += " " + t("Its owner asks everybody to treat such mail as suspicious.")
		}
	case mail.ResultTempError:
		c.Kind, c.Text = "warn", t("DNS did not answer for %s, so nobody knows what its owner asks for.", d.Domain)
	case mail.ResultNone:
		c.Text = t("%s does not say how to recognise mail in its name.", d.Domain)
	default:
		c.Kind, c.Text = "warn", t("What %s says of mail in its name cannot be read.", d.Domain)
	}
	if d.Domain == "" {
		c.Kind, c.Text = "warn", t("Its From field does not name one author that could be checked.")
	}
	return c
}

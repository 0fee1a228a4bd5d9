package lookalike

import (
	"fmt"
	"strings"
	"sync"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// brands are names that phishing borrows most (public reports of 2023 to 2025),
// with the domains their mail comes from. The first domain is the one that
// look-alikes are compared with. A name stands for itself under any top-level
// domain too.
var brands = []struct {
	name    string // as scan.Fold gives it; several words are found as they stand
	domains string
}{
	{"microsoft", "microsoft.com microsoftonline.com office.com office365.com live.com outlook.com sharepoint.com azure.com msn.com hotmail.com onmicrosoft.com windows.com skype.com xbox.com linkedin.com github.com"},
	{"office 365", "microsoft.com office.com office365.com sharepoint.com onmicrosoft.com"},
	{"microsoft 365", "microsoft.com office.com office365.com sharepoint.com onmicrosoft.com"},
	{"onedrive", "onedrive.com microsoft.com sharepoint.com live.com sharepointonline.com"},
	{"sharepoint", "sharepoint.com microsoft.com sharepointonline.com onmicrosoft.com"},
	{"paypal", "paypal.com paypal-communication.com paypalobjects.com"},
	{"netflix", "netflix.com netflix.net"},
	{"amazon", "amazon.com amazonaws.com amazonses.com amazon.de amazon.co.uk audible.com primevideo.com"},
	{"docusign", "docusign.com docusign.net"},
	{"adobe", "adobe.com adobesign.com echosign.com"},
	{"dropbox", "dropbox.com dropboxmail.com"},
	{"facebook", "facebook.com facebookmail.com meta.com"},
	{"instagram", "instagram.com facebookmail.com meta.com"},
	{"whatsapp", "whatsapp.com whatsapp.net facebookmail.com"},
	{"linkedin", "linkedin.com lnkd.in"},
	{"coinbase", "coinbase.com"},
	{"binance", "binance.com"},
	{"metamask", "metamask.io consensys.net"},
	{"trust wallet", "trustwallet.com"},
	{"ledger", "ledger.com ledger.fr"},
	{"blockchain.com", "blockchain.com"},
	{"dhl", "dhl.com dhl.de deutschepost.de"},
	{"fedex", "fedex.com"},
	{"usps", "usps.com usps.gov"},
	{"hermes paket", "myhermes.de hermesworld.com"},
	{"royal mail", "royalmail.com"},
	{"wells fargo", "wellsfargo.com"},
	{"bank of america", "bankofamerica.com bofa.com"},
	{"american express", "americanexpress.com aexp.com"},
	{"chase bank", "chase.com jpmorgan.com"},
	{"hsbc", "hsbc.com"},
	{"sparkasse", "sparkasse.de"},
	{"volksbank", "volksbank.de vr.de"},
	{"commerzbank", "commerzbank.de commerzbank.com"},
	{"deutsche bank", "deutsche-bank.de db.com"},
	{"postbank", "postbank.de"},
	{"ionos", "ionos.de ionos.com 1und1.de"},
	{"bradesco", "bradesco.com.br"},
	{"itau", "itau.com.br"},
	{"banco do brasil", "bb.com.br"},
	{"santander", "santander.com"},
	{"bbva", "bbva.com bbva.es"},
	{"credit agricole", "credit-agricole.fr"},
	{"la banque postale", "labanquepostale.fr"},
	{"societe generale", "societegenerale.fr"},
	{"mcafee", "mcafee.com"},
	{"norton", "norton.com nortonlifelock.com gendigital.com"},
	{"geek squad", "geeksquad.com bestbuy.com"},
	{"costco", "costco.com"},
	{"walmart", "walmart.com"},
	{"home depot", "homedepot.com"},
	{"lowe's", "lowes.com"},
	{"ace hardware", "acehardware.com"},
	{"harbor freight", "harborfreight.com"},
	{"sam's club", "samsclub.com"},
	{"spotify", "spotify.com"},
	{"disney+", "disneyplus.com disney.com"},
	{"steam support", "steampowered.com"},
	{"apple id", "apple.com icloud.com"},
	{"icloud", "apple.com icloud.com me.com"},
	{"godaddy", "godaddy.com secureserver.net"},
	{"intuit", "intuit.com quickbooks.com"},
	{"quickbooks", "intuit.com quickbooks.com"},
	{"stripe", "stripe.com"},
	{"wetransfer", "wetransfer.com"},
	{"zoom video", "zoom.us zoom.com"},
}

// brandTargets are brands whose domains look-alikes are searched for: one word, long
// and unusual enough that other honest names are not near it.
var brandTargets = sync.OnceValue(func() []target {
	var out []target
	for _, b := range brands {
		first, _, _ := strings.Cut(b.domains, " ")
		if t := newTarget(first); len(t.name) >= 6 && t.name == b.name {
			t.brand = true
			out = append(out, t)
		}
	}
	return out
})

var brandNames = sync.OnceValue(func() map[string]bool {
	m := make(map[string]bool)
	for _, b := range brands {
		for d := range strings.FieldsSeq(b.domains) {
			m[label(scan.Organization(d))] = true
		}
	}
	return m
})

func isBrandName(name string) bool { return brandNames()[name] }

// brand is a display name that is a brand's, with an address that is not. A
// message that is authenticated for a domain with the brand's name in it, and
// mail of the tenant itself, is left alone.
func brand(msg *mail.Message, about scan.About) (mail.Finding, bool) {
	if len(msg.From) == 0 || msg.From[0].Name == "" {
		return mail.Finding{}, false
	}
	domain := mail.DomainOf(msg.From[0].Addr)
	if domain == "" || scan.Within(domain, about.Domains) || scan.Within(domain, about.Protected) {
		return mail.Finding{}, false
	}
	name := plainName(msg.From[0].Name)
	if strings.Contains(name, " via ") || strings.Contains(name, " at ") || strings.Contains(name, " from ") || strings.Contains(name, "(") {
		return mail.Finding{}, false
	}
	own := label(scan.Organization(domain))
	for _, b := range brands {
		if !leads(name, b.name) || isBrandName(own) || strings.Contains(own, strings.ReplaceAll(b.name, " ", "")) {
			continue
		}
		score := 50
		if shared[scan.Organization(domain)] {
			score = 25
		}
		return mail.Finding{
			Rule: "lookalike.brand", Class: mail.Phish, Score: score, Where: "From",
			Detail: fmt.Sprintf("It is signed as %s, but comes from %s, which is not known to belong to that company.", scan.Quote(msg.From[0].Name), domain),
		}, true
	}
	return mail.Finding{}, false
}

// shared are services that send in the name of their customers.
var shared = map[string]bool{
	"sendgrid.net": true, "amazonses.com": true, "mailchimpapp.net": true, "mcsv.net": true, "rsgsv.net": true, "mandrillapp.com": true, "mailgun.org": true, "mailgun.net": true,
	"sparkpostmail.com": true, "hubspotemail.net": true, "sendinblue.com": true, "brevosend.com": true, "exacttarget.com": true, "salesforce.com": true, "zendesk.com": true, "freshdesk.com": true,
	"constantcontact.com": true, "klaviyomail.com": true, "cmail19.com": true, "cmail20.com": true, "createsend.com": true, "mktomail.com": true, "intercom-mail.com": true, "shopifyemail.com": true,
}

// plainName is a display name with look-alike letters and separators taken off.
func plainName(s string) string {
	var b strings.Builder
	for _, r := range s {
		if to, ok := looks()[r]; ok && r >= 0x80 {
			b.WriteString(to)
			continue
		}
		b.WriteRune(r)
	}
	return scan.Fold(strings.NewReplacer("_", " ", "\"", "", "|", " ", "®", "", "™", "").Replace(b.String()))
}

// leads reports whether a display name begins with a brand, as "PayPal Service"
// does and "Ann Smith, PayPal" does not.
func leads(name, brand string) bool {
	rest, ok := strings.CutPrefix(name, brand)
	if !ok {
		rest, ok = strings.CutPrefix(name, "your "+brand)
	}
	if !ok {
		rest, ok = strings.CutPrefix(name, "the "+brand)
	}
	return ok && (rest == "" || !isLetter(rest[0]))
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

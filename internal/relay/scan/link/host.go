package link

import (
	"encoding/base64"
	"net/url"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

func set(words string) map[string]bool {
	m := make(map[string]bool)
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// shorteners give any address a short one that does not tell where it leads.
var shorteners = set(`bit.ly tinyurl.com t.ly is.gd v.gd ow.ly buff.ly rebrand.ly cutt.ly shorturl.at rb.gy tiny.cc s.id bl.ink short.io t2m.io
	goo.gl qrco.de qr.codes l.ead.me me-qr.com urlz.fr shorte.st adf.ly tr.im x.co soo.gd clck.ru vk.cc u.to n9.cl acortar.link kutt.it lnk.bio linktr.ee shrtco.de 2no.co surl.li surli.cc da.gd chilp.it han.gl tiny.pl dub.sh snip.ly t.me`)

// hosting are places where anybody can put a page within minutes and for
// nothing.
var hosting = []string{
	"web.app", "firebaseapp.com", "pages.dev", "workers.dev", "r2.dev", "netlify.app", "vercel.app", "weebly.com", "weeblysite.com", "wixsite.com", "wixstudio.com", "blogspot.com", "glitch.me", "github.io", "gitlab.io",
	"herokuapp.com", "azurewebsites.net", "web.core.windows.net", "blob.core.windows.net", "azureedge.net", "azurefd.net", "cloudapp.azure.com", "storage.googleapis.com", "storage.cloud.google.com", "appspot.com", "run.app", "s3.amazonaws.com", "amplifyapp.com", "on.aws",
	"sites.google.com", "script.google.com", "forms.gle", "ngrok.io", "ngrok.app", "ngrok-free.app", "trycloudflare.com", "cloudflare-ipfs.com", "ipfs.io", "dweb.link", "fleek.co", "4everland.app", "000webhostapp.com", "duckdns.org", "repl.co", "replit.app", "surge.sh", "onrender.com", "webflow.io", "square.site",
	"godaddysites.com", "notion.site", "canva.site", "yolasite.com", "mystrikingly.com", "jimdosite.com", "site123.me", "ukit.me", "framer.app", "framer.website", "softr.app", "bubbleapps.io", "gitbook.io", "typedream.app", "carrd.co", "myportfolio.com", "backblazeb2.com", "digitaloceanspaces.com", "ondigitalocean.app", "linodeobjects.com", "wasabisys.com", "translate.goog", "lovable.app", "durable.co", "zapto.org", "hopto.org", "ddns.net", "myftp.org", "serveo.net", "loca.lt",
}

// cheap are top-level domains in which far more mischief than honest mail lives.
var cheap = set(`top xyz icu click buzz cyou rest sbs cfd bond monster quest autos beauty hair makeup lol mom pics skin boats yachts motorcycles homes
	gq cf ga ml tk cam work support loan win bid trade date stream download racing review party science accountant cricket faith men gdn kim surf monster zip mov`)

// host judges the place a link leads to.
func (j *judge) host(t scan.Target, l mail.Link) {
	if l.Kind != "href" && l.Kind != "text" && l.Kind != "qr" && l.Kind != "refresh" && l.Kind != "form" {
		return
	}
	org := scan.Organization(t.Host)
	switch {
	case shorteners[org] || shorteners[t.Host]:
		score := 10
		if j.bait() {
			score = 20
		}
		j.add("shortener", mail.Phish, score, l.Path, "A link goes through %s, which hides where it leads.", t.Host)
	case hosted(t):
		score := 15
		if j.bait() {
			score = 40
		}
		j.add("hosting", mail.Phish, score, l.Path, "A link leads to %s, where anybody can put a page.", t.Host)
	}
	if i := strings.LastIndexByte(t.Host, '.'); i > 0 && cheap[t.Host[i+1:]] {
		score := 15
		if j.bait() {
			score = 25
		}
		j.add("cheap", mail.Spam, score, l.Path, "A link leads to %s, under an ending that is used for mischief more than for anything else.", t.Host)
	}
	if org != j.org && lure(t) && j.bait() {
		j.add("lure", mail.Phish, 10, l.Path, "A link to %s is worded like a sign-in page.", t.Host)
	}
}

func hosted(t scan.Target) bool {
	for _, h := range hosting {
		if scan.Below(t.Host, h) {
			return true
		}
	}
	return t.Host == "docs.google.com" && strings.HasPrefix(t.Path, "/forms") || strings.HasSuffix(t.Host, ".amazonaws.com") && strings.Contains(t.Host, "s3")
}

// lure reports whether host or path speak of signing in.
func lure(t scan.Target) bool {
	low := strings.ToLower(t.Host + t.Path)
	for _, w := range []string{"login", "signin", "sign-in", "verif", "webmail", "account", "secure", "password", "unlock", "wallet", "office365", "confirm", "wp-includes", "wp-content", "wp-admin", "/owa"} {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}

// redirectors are services that send any visitor on, by host, with the query
// parameter that names the target, "" where it stands in the path.
var redirectors = []struct{ host, path, param string }{
	{"google.com", "/url", "q"}, {"google.com", "/url", "url"}, {"google.com", "/amp/s/", ""}, {"google.com", "/amp/", ""}, {"google.com", "/travel/clk", "pcurl"},
	{"bing.com", "/ck/a", "u"}, {"youtube.com", "/redirect", "q"}, {"l.facebook.com", "/l.php", "u"}, {"lm.facebook.com", "/l.php", "u"}, {"l.instagram.com", "/", "u"},
	{"doubleclick.net", "/", "adurl"}, {"googleadservices.com", "/", "adurl"}, {"vk.com", "/away.php", "to"}, {"linkedin.com", "/redir/redirect", "url"}, {"linkedin.com", "/slink", "url"},
	{"googleapis.com", "/", "url"}, {"baidu.com", "/link", "url"}, {"slack-redir.net", "/link", "url"}, {"steamcommunity.com", "/linkfilter/", "url"}, {"medium.com", "/r/", "url"},
}

// protectors wrap links to check them when they are clicked; being wrapped says
// nothing.
var protectors = []struct{ host, param string }{
	{"safelinks.protection.outlook.com", "url"}, {"urldefense.proofpoint.com", "u"}, {"urldefense.com", ""}, {"linkprotect.cudasvc.com", "a"}, {"protect-us.mimecast.com", "domain"}, {"url.emailprotection.link", "b"}, {"secure-web.cisco.com", ""},
}

// unwrap is the address that t leads on to, and whether that is a protection
// service's doing.
func unwrap(t scan.Target) (inner string, protector bool) {
	for _, p := range protectors {
		if !scan.Below(t.Host, p.host) {
			continue
		}
		if p.param != "" {
			v := param(t.Query, p.param)
			if p.host == "urldefense.proofpoint.com" {
				v, _ = url.QueryUnescape(strings.NewReplacer("-", "%", "_", "/").Replace(v))
			}
			return v, true
		}
		if i := strings.Index(t.Path, "http"); i >= 0 {
			return strings.Replace(t.Path[i:], "__;", "", 1), true
		}
		return "", true
	}
	for _, r := range redirectors {
		if !scan.Below(t.Host, r.host) && !(r.host == "google.com" && strings.HasPrefix(scan.Organization(t.Host), "google.")) || !strings.HasPrefix(t.Path, r.path) {
			continue
		}
		if r.param == "" {
			if rest := strings.TrimPrefix(t.Path, r.path); strings.Contains(rest, ".") {
				return "https://" + strings.TrimPrefix(strings.TrimPrefix(rest, "https://"), "http://"), false
			}
			continue
		}
		if v := param(t.Query, r.param); strings.Contains(v, ".") {
			if !strings.Contains(v, "://") {
				v = "https://" + v
			}
			return v, false
		} else if dec, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(v, "a1")); err == nil && strings.HasPrefix(string(dec), "http") {
			return string(dec), false // Bing
		}
	}
	return "", false
}

func param(query, name string) string {
	v, err := url.ParseQuery(query)
	if err != nil && len(v) == 0 {
		return ""
	}
	return v.Get(name)
}

func base64Of(s string) string {
	return strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "=")
}

// redirect judges a detour through a large site's redirector.
func (j *judge) redirect(t scan.Target, inner string, l mail.Link) {
	in, ok := scan.ParseTarget(inner)
	if !ok || scan.Organization(in.Host) == scan.Organization(t.Host) || scan.Organization(in.Host) == j.org {
		return
	}
	score := 20
	if j.bait() {
		score = 40
	}
	if j.msg.Bulk {
		score = 10
	}
	j.add("redirect", mail.Phish, score, l.Path, "A link goes through %s only to lead on to %s.", t.Host, in.Host)
}

// askWords are what phishing asks for, in pairs that stand for an act and its
// object, as scan.Fold gives them.
var askWords = []string{
	"verify your", "verify account", "confirm your", "update your", "validate your", "your account", "your password", "sign in", "log in", "login", "password expire", "mailbox", "suspended", "unusual activity", "unusual sign", "payment method", "review document", "view document", "shared document", "voicemail", "voice message", "re-authenticate", "authenticator", "e-signature", "security alert", "deactivat", "quarantin", "seed phrase", "wallet",
	"ihr konto", "bestatigen sie", "passwort", "anmelden", "votre compte", "mot de passe", "verifiez", "confirmez", "su cuenta", "contrasena", "verifique", "sua conta", "sua senha",
}

// asks reports whether the text asks its reader to sign in or confirm something.
func asks(folded string) bool {
	folded = folded[:min(len(folded), 16<<10)]
	for _, w := range askWords {
		if strings.Contains(folded, w) {
			return true
		}
	}
	return false
}

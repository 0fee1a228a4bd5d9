package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/portal"
	"postern/internal/providertest"
	"postern/internal/store"
)

// noPages are what can be opened and is no page, with the reason.
var noPages = map[string]string{
	"/{$}":                                   "leads to the overview, the tenants or the account",
	"/sign-in/provider":                      "leads to the provider",
	"/brand/{tenant}/{id}/{file}":            "a tenant's logo and colours",
	"/t/{tenant}/mail/{id}/preview":          "the frame within a message's page",
	"/t/{tenant}/inbound/recipients/preview": "the frame within the recipients' page",
	"/t/{tenant}/reports/report.csv":         "a table to save",
	"/t/{tenant}/exchange/script/live":       "a stream",
	"/t/{tenant}/exchange/live":              "a stream",
	"/t/{tenant}/probe/live":                 "a stream",
	"template onward":                        "goes on by itself",
}

// TestEveryPage looks at every page there is, as people see it: light and dark, on a
// phone and on a wide screen, with data and without. A route or a template that it
// does not come to fails it. e2e/pages.sh is the command for it.
func TestEveryPage(t *testing.T) {
	g := newGallery(t)
	g.room("first run", func(t *testing.T) {
		w, b := portalWorld(t)
		g.open(b, "setup", "/")
		firstRun(&newcomer{browser: b, gallery: g}, w)
	})
	g.room("empty", g.emptyPages)
	g.room("mail", g.mailPages)
	g.room("draft", g.draftPages)
	g.room("busy", g.busyPages)
	g.room("status", func(t *testing.T) { protectionStatus(t, g) })
	g.room("exchange", g.exchangePages)
	g.room("plan settings", func(t *testing.T) { popUps(t, g) })
	g.room("probe", func(t *testing.T) { missingProbe(t, g) })
	g.room("signing in", g.signInPages)
	g.room("recipients", g.recipientsPages)
	g.index()
	t.Logf("%d pages, %d pictures", len(g.names), len(g.names)*len(looks))
	if g.closed > 0 || g.only.String() != "" {
		return // not all was to be seen
	}
	templates, err := filepath.Glob("../../internal/portal/templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, file := range templates {
		if name := strings.TrimSuffix(filepath.Base(file), ".html"); name != "layout" && !strings.HasPrefix(name, "parts") {
			all = append(all, "template "+name)
		}
	}
	pages, own := new(portal.Portal).Pages()
	all = append(all, pages...)
	for _, path := range own {
		all = append(all, "recipients' "+path)
	}
	for _, page := range all {
		if !g.seen[page] && noPages[page] == "" {
			t.Errorf("nobody looked at %s: add it to TestEveryPage", page)
		}
	}
}

// emptyPages are the pages of a tenant for which nothing has happened yet.
func (g *gallery) emptyPages(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	if _, err := w.opened.admin().AddTenant(t.Context(), "Empty"); err != nil {
		t.Fatal(err)
	}
	b.expects("status of 409") // nothing to plan and verify yet
	for _, page := range [][2]string{{"overview", ""}, {"status", "status"}, {"quarantine", "quarantine"}, {"requests", "requests"}, {"trace", "trace"}, {"queue", "queue"}, {"verdict-reports", "verdict-reports"}, {"reports", "reports"},
		{"report-schedule", "reports/schedule"}, {"plan", "inbound/plan"}, {"recipients", "inbound/recipients"}, {"policies", "policies"}, {"draft", "draft"}, {"senders", "senders"}, {"people", "people"}, {"retention", "retention"},
		{"notifications", "notifications"}, {"exchange", "exchange"}, {"exchange-plan", "exchange/plan"}, {"verify", "exchange/verify"}, {"protection", "exchange/protection"}, {"run", "exchange/run"}, {"script", "exchange/script"}, {"guide", "exchange/guide"}, {"probe", "probe"}, {"audit", "audit"}, {"look", "look"}} {
		g.open(b, page[0]+"-empty", "/t/empty/"+page[1])
	}
	for _, page := range [][2]string{{"tokens", "/tokens"}, {"approvals", "/approvals"}, {"provider", "/provider"}, {"users", "/users"}} {
		g.open(b, page[0]+"-empty", page[1])
	}
	g.open(b, "trace-nothing-found", "/t/empty/trace?q=nobody")
	b.expects("status of 404")
	g.open(b, "missing", "/nowhere")
}

// mailPages are the pages of a tenant whose mail flows, and all that is done with
// held mail.
func (g *gallery) mailPages(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	if err := w.setUp(t.Context(), &demoReport{out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	held := w.sendUntilHeld(t)
	w.choosePolicies(t)
	w.counted(t)
	w.queued(t, func() { g.open(b, "queue", "/t/contoso/queue") })
	if _, err := newExchange(w.opened, nil).RotateKey(t.Context(), "contoso"); err != nil {
		t.Fatal(err)
	}
	delivered, err := w.opened.store.Trace(t.Context(), store.TraceFilter{Tenant: "contoso", State: mail.Delivered, Limit: 1})
	if err != nil || len(delivered) == 0 {
		t.Fatalf("nothing was delivered: %v", err)
	}
	for _, page := range [][2]string{{"overview", ""}, {"overview-week", "?plot=week"}, {"quarantine", "quarantine"}, {"quarantine-searched", "quarantine?q=verdict%3Aphish+from%3Abank&days=7"}, {"quarantine-mistyped", "quarantine?q=verdict%3Anothing"},
		{"trace", "trace"}, {"trace-open", "trace?state=delivered&verdict=clean"}, {"reports", "reports?days=7"}, {"report-schedule", "reports/schedule"},
		{"message-delivered", "mail/" + copyID(delivered[0].ID, delivered[0].N)}, {"plan", "inbound/plan"}, {"plan-edit", "inbound/plan?edit=" + demoDomain},
		{"enable", "inbound/domain/" + demoDomain + "/enable"}, {"disable", "inbound/domain/" + demoDomain + "/disable"},
		{"thresholds", "policies"}, {"thresholds-moved", "policies?at=group:Finance&shown=yes&n-spam=120&a-spam=hold&own-spam=on&n-phish=180&a-phish=hold&own-phish=on&class=phish"}, {"thresholds-person", "policies?at=ann@contoso.com"},
		{"people", "people"}, {"retention", "retention"}, {"notifications", "notifications"}, {"senders", "senders"}, {"audit-tenant", "audit"}, {"look", "look"}} {
		g.open(b, page[0], "/t/contoso/"+page[1])
	}
	b.open("/t/contoso/policies?at=group:Finance&shown=yes&n-phish=180&a-phish=hold&own-phish=on&class=phish")
	b.press("Save…")
	g.see(b, "policy-confirm")
	for _, page := range [][2]string{{"account", "/account"}, {"tenants", "/tenants"}, {"tenant", "/tenants/contoso"}, {"audit", "/audit"}, {"audit-checked", "/audit?check=yes"}, {"design", "/design"}, {"api", "/api/"}} {
		g.open(b, page[0], page[1])
	}
	g.reportPages(t, b)
	b.heldStates(w, held, func(name string) { g.see(b, name) })
	b.open("/t/contoso/quarantine")
	b.expects("status of 403")
	b.expects("status of 500")
	b.until(`(() => { const f = document.createElement("form"); f.method = "post"; f.action = "/t/contoso/policies"; document.body.append(f); f.submit(); return true })()`)
	b.sees("This form is too old")
	g.see(b, "form-too-old")
	if err := w.opened.store.Close(); err != nil {
		t.Fatal(err)
	}
	b.open("/t/contoso/quarantine")
	b.sees("Something went wrong here")
	g.see(b, "broken")
}

// busyPages are those that are best seen with weeks of mail, which is made up.
func (g *gallery) busyPages(t *testing.T) {
	w, b := portalWorld(t)
	b.owner(w.token(t))
	fill := fillCmd{Messages: 6000, Tenants: 1, Copies: 1.09, Days: 40, Seed: 7}
	if _, err := fill.mail(&console{ctx: t.Context()}, w.opened); err != nil {
		t.Fatal(err)
	}
	w.counted(t)
	for _, page := range [][2]string{{"overview", ""}, {"overview-week", "?plot=week"}, {"reports", "reports?days=30"}, {"reports-quarter", "reports?days=90"}, {"quarantine", "quarantine"}, {"trace", "trace"}, {"queue", "queue"}, {"thresholds", "policies"}, {"retention", "retention"}} {
		g.open(b, page[0]+"-busy", "/t/fill-001/"+page[1])
	}
}

// queued lets a look be taken while a message waits in the queue.
func (w *demoWorld) queued(t *testing.T, look func()) {
	t.Helper()
	ctx, a := t.Context(), w.opened.admin()
	d, err := w.opened.store.Domain(ctx, demoDomain)
	if err != nil {
		t.Fatal(err)
	}
	mails, err := shippedMail()
	if err != nil {
		t.Fatal(err)
	}
	away := d
	away.MTAs = []mail.MTA{{Host: "127.0.0.1", Port: 9, TLS: mail.TLSNone}}
	if _, err := a.AddDomain(ctx, away); err != nil {
		t.Fatal(err)
	}
	if err := w.server.relay.Directory.Load(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.send(ctx, mails[0], 3*time.Second); err != nil {
		t.Fatal(err)
	}
	look()
	if _, err := a.AddDomain(ctx, d); err != nil {
		t.Fatal(err)
	}
}

// reportPages are those of the report to print, where pdftoppm is there.
func (g *gallery) reportPages(t *testing.T, b *browser) {
	b.open("/t/contoso/reports?days=7")
	text, err := ask[string](b, `fetch("/t/contoso/reports/report.pdf?days=7").then(async r => Array.from(new Uint8Array(await r.arrayBuffer()), n => String.fromCharCode(n)).join(""))`)
	if err != nil {
		t.Fatal(err)
	}
	octets := make([]byte, 0, len(text))
	for _, r := range text {
		octets = append(octets, byte(r))
	}
	if !bytes.HasPrefix(octets, []byte("%PDF-")) {
		t.Fatalf("the report is no PDF: %.60q", octets)
	}
	file := filepath.Join(g.dir, "report.pdf")
	if err := os.WriteFile(file, octets, 0o644); err != nil {
		t.Fatal(err)
	}
	g.seen["/t/{tenant}/reports/report.pdf"] = true
	if _, err := exec.LookPath("pdftoppm"); err != nil {
		t.Log("no pdftoppm here: no pictures of the report to print")
		return
	}
	if said, err := exec.CommandContext(t.Context(), "pdftoppm", "-png", "-r", "80", file, filepath.Join(g.dir, "report-pdf")).CombinedOutput(); err != nil {
		t.Errorf("pdftoppm: %v %s", err, said)
	}
}

// exchangePages are those of connecting and setting up Exchange.
func (g *gallery) exchangePages(t *testing.T) {
	w, b := wizardWorld(t, nil)
	o := w.twin.Tenants()[0]
	for _, page := range [][2]string{{"connect", "connect"}, {"connect-graph", "connect?way=graph"}, {"connect-script", "connect?way=script"}, {"exchange-unconnected", ""}} {
		g.open(b, page[0], strings.TrimSuffix("/t/contoso/exchange/"+page[1], "/"))
	}
	b.press("Connect")
	b.sees("via Graph API (recommended)")
	g.see(b, "connect-dialog")
	b.script(o.Organization)
	g.open(b, "script-waits", "/t/contoso/exchange/script")
	b.connect(o, "wrong")
	b.until(`document.querySelector(".trail .bad, .notice.bad") !== null`)
	g.see(b, "connect-refused")
	b.connect(o, o.ClientSecret)
	b.sees("Done.")
	g.see(b, "connect-done")
	g.open(b, "exchange-plan", "/t/contoso/exchange/plan")
	b.press("Apply these changes")
	b.sees("Done. Everything was made as planned.")
	g.see(b, "run-done")
	g.open(b, "exchange-plan-done", "/t/contoso/exchange/plan")
	g.open(b, "verify", "/t/contoso/exchange/verify")
	g.open(b, "exchange", "/t/contoso/exchange")
	b.press("Roll back")
	b.sees("Afterwards Exchange is as it was before Postern.")
	g.see(b, "rollback-dialog")
	for _, page := range [][2]string{{"rollback", "ask/rollback"}, {"disconnect", "ask/disconnect"}, {"guide", "guide"}, {"protection", "protection"}, {"protection-choose", "protection?step=choose"}, {"run", "run"}} {
		g.open(b, page[0], "/t/contoso/exchange/"+page[1])
	}
	g.open(b, "rotate", "/t/contoso/inbound/key/rotate")
	g.open(b, "retire", "/t/contoso/inbound/key/retire")
	if err := o.Change("TransportRule", "Postern Inbound Relay", "SetHeaderValue", "of somebody else"); err != nil {
		t.Fatal(err)
	}
	g.open(b, "verify-drift", "/t/contoso/exchange/verify")
	g.open(b, "exchange-plan-drift", "/t/contoso/exchange/plan")
}

// signInPages are those of signing in, of accounts and tenants.
func (g *gallery) signInPages(t *testing.T) {
	w, b := portalWorld(t)
	onLocalhost(b)
	b.expects("status of 401")
	b.expects("status of 403")
	b.plugIn()
	b.open("/")
	b.fill("token", w.token(t))
	b.fill("email", "ann@contoso.example")
	b.fill("password", "correct horse battery")
	b.press("Make the owner's account")
	b.do(chromedp.WaitReady(`input[name="secret"]`))
	g.see(b, "second-factor")
	b.finishFactor()
	g.see(b, "recovery-codes")
	b.press("I have kept them")
	a := w.opened.admin()
	for _, tenant := range []string{"Contoso", "Fabrikam"} {
		if _, err := a.AddTenant(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.AddUser(t.Context(), "bob@contoso.example", "contoso", "helpdesk"); err != nil {
		t.Fatal(err)
	}
	if err := a.SetBrand(t.Context(), "contoso", "Contoso Mail", "#7a1f5c", logo(t)); err != nil {
		t.Fatal(err)
	}
	b.open("/account")
	b.press("Add a passkey")
	g.see(b, "passkey")
	b.fill("name", "Blue key")
	b.press("Make the passkey")
	b.sees("The passkey is added")
	g.see(b, "account-passkey")
	p := providertest.New(t)
	b.open("/provider")
	b.fill("name", "Contoso")
	b.fill("issuer", p.Issuer())
	b.fill("client", p.Client)
	b.fill("secret", p.Secret)
	b.press("Ask the provider and keep")
	b.sees("The provider answers and is kept.")
	b.open("/tokens")
	b.fill("name", "nightly report")
	b.do(chromedp.Click(`input[value="tenants:read"]`))
	b.press("Make the token")
	b.sees("Copy it now")
	g.see(b, "token-made")
	for _, page := range [][2]string{{"tokens", "/tokens"}, {"approvals", "/approvals"}, {"provider", "/provider"}, {"users", "/users"}, {"user", "/users/bob@contoso.example"}, {"ask-user", "/users/bob@contoso.example/ask/disable"},
		{"tenants-two", "/tenants"}, {"tenant-branded", "/tenants/contoso"}, {"look-branded", "/t/contoso/look"}, {"overview-branded", "/t/contoso/"}} {
		g.open(b, page[0], page[1])
	}
	b.open("/account")
	claims(p)
	b.press("Link my account at Contoso")
	b.sees(p.Issuer())
	w.ageFactor(t, "ann@contoso.example")
	b.open("/account")
	b.press("Renew")
	b.sees("Is it still you?")
	g.see(b, "step-up-provider")
	b.press("Sign in again with Contoso")
	b.sees("What you asked for is still here")
	g.see(b, "proved")
	b.signOut()
	g.see(b, "signed-out")
	for _, page := range [][2]string{{"sign-in", "/sign-in"}, {"sign-in-onward", "/sign-in?next=%2Ft%2Fcontoso%2Fquarantine"}, {"invitation", "/invitation"}, {"sign-in-elsewhere-refused", "/sign-in/provider/return?state=x"}} {
		g.open(b, page[0], page[1])
	}
	b.open("/sign-in")
	b.fill("email", "ann@contoso.example")
	b.fill("password", "wrong horse battery")
	b.press("Sign in")
	b.until(`document.querySelector("[role=alert]") !== null`)
	g.see(b, "sign-in-refused")
	b.fill("email", "ann@contoso.example")
	b.fill("password", "correct horse battery")
	b.press("Sign in")
	b.sees("recovery codes")
	g.see(b, "code")
}

// logo is a picture as a tenant uploads one.
func logo(t *testing.T) []byte {
	t.Helper()
	picture := image.NewNRGBA(image.Rect(0, 0, 240, 56))
	for x := range 240 {
		for y := range 56 {
			picture.Set(x, y, color.NRGBA{uint8(90 + x/4), 20, 80, 255})
		}
	}
	var octets bytes.Buffer
	if err := png.Encode(&octets, picture); err != nil {
		t.Fatal(err)
	}
	return octets.Bytes()
}

// recipientsPages are recipients' own, their digest, and what administrators see of
// both.
func (g *gallery) recipientsPages(t *testing.T) {
	w := heldWorld(t)
	raw := w.digest(t, demoMailbox)
	link := digestLinks(t, raw)[0]
	a := w.opened.admin()
	rows, err := w.opened.store.Quarantine(t.Context(), store.TraceFilter{Tenant: "contoso", Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	portalSide := newBrowser(t, "http://"+w.server.portalAddr())
	portalSide.owner(w.token(t))
	token, _, err := a.PersonLink(t.Context(), demoMailbox, admin.Visitor{})
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, w.ownURL())
	b.expects("status of 404")
	for _, page := range [][2]string{{"own-sign-in", "/sign-in"}, {"own-enter", "/enter/" + token}, {"own-link", link}, {"own-bad-link", "/held/bad"}} {
		g.open(b, page[0], page[1])
	}
	b.open("/enter/" + token)
	b.press("Sign in")
	g.open(b, "own-senders-empty", "/senders")
	for i, r := range rows[:2] {
		if err := a.AskFor(t.Context(), "contoso", demoMailbox, r.ID, r.N, nil); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			err = a.Decline(t.Context(), "contoso", r.ID, r.N, "This is a known fraud; do not answer it.")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, sender := range []string{"news@shop.example", "partner.example"} {
		if err := a.AddOwnEntry(t.Context(), "contoso", demoMailbox, sender, sender[0] == 'n'); err != nil {
			t.Fatal(err)
		}
	}
	for _, page := range [][2]string{{"own-held", "/"}, {"own-mail-declined", "/mail/" + copyID(rows[0].ID, rows[0].N)}, {"own-mail", "/mail/" + copyID(rows[3].ID, rows[3].N)}, {"own-senders", "/senders"}, {"own-settings", "/settings"}, {"own-missing", "/nowhere"}} {
		g.open(b, page[0], page[1])
	}
	g.open(portalSide, "recipients", "/t/contoso/inbound/recipients")
	g.open(portalSide, "requests", "/t/contoso/requests")
	g.letter(t, raw)
}

// letter takes pictures of a digest as a mail program shows it. It is no page of the
// portal's, and other rules hold for it.
func (g *gallery) letter(t *testing.T, raw []byte) {
	_, text, page := parts(t, raw)
	file := filepath.Join(g.dir, "digest.html")
	for name, content := range map[string]string{file: page, filepath.Join(g.dir, "digest.txt"): text} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := newBrowser(t, "file://"+file)
	for _, at := range looks {
		b.look(at.width, at.dark)
		b.open("")
		if wide, err := ask[bool](b, `document.documentElement.scrollWidth > innerWidth`); wide || err != nil {
			t.Errorf("the digest scrolls sideways (%s) %v", at.name, err)
		}
		b.portrait(at.width, filepath.Join(g.dir, "digest-"+at.name+".png"))
	}
	g.names = append(g.names, "digest")
}

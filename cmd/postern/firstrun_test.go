package main

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// firstRunTime is what issue 4 allows from the one-time token to a protected tenant.
const firstRunTime = 5 * time.Minute

// A newcomer is a person at her first run: what she chooses, in her own words.
type newcomer struct {
	*browser
	decisions []string
	gallery   *gallery // nil: nobody looks
}

// decides notes that something was chosen. Typing what is given (names, ids, codes)
// and pressing on are no decisions.
func (p *newcomer) decides(what string) { p.decisions = append(p.decisions, what) }

// looks looks at the page as it is.
func (p *newcomer) looks(name string) { p.t.Helper(); p.gallery.see(p.browser, "firstrun-"+name) }

// TestAPersonWhoReadNoGuideGetsAProtectedTenant plays her from the one-time token on
// an empty installation to the probe that came back: three decisions, under five
// minutes.
func TestAPersonWhoReadNoGuideGetsAProtectedTenant(t *testing.T) {
	w, b := portalWorld(t)
	p := &newcomer{browser: b}
	took := firstRun(p, w)
	t.Logf("from the token to the green end: %s, %d decisions: %q", took.Round(100*time.Millisecond), len(p.decisions), p.decisions)
	if len(p.decisions) > 3 || took > firstRunTime {
		t.Errorf("%d decisions in %s", len(p.decisions), took)
	}
	probe := w.protection(t).Watched.Probe
	if probe == nil || probe.Problem.Format != "" || len(w.twin.Mailbox(demoMailbox)) != 1 {
		t.Errorf("the probe is not in the mailbox: %+v", probe)
	}
	p.complaints()
}

// firstRun leads her from the one-time token to the overview, and says how long she
// took to be protected.
func firstRun(p *newcomer, w *demoWorld) time.Duration {
	t := p.t
	t.Helper()
	o := w.twin.Tenants()[0]
	_, err := w.twin.Listen("127.0.0.1:25") // where the domain's MX record leads
	resolves := err == nil
	token := w.token(t)
	began := time.Now()

	p.owner(token)
	p.sees("The first tenant")
	p.looks("tenant")
	p.fill("name", "Contoso")
	p.press("Add")

	p.sees("Step 1 of 5")
	p.sees("Nothing is sent and no mail flow changes.")
	p.looks("domain")
	p.decides("which domain is protected")
	p.fill("domain", demoDomain)
	if !resolves {
		p.press("Resolve host")
		p.fill("port0", strconv.Itoa(w.mxPort()))
	}
	p.press("Add the domain")

	p.sees("Step 2 of 5")
	p.sees("Exchange is not called: mail flows as before.")
	p.looks("domain-kept")
	p.press("Enable") // leads to a page that says what it does
	p.sees("This changes nothing in your mail flow.")
	p.looks("enable")
	p.press("Enable")
	p.sees("it is shown only this once")

	p.sees("Step 3 of 5")
	p.looks("key")
	p.press("Connect Exchange")
	p.sees("Connecting changes nothing")
	p.decides("how Postern signs in at Exchange: by a person's code, or by the app's secret")
	p.do(chromedp.Click(`input[value="secret"]`))
	p.fillHere("secret", o.ClientSecret)
	p.fillHere("organization", o.Organization)
	p.fillHere("client", o.ClientID)
	p.looks("connect")
	p.press("Connect")
	p.sees("Done.")

	p.sees("Step 4 of 5")
	p.looks("connected")
	p.press("Show what will change")
	p.sees("Nothing has been done yet")
	p.looks("plan")
	p.decides("that these changes are made in Exchange")
	p.press("Apply these changes")
	p.sees("Done. Everything was made as planned.")

	p.sees("Step 5 of 5")
	p.looks("applied")
	p.press("Send a probe mail")
	p.sees("What will happen")
	p.looks("probe")
	p.press("Send a probe mail")
	p.sees("Your mail is protected")
	took := time.Since(began)
	p.sees("Handed back to Exchange")
	p.looks("protected")
	p.press("To the overview")
	p.sees("Mail is protected")
	if p.says("Until your mail is protected") {
		t.Error("steps are left on the overview")
	}
	p.looks("overview")
	return took
}

// fillHere types into a field of the page or of the dialog that is over it.
func (b *browser) fillHere(name, value string) {
	b.t.Helper()
	b.do(chromedp.Clear(`[name="`+name+`"]`), chromedp.SendKeys(`[name="`+name+`"]`, value))
}

// TestAProbeSaysWhatIsMissing looks at the page where no probe can be sent, before
// Exchange is set up and where the configuration names no address; a probe that does
// not come round is told with the place where it stopped.
func TestAProbeSaysWhatIsMissing(t *testing.T) {
	missingProbe(t, nil)
}

func missingProbe(t *testing.T, g *gallery) {
	if testing.Short() {
		t.Skip("needs a browser")
	}
	w, err := newDemoWorldLike(t.Context(), t.TempDir(), "127.0.0.1:0", demoLike{log: os.Stderr, conf: func(c *Config) { c.Exchange.Probe = ProbeConfig{} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	b := newBrowser(t, "http://"+w.server.portalAddr())
	p := &newcomer{browser: b, gallery: g}
	b.owner(w.token(t))
	if _, err := w.opened.admin().AddTenant(t.Context(), "Empty"); err != nil {
		t.Fatal(err)
	}
	b.open("/t/empty/probe")
	b.sees("Connect Exchange and set it up first")
	p.looks("probe-early")
	if err := w.setUp(t.Context(), &demoReport{out: os.Stderr}); err != nil {
		t.Fatal(err)
	}
	b.open("/t/contoso/probe")
	b.sees("This installation does not say yet from which address a probe may be sent.")
	b.sees("source: 192.0.2.11")
	b.sees(demoEgress)
	p.looks("probe-unset")
	if b.says("Send a probe mail") && !b.says("Step 5 of 5") {
		t.Error("a button that cannot work")
	}
	b.complaints()
}

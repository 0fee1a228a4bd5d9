package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"postern/internal/mail"
	"postern/internal/store"
	"postern/internal/twin"
)

// wizardWorld is a relay with a tenant whose domain is enabled, beside a simulated
// Exchange that nobody set up, and a person who is signed in.
func wizardWorld(t *testing.T, adjust func(*twin.Options)) (*demoWorld, *browser) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a browser")
	}
	w, err := newDemoWorldLike(t.Context(), t.TempDir(), "127.0.0.1:0", demoLike{log: os.Stderr, twin: adjust})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	b := newBrowser(t, "http://"+w.server.portalAddr())
	b.owner(w.token(t))
	a := w.opened.admin()
	if _, err := a.AddTenant(t.Context(), "Contoso"); err != nil {
		t.Fatal(err)
	}
	mta := mail.MTA{Host: twin.MXHost(demoDomain), Port: w.mxPort(), TLS: mail.TLSVerify}
	if _, err := a.AddDomain(t.Context(), mail.Domain{Name: demoDomain, Tenant: "contoso", MTAs: []mail.MTA{mta}}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.EnableDomain(t.Context(), demoDomain); err != nil {
		t.Fatal(err)
	}
	if err := w.server.relay.Directory.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w, b
}

// connect goes through the wizard to its form of the Graph API way and sends it.
func (b *browser) connect(o *twin.Tenant, secret string) {
	b.t.Helper()
	b.open("/t/contoso/exchange")
	b.press("Connect")
	b.sees("via Graph API (recommended)")
	b.press("Next")
	if secret != "" {
		b.do(chromedp.Click(`dialog input[value="secret"]`))
		b.write("secret", secret)
	}
	b.write("organization", o.Organization)
	b.write("client", o.ClientID)
	b.press("Connect")
}

// write fills a field of the open dialog.
func (b *browser) write(name, value string) {
	b.t.Helper()
	sel := fmt.Sprintf(`dialog [name=%q]`, name)
	b.do(chromedp.WaitVisible(sel), chromedp.Clear(sel), chromedp.SendKeys(sel, value))
}

// tab is a second tab of the same browser.
func (b *browser) tab() *browser {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	other := &browser{t: b.t, ctx: ctx, base: b.base}
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // the tab lives as long as this context
		b.t.Fatal(err)
	}
	return other
}

// enterCode is what a person does at Microsoft, in another tab.
func (b *browser) enterCode(decision string) {
	b.t.Helper()
	b.sees("Open this address")
	code, err := ask[string](b, `document.querySelector(".device code").textContent`)
	if err != nil {
		b.t.Fatal(err)
	}
	address, err := ask[string](b, `document.querySelector(".device a").href`)
	if err != nil {
		b.t.Fatal(err)
	}
	microsoft := b.tab()
	microsoft.do(chromedp.Navigate(address), chromedp.SendKeys(`input[name="otc"]`, code), chromedp.Click(`button[value="`+decision+`"]`))
	microsoft.sees("You may now close this window")
}

// stateOf is all that an organization has, without what says only when and by whom
// it was written.
func stateOf(t *testing.T, o *twin.Tenant) any {
	t.Helper()
	text, err := json.Marshal(o.State())
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	when := []string{"Description", "WhenChanged", "WhenChangedUTC", "LastModifiedBy", "ModifiedDateTime", "LastModifiedDateTime"}
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			out := map[string]any{}
			for k, x := range v {
				list, isList := x.([]any)
				if x = walk(x); slices.Contains(when, k) || x == nil || x == "" || isList && len(list) == 0 {
					continue // an empty list and none are the same to Exchange
				}
				out[k] = x
			}
			return out
		case []any:
			out := make([]any, len(v))
			for i, x := range v {
				out[i] = walk(x)
			}
			return out
		}
		return v
	}
	return walk(v)
}

func TestTheWizardByCodeFromConnectToRollback(t *testing.T) {
	w, b := wizardWorld(t, func(o *twin.Options) { o.Ask = true })
	o := w.twin.Tenants()[0]
	before := stateOf(t, o)
	b.connect(o, "")
	b.sees("You can close this page and come back")
	b.open("/t/contoso/") // closed, and
	b.open("/t/contoso/exchange/run")
	b.enterCode("accept")
	b.sees("Done.")
	b.press("OK")
	b.sees("Connected")
	b.sees("admin@" + o.Organization)
	if octets, err := w.opened.store.Setting(t.Context(), "contoso", "exchange-session"); err == nil {
		t.Errorf("a person's sign-in is stored: %d octets", len(octets))
	}
	b.press("Show what will change") // the set-up's
	b.sees("Nothing has been done yet")
	b.open("/t/contoso/exchange/plan") // a reload changes nothing
	second := b.tab()
	second.open("/t/contoso/exchange/plan")
	b.press("Apply these changes")
	second.press("Apply these changes") // the other tab presses too
	b.open("/t/contoso/exchange/run")
	b.sees("Done. Everything was made as planned.")
	b.press("Verify")
	b.sees("Exchange is as it was set up.")
	second.open("/t/contoso/exchange/plan")
	second.sees("Nothing is to do")

	b.open("/t/contoso/exchange/plan?only=clutter")
	b.sees("Nothing is to do")

	b.open("/t/contoso/exchange")
	b.press("Roll back")
	b.sees("Afterwards Exchange is as it was before Postern.")
	b.press("Cancel")
	if cmp.Equal(before, stateOf(t, o)) {
		t.Error("cancelled, but rolled back")
	}
	b.press("Roll back")
	b.press("Roll back")
	b.sees("Done.")
	if diff := cmp.Diff(before, stateOf(t, o)); diff != "" {
		t.Errorf("after the roll back (-before +after):\n%s", diff)
	}

	b.open("/t/contoso/exchange/plan?only=clutter")
	b.sees("Changes: 1")
	b.press("Apply these changes")
	b.sees("Done.")
	b.open("/t/contoso/exchange/plan?only=remote-domain")
	b.sees("Set-RemoteDomain")
	b.press("Apply these changes")
	b.sees("Done.")
	b.open("/t/contoso/exchange")
	b.press("Roll back")
	b.press("Roll back")
	b.sees("Done.")
	if diff := cmp.Diff(before, stateOf(t, o)); diff != "" {
		t.Errorf("after the second roll back (-before +after):\n%s", diff)
	}

	b.open("/t/contoso/exchange")
	b.press("Disconnect")
	b.sees("no call to Exchange is made with it any more")
	b.press("Disconnect")
	b.sees("The sign-in is forgotten here.")
	b.sees("Not connected")
	calls := o.Calls()
	b.open("/t/contoso/exchange/plan")
	b.sees("Exchange is not connected")
	if o.Calls() != calls {
		t.Error("Exchange was called after the disconnect")
	}
	b.complaints(409)
}

// complaints fails the test if the browser complained of anything but refusals that
// were meant.
func (b *browser) complaints(meant ...int) {
	b.t.Helper()
	for _, said := range b.said {
		ok := false
		for _, status := range meant {
			ok = ok || strings.Contains(said, fmt.Sprintf("status of %d", status))
		}
		if !ok {
			b.t.Errorf("the browser complained: %s", said)
		}
	}
}

func TestAPersonsSignInEndsWithTheProcess(t *testing.T) {
	w, b := wizardWorld(t, nil)
	o := w.twin.Tenants()[0]
	b.connect(o, "")
	b.sees("Done.")
	again := *w.opened
	again.signIns = nil // as another process has it
	if _, err := newExchange(&again, nil).Engine(t.Context(), "contoso"); err == nil || !strings.Contains(err.Error(), "Sign in again") {
		t.Errorf("another process can use the sign-in: %v", err)
	}
	w.opened.signIns.Forget() // as a restart does
	b.open("/t/contoso/exchange")
	b.sees("a person's sign-in is kept in memory only")
	b.open("/t/contoso/exchange/plan")
	b.sees("Sign in again with a new code.")
	b.open("/t/contoso/exchange")
	b.press("Sign in again")
	b.write("client", o.ClientID)
	b.press("Connect")
	b.sees("Done.")
	b.open("/t/contoso/exchange/plan")
	b.sees("Nothing has been done yet")
}

// script downloads the script as the form would.
func (b *browser) script(organization string) string {
	b.t.Helper()
	b.open("/t/contoso/exchange/connect?way=script")
	b.fill("organization", organization)
	text, err := ask[string](b, `(() => { const form = document.querySelector("main form"); return fetch(form.action, {method: "POST", body: new URLSearchParams(new FormData(form))}).then(r => r.text()) })()`)
	if err != nil || !strings.Contains(text, "Connect-ExchangeOnline") {
		b.t.Fatalf("no script: %v\n%.300s", err, text)
	}
	return text
}

// rest sends what a script reports, as Invoke-RestMethod does.
func rest(ctx context.Context, method, url string, headers map[string]string, body string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, strings.ToUpper(method), url, bytes.NewReader([]byte(body)))
	if err != nil {
		return "", err
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the remote server returned an error: (%d) %s", resp.StatusCode, text)
	}
	return string(text), err
}

func TestTheWizardByScriptReportsBackOnce(t *testing.T) {
	w, b := wizardWorld(t, nil)
	o := w.twin.Tenants()[0]
	before := stateOf(t, o)
	b.open("/t/contoso/exchange")
	b.press("Connect")
	b.do(chromedp.Click(`dialog input[value="script"]`))
	b.press("Next")
	b.sees("good for one run within 24 hours")
	text := b.script(o.Organization)
	b.open("/t/contoso/exchange/script")
	b.sees("As soon as it runs")
	files := map[string][]byte{}
	told := 0
	run := func(mode string) (string, error) {
		res, err := o.RunScript(t.Context(), twin.Admin(), &twin.Script{Source: text, Params: map[string]any{"Mode": mode}, Files: files,
			Rest: func(ctx context.Context, method, url string, headers map[string]string, body string) (string, error) {
				out, err := rest(ctx, method, url, headers, body)
				if told++; told == 5 { // in the midst of it
					b.sees("TenantAllowBlockListSpoofItems")
				}
				return out, err
			}})
		return res.Text + strings.Join(res.Messages, "\n"), err
	}
	if said, err := run("Apply"); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	b.sees("Done. Everything was made as planned.") // by itself
	b.open("/t/contoso/exchange")
	b.sees("The PowerShell script did its work.")
	b.open("/t/contoso/exchange/script") // as it is later
	b.sees("-Mode Apply")

	said, err := run("Verify") // the token is used up, the script works all the same
	if err != nil || !strings.Contains(said, "Postern does not take the report of this run") {
		t.Errorf("a second run: %v\n%.600s", err, said)
	}
	log, err := w.opened.store.AuditLog(t.Context(), store.AuditFilter{Tenant: "contoso"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(log, func(e store.AuditEntry) bool { return strings.Contains(e.After, "token was used before") }) {
		t.Error("the second use of the token is not in the audit log")
	}
	report := said[strings.Index(said, "{"):]
	report = report[:strings.LastIndex(report, "}")+1]
	b.open("/t/contoso/exchange/script")
	b.do(chromedp.Click(`main details summary`))
	if _, err := ask[bool](b, fmt.Sprintf(`(() => { document.querySelector("[name=report]").value = %q; return true })()`, report)); err != nil { // as pasting does
		t.Fatal(err)
	}
	b.press("Take the report")
	b.sees("Exchange is as wanted")

	text = b.script(o.Organization) // a new one, with a new token
	if _, err := run("Rollback"); err != nil {
		t.Fatal(err)
	}
	b.open("/t/contoso/exchange/script")
	b.sees("-Mode Rollback")
	b.sees("Done.")
	if diff := cmp.Diff(before, stateOf(t, o)); diff != "" {
		t.Errorf("after the script's roll back (-before +after):\n%s", diff)
	}
	b.complaints()
}

func TestReportsWithAnotherOrAnEndedTokenAreRefused(t *testing.T) {
	w, b := wizardWorld(t, nil)
	o := w.twin.Tenants()[0]
	text := b.script(o.Organization)
	token := text[strings.Index(text, "psr_"):]
	token = token[:strings.IndexByte(token, '\'')]
	url := b.base + "/script-report"
	tell := func(bearer, body string) string {
		out, err := rest(t.Context(), "POST", url, map[string]string{"Authorization": "Bearer " + bearer}, body)
		if err != nil {
			return err.Error()
		}
		return out
	}
	for _, tt := range []struct{ name, bearer, body, says string }{
		{"no token", "", `{"mode":"Apply"}`, "(400)"},
		{"made up", "psr_" + strings.Repeat("A", 43), `{"mode":"Apply"}`, "has ended or is not of this installation"},
		{"a session's", "psk_" + strings.Repeat("A", 43), `{"step":"x"}`, "has ended or is not of this installation"},
		{"a step before the beginning", token, `{"step":"x"}`, "(422)"},
	} {
		if got := tell(tt.bearer, tt.body); !strings.Contains(got, tt.says) {
			t.Errorf("%s: got %s", tt.name, got)
		}
	}
	var key struct{ Key string }
	if err := json.Unmarshal([]byte(tell(token, `{"mode":"Apply","total":13}`)), &key); err != nil || key.Key == "" {
		t.Fatalf("the token was not taken: %v", err)
	}
	if got := tell(token, `{"mode":"Apply","total":13}`); !strings.Contains(got, "(409)") || !strings.Contains(got, "used before") {
		t.Errorf("the token's second use: %s", got)
	}
	if got := tell(key.Key, `{"tenant":"fabrikam","mode":"Apply","ok":true}`); !strings.Contains(got, "The report is of tenant “fabrikam”, not of “contoso”") {
		t.Errorf("another tenant's report: %s", got)
	}
	if got := tell(key.Key, `{"step":"<b>a</b>\r\n`+strings.Repeat("x", 5000)+`"}`); strings.Contains(got, "(") {
		t.Errorf("a step: %s", got)
	}
	b.open("/t/contoso/exchange/script")
	b.sees("<b>a</b>") // as text
	if got := tell(key.Key, `{"tenant":"contoso","mode":"Apply","ok":false,"problem":"no role"}`); strings.Contains(got, "(") {
		t.Errorf("the end: %s", got)
	}
	b.open("/t/contoso/exchange/script")
	b.sees("The script stopped: no role")
	if got := tell(key.Key, `{"step":"more"}`); !strings.Contains(got, "(401)") {
		t.Errorf("after the end: %s", got)
	}
}

func equalStates(a, b any) bool { return cmp.Equal(a, b) }

// says reports whether the page says something now.
func (b *browser) says(what string) bool { return strings.Contains(b.text(), what) }

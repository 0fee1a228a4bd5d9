package main

import (
	"testing"

	"github.com/chromedp/chromedp"

	"postern/internal/providertest"
	"postern/internal/store"
)

// claims are of the person who is signed in at the provider from now on.
func claims(p *providertest.Provider, groups ...string) {
	p.Lock()
	defer p.Unlock()
	p.Claims = map[string]any{"sub": "bob-1", "email": "bob@contoso.example", "email_verified": true, "groups": groups, "amr": []string{"pwd", "mfa"}}
}

func TestSignInElsewhere(t *testing.T) {
	w, b := portalWorld(t)
	onLocalhost(b) // the provider is on 127.0.0.1: another site, as cookies see it
	for _, status := range []string{"401", "403", "502"} {
		b.expects("status of " + status)
	}
	p := providertest.New(t)
	b.owner(w.token(t))
	if _, err := w.opened.admin().AddTenant(t.Context(), "Contoso"); err != nil {
		t.Fatal(err)
	}
	b.open("/provider")
	b.fill("name", "Contoso")
	b.fill("issuer", p.Issuer()+"/wrong")
	b.fill("client", p.Client)
	b.fill("secret", p.Secret)
	b.until(`document.querySelector('[name="believe"][value="verified"]').click(), document.querySelector('[name="provision"]').click(), true`)
	b.do(chromedp.SendKeys(`[name="roles"]`, "mail-admins = security-admin\nhelpdesk = helpdesk @ contoso"))
	b.press("Ask the provider and keep")
	b.sees("does not answer as a provider of that name")
	b.fill("issuer", p.Issuer())
	b.fill("secret", p.Secret)
	b.press("Ask the provider and keep")
	b.sees("The provider answers and is kept.")

	b.signOut()
	claims(p, "strangers")
	b.press("Sign in with Contoso")
	b.sees("None of your groups has a role here")
	claims(p, "mail-admins")
	p.Claims["email_verified"] = false
	b.press("Sign in with Contoso")
	b.sees("does not say that your e-mail address is verified")
	p.Down = true
	b.press("Sign in with Contoso")
	b.sees("cannot be reached now")
	p.Down = false

	claims(p, "mail-admins")
	b.open("/audit?check=yes") // where the way began
	b.press("Sign in with Contoso")
	b.sees("are there and unchanged")
	wants(t, w, "bob@contoso.example", "security-admin")

	w.ageFactor(t, "bob@contoso.example")
	p.Claims["amr"] = []string{"pwd"} // a password there is no second factor here
	b.open("/account")
	b.press("Renew")
	b.press("Sign in again with Contoso")
	b.sees("use another second factor")
	claims(p, "mail-admins")
	b.open("/account")
	b.press("Renew")
	b.sees("Is it still you?")
	b.press("Sign in again with Contoso")
	b.sees("What you asked for is still here")
	b.press("Do it now")
	b.sees("The recovery codes are renewed.")

	b.signOut() // another person at the same provider is not let in by the address
	claims(p, "mail-admins")
	p.Claims["sub"] = "eve-1"
	b.press("Sign in with Contoso")
	b.sees("Nobody here has this account")

	b.open("/sign-in/provider/return?state=x&code=y") // nobody set out
	b.sees("was begun in another window")

	b.open("/sign-in")
	b.fill("email", "ann@contoso.example") // the local owner goes on
	b.fill("password", "correct horse battery")
	b.press("Sign in")
	b.sees("recovery codes")
	if len(b.said) > 0 {
		t.Errorf("the browser complained: %v", b.said)
	}
}

func wants(t *testing.T, w *demoWorld, email, role string) {
	t.Helper()
	u, err := w.opened.store.User(t.Context(), email)
	if err != nil || u.Role != role {
		t.Errorf("%s is %q, want %q (%v)", email, u.Role, role, err)
	}
}

func TestAnAccountIsLinkedByWhoIsSignedIn(t *testing.T) {
	w, b := portalWorld(t)
	onLocalhost(b)
	p := providertest.New(t)
	claims(p)
	b.owner(w.token(t))
	b.open("/provider")
	b.fill("name", "Contoso")
	b.fill("issuer", p.Issuer())
	b.fill("client", p.Client)
	b.fill("secret", p.Secret)
	b.press("Ask the provider and keep")
	b.sees("The provider answers and is kept.")
	b.open("/account")
	b.press("Link my account at Contoso")
	b.sees(p.Issuer())
	b.signOut()
	b.press("Sign in with Contoso")
	b.sees("Add a tenant")
	history, err := w.opened.store.SignIns(t.Context(), "ann@contoso.example", 1)
	if err != nil || len(history) != 1 || history[0].How != "provider" {
		t.Errorf("%+v %v", history, err)
	}
	log, err := w.opened.store.AuditLog(t.Context(), store.AuditFilter{Action: "user.link"})
	if err != nil || len(log) != 1 || log[0].Actor != "ann@contoso.example" {
		t.Errorf("%+v %v", log, err)
	}
	if len(b.said) > 0 {
		t.Errorf("the browser complained: %v", b.said)
	}
}

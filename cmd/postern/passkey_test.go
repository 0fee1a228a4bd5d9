package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// key is a security key that a test plugs into its browser.
type key struct {
	b  *browser
	id webauthn.AuthenticatorID
}

// plugIn gives the browser an authenticator that verifies its user and agrees to
// everything.
func (b *browser) plugIn() key {
	b.t.Helper()
	k := key{b: b}
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return err
		}
		made, err := cdp.Call(ctx, t, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportUsb,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}})
		k.id = made.AuthenticatorID
		return err
	}))
	return k
}

// addCredential is webauthn.AddCredential without the fields that Chromium refuses
// for this kind of key even when they are false.
var addCredential = cdp.Command[addCredentialParams, cdp.Empty]{Method: webauthn.CommandAddCredential}

type addCredentialParams struct {
	AuthenticatorID webauthn.AuthenticatorID `json:"authenticatorId"`
	Credential      plainCredential          `json:"credential"`
}

type plainCredential struct {
	CredentialID         []byte  `json:"credentialId"`
	IsResidentCredential bool    `json:"isResidentCredential"`
	RpID                 string  `json:"rpId"`
	PrivateKey           []byte  `json:"privateKey"`
	UserHandle           []byte  `json:"userHandle"`
	SignCount            float64 `json:"signCount"`
}

// copyBack puts the key's only credential back as it was when it had been used so
// often, as a copy of it would be.
func (k key) copyBack(count float64) {
	k.b.t.Helper()
	k.b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		held, err := cdp.Call(ctx, t, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: k.id})
		if err != nil {
			return err
		}
		c := held.Credentials[0]
		if _, err := cdp.Call(ctx, t, webauthn.RemoveCredential, webauthn.RemoveCredentialParams{AuthenticatorID: k.id, CredentialID: c.CredentialID}); err != nil {
			return err
		}
		_, err = cdp.Call(ctx, t, addCredential, addCredentialParams{k.id, plainCredential{c.CredentialID, true, c.RpID, c.PrivateKey, c.UserHandle, count}})
		return err
	}))
}

// verifies says whether the key's user is recognised from now on.
func (k key) verifies(yes bool) {
	k.b.t.Helper()
	k.b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: k.id, IsUserVerified: yes})
		return err
	}))
}

func (b *browser) signOut() {
	b.t.Helper()
	b.until(`window.stays = true, document.querySelector('form[action="/sign-out"]').requestSubmit(), true`)
	b.sees("You are signed out.")
}

// ageFactor makes it ten minutes since anybody gave a second factor.
func (w *demoWorld) ageFactor(t *testing.T, email string) {
	t.Helper()
	all, err := w.opened.store.Sessions(t.Context(), email)
	if err != nil || len(all) == 0 {
		t.Fatalf("%d sessions, %v", len(all), err)
	}
	for _, s := range all {
		if err := w.opened.store.EndSession(t.Context(), email, s.Hash, ""); err != nil {
			t.Fatal(err)
		}
		s.FreshAt = time.Now().Add(-10 * time.Minute)
		if err := w.opened.store.AddSession(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

// onLocalhost is where browsers allow passkeys without TLS.
func onLocalhost(b *browser) { b.base = strings.Replace(b.base, "127.0.0.1", "localhost", 1) }

func TestPasskeysFromEnrolmentToRemoval(t *testing.T) {
	w, b := portalWorld(t)
	onLocalhost(b)
	b.expects("status of 401") // refusals are meant
	k := b.plugIn()
	b.owner(w.token(t))
	b.open("/account")
	b.press("Add a passkey")
	b.fill("name", "Blue key")
	b.press("Make the passkey")
	b.sees("The passkey is added")
	b.sees("Blue key")

	b.signOut()
	b.press("Sign in with a passkey")
	b.sees("Add a tenant")

	b.signOut() // as a second factor
	b.fill("email", "ann@contoso.example")
	b.fill("password", "correct horse battery")
	b.press("Sign in")
	b.press("Use a passkey")
	b.sees("Add a tenant")

	w.ageFactor(t, "ann@contoso.example")
	b.open("/users")
	b.fill("email", "bob@contoso.example")
	b.press("Invite")
	b.sees("Is it still you?")
	b.press("Use a passkey")
	b.sees("Invitation for bob@contoso.example")

	b.signOut() // the device has to verify who signs in by it alone
	k.verifies(false)
	b.click("Sign in with a passkey", false)
	b.sees("Nothing came of it")
	k.verifies(true)

	k.copyBack(1)
	b.press("Sign in with a passkey")
	b.sees("somebody may have a copy of it")
	alarms, err := w.opened.store.Alarms(t.Context(), "")
	if err != nil || len(alarms) != 1 || alarms[0].Kind != "passkey-copied" {
		t.Errorf("alarms %v, %v", alarms, err)
	}

	k.copyBack(100)
	b.press("Sign in with a passkey")
	b.sees("Add a tenant")
	b.open("/account")
	b.press("Remove")
	b.sees("opens nothing any more")
	b.signOut()
	b.press("Sign in with a passkey")
	b.sees("not known here, or it was removed")
	if len(b.said) > 0 {
		t.Errorf("the browser complained: %v", b.said)
	}
}

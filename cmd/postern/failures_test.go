package main

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"postern/internal/store"
	"postern/internal/twin"
	"postern/internal/twin/login"
)

// Every failure of connecting names cause and mend where the person looks.
func TestFailuresOfConnectingAreToldInTheBrowser(t *testing.T) {
	w, b := wizardWorld(t, func(o *twin.Options) { o.Ask = true })
	o := w.twin.Tenants()[0]
	app, _ := o.Directory.App(o.ClientID)
	admin := login.User{UPN: "admin@" + o.Organization, Roles: []string{twin.RoleGlobalAdministrator}}
	for _, tt := range []struct {
		name         string
		organization string
		secret       string // "" signs in with a code
		decide       string // at Microsoft
		user         func(*login.User)
		app          func(*login.App)
		cause, mend  string
	}{
		{name: "the person declines", decide: "cancel", cause: "declined", mend: "choose “Accept”"},
		{name: "no tenant of that name", organization: "nobody.onmicrosoft.com", secret: o.ClientSecret, cause: "There is no tenant of that name in this cloud.", mend: "Check the tenant's directory id or domain"},
		{name: "the secret is wrong", secret: "wrong", cause: "The client secret is wrong", mend: "Make a new client secret"},
		{name: "the secret has expired", secret: o.ClientSecret, app: func(a *login.App) {
			a.Secrets = []login.Secret{{Value: o.ClientSecret, Expires: time.Now().Add(-time.Hour)}}
		}, cause: "The client secret has expired.", mend: "Make a new client secret"},
		{name: "no public client", app: func(a *login.App) { a.Public = false }, cause: "not set up for a sign-in without a secret", mend: "Allow public client flows"},
		{name: "the app has no role", secret: o.ClientSecret, app: func(a *login.App) { a.Roles = nil }, cause: "insufficient permissions", mend: "Exchange Administrator"},
		{name: "the person has no role", decide: "accept", user: func(u *login.User) { u.Roles = nil }, cause: "insufficient permissions", mend: "Exchange Administrator"},
		{name: "API access is disabled", decide: "accept", user: func(u *login.User) { u.APIOff = true }, cause: "API access is disabled in Exchange", mend: "EXOModuleEnabled $true"},
		{name: "the code has expired", decide: "accept", user: func(u *login.User) { u.Fail = 70019 }, cause: "The device code has expired.", mend: "enter the new code within 15 minutes"},
		{name: "conditional access", decide: "accept", user: func(u *login.User) { u.Fail = 53003 }, cause: "A conditional access policy does not let the sign-in through.", mend: "Exclude the app or account from that policy"},
	} {
		own, person := app, admin
		if tt.app != nil {
			tt.app(&own)
		}
		if tt.user != nil {
			tt.user(&person)
		}
		o.Directory.PutApp(own)
		o.Directory.PutUser(person)
		b.open("/t/contoso/exchange/connect?way=graph")
		if tt.secret != "" {
			b.do(chromedp.Click(`main input[value="secret"]`))
			b.fill("secret", tt.secret)
		}
		b.fill("organization", orElse(tt.organization, o.Organization))
		b.fill("client", o.ClientID)
		b.press("Connect")
		if tt.decide != "" {
			b.enterCode(tt.decide)
		}
		b.sees(tt.cause)
		b.sees(tt.mend)
		if _, err := w.opened.store.Setting(t.Context(), "contoso", "exchange-connection"); err == nil {
			t.Errorf("%s: connected all the same", tt.name)
		}
	}
	o.Directory.PutApp(app)
	o.Directory.PutUser(admin)
	b.connect(o, o.ClientSecret) // nothing of it stays
	b.sees("Done.")
}

// Every failure of a change names cause and mend, and the same change started again
// goes on from there.
func TestFailuresOfAChangeAreToldInTheBrowserAndResumable(t *testing.T) {
	w, b := wizardWorld(t, nil)
	o := w.twin.Tenants()[0]
	b.connect(o, o.ClientSecret)
	b.sees("Done.")
	app, _ := o.Directory.App(o.ClientID)
	for _, tt := range []struct {
		name        string
		before      func()
		after       func()
		cause, mend string
		press       string
	}{
		{name: "insufficient permissions in the midst", before: func() {
			o.Plan(twin.Fault{Cmdlet: "New-TransportRule", Times: 1000, Kind: twin.FaultNUL})
		}, press: "Apply these changes", cause: "insufficient permissions", mend: "Give the account or the app's service principal the role Exchange Administrator"},
		{name: "throttled", before: func() {
			o.Plan(twin.Fault{Cmdlet: "Get-", Times: 1000, Kind: twin.FaultThrottle, RetryAfter: time.Millisecond})
		}, cause: "too many requests of this tenant", mend: "Wait a few minutes and run the same again"},
		{name: "network down", before: func() {
			o.Plan(twin.Fault{Cmdlet: "Get-", Times: 1000, Kind: twin.FaultKill})
		}, cause: "did not answer", mend: "run the same again"},
		{name: "the role was taken away", before: func() {
			less := app
			less.Roles = nil
			o.Directory.PutApp(less)
		}, after: func() { o.Directory.PutApp(app) }, cause: "insufficient permissions", mend: "wait 15 minutes and try again"},
		{name: "somebody else is at it", before: func() {
			if _, err := w.opened.store.Take(t.Context(), store.Lease{Tenant: "contoso", Name: "exchange", Who: "bob@contoso.example", What: "rollback"}); err != nil {
				t.Fatal(err)
			}
		}, after: func() {
			if l, err := w.opened.store.Holder(t.Context(), "contoso", "exchange"); err != nil || w.opened.store.Give(t.Context(), l) != nil {
				t.Fatal(err)
			}
		}, press: "Apply these changes", cause: "bob@contoso.example is changing this Exchange (rollback, since", mend: "Wait until it has ended."},
	} {
		if tt.press == "" { // reading fails already
			tt.before()
			b.open("/t/contoso/exchange/plan")
		} else {
			b.open("/t/contoso/exchange/plan")
			b.sees("Nothing has been done yet")
			w.opened.log.Debug(tt.name)
			tt.before()
			b.press(tt.press)
		}
		patience := time.Now().Add(patience) // temporary faults are tried again for a while
		for !b.says(tt.cause) && time.Now().Before(patience) {
			time.Sleep(200 * time.Millisecond)
		}
		b.sees(tt.cause)
		b.sees(tt.mend)
		o.Plan()
		if tt.after != nil {
			tt.after()
		}
	}
	b.open("/t/contoso/exchange/plan")
	b.press("Apply these changes")
	b.sees("Done. Everything was made as planned.")

	if err := o.Change("TransportRule", "Postern Inbound Relay", "SetHeaderValue", "of somebody else"); err != nil {
		t.Fatal(err)
	}
	b.open("/t/contoso/exchange") // an object that others changed in between is named, and left alone
	b.press("Roll back")
	b.press("Roll back")
	b.sees("Done.")
	if state, err := newExchange(w.opened, nil).State(t.Context(), "contoso"); err != nil || state.Redirects() {
		t.Errorf("not rolled back: %v", err)
	}
}

func TestTheDefenderWizardInTheBrowser(t *testing.T) {
	w, b := wizardWorld(t, func(o *twin.Options) { o.Tenants[0].NoDefender = true })
	o := w.twin.Tenants()[0]
	b.connect(o, o.ClientSecret)
	b.sees("Done.")
	before := stateOf(t, o)
	b.open("/t/contoso/exchange/protection")
	b.sees("What nobody can switch off")
	b.sees("Malware is always detected and quarantined.")
	b.press("Next")
	b.sees("Choose at least one")
	if b.says("Links are no longer rewritten") {
		t.Error("Safe Links is offered without its licence")
	}
	b.sees("Not in this organization")
	b.press("Configure")
	b.sees("Choose at least one policy.")
	b.do(chromedp.Click(`input[value="antispam-default"]`))
	b.press("Configure")
	b.sees("Done.")
	b.open("/t/contoso/exchange/protection?step=choose")
	b.sees("from here")
	b.press("Put back all that was switched off here")
	b.sees("Done.")
	if after := stateOf(t, o); !equalStates(before, after) {
		t.Error("the policies did not come back as they were")
	}
}

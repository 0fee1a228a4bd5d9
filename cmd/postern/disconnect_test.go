package main

import (
	"errors"
	"os"
	"strings"
	"testing"

	"postern/internal/admin"
	"postern/internal/store"
	"postern/internal/twin/login"
)

// R24: after a disconnect no process makes another call with the credential, its
// sealed copy is no row of the database any more, and once the person has done what
// the steps say, Microsoft refuses it from whoever has it.
func TestADisconnectEndsTheAppsCredentialInEveryProcess(t *testing.T) {
	w, err := newDemoWorldLike(t.Context(), t.TempDir(), "127.0.0.1:0", demoLike{log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	ctx, o := t.Context(), w.twin.Tenants()[0]
	x := newExchange(w.opened, nil)
	if _, err := x.AddTenant(ctx, "Contoso"); err != nil {
		t.Fatal(err)
	}
	credential := admin.Credential{Organization: o.Organization, ClientID: o.ClientID, Secret: o.ClientSecret}
	if _, err := x.Connect(ctx, "contoso", credential); err != nil {
		t.Fatal(err)
	}
	again := *w.opened
	again.signIns = nil // as another process has it
	engine, err := newExchange(&again, nil).Engine(ctx, "contoso")
	if err != nil {
		t.Fatal(err)
	}
	const look = "Get-OrganizationConfig"
	if _, err := engine.Commander.Invoke(ctx, look, nil); err != nil {
		t.Fatalf("the other process, before: %v", err)
	}
	if _, err := x.Store.Setting(ctx, "contoso", "exchange-session"); err != nil {
		t.Fatalf("the sealed credential, before: %v", err)
	}

	steps, err := x.Disconnect(ctx, "contoso")
	if err != nil || !strings.Contains(strings.Join(steps, " "), "Delete the client secret") {
		t.Fatalf("steps %q, %v", steps, err)
	}
	calls := o.Calls()
	if _, err := engine.Commander.Invoke(ctx, look, nil); err == nil {
		t.Error("the other process still uses the credential, and the token that it has of it")
	}
	if _, err := x.Engine(ctx, "contoso"); !errors.Is(err, admin.ErrNotConnected) {
		t.Errorf("a new engine: %v", err)
	}
	if o.Calls() != calls {
		t.Errorf("%d calls after the disconnect", o.Calls()-calls)
	}
	for _, name := range []string{"exchange-session", "exchange-connection"} {
		if _, err := x.Store.Setting(ctx, "contoso", name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("setting %s is still there: %v", name, err)
		}
	}

	app, ok := o.Directory.App(o.ClientID)
	if !ok {
		t.Fatal("no app")
	}
	app.Secrets = []login.Secret{{Value: "another one"}}
	o.Directory.PutApp(app) // what the steps tell the person to do
	if _, err := x.Connect(ctx, "contoso", credential); err == nil {
		t.Error("the credential still opens the organization")
	} else {
		t.Log(err)
	}
}

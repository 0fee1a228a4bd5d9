package admin_test

import (
	"errors"
	"testing"

	"postern/internal/admin"
	"postern/internal/provider"
	"postern/internal/store"
)

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

func TestWhoThePortalLetsInFromElsewhere(t *testing.T) {
	const iss = "https://idp.example"
	roles := []admin.GroupRole{{Group: "admins", Role: "security-admin"}, {Group: "desk", Role: "helpdesk", Tenant: "acme"}}
	for _, tt := range []struct {
		name  string
		set   admin.Provider
		who   provider.Person
		role  string // of whom it lets in
		stage string
		err   error
	}{
		{"by a verified address", admin.Provider{Believe: "verified"}, provider.Person{Email: "bob@example.com", Verified: yes()}, "helpdesk", admin.StageEnrol, nil},
		{"with a second factor there", admin.Provider{Believe: "verified"}, provider.Person{Email: "bob@example.com", Verified: yes(), Methods: []string{"mfa"}}, "helpdesk", admin.StageIn, nil},
		{"where the provider's word is taken", admin.Provider{Believe: "verified", TrustFactor: true}, provider.Person{Email: "bob@example.com", Verified: yes()}, "helpdesk", admin.StageIn, nil},
		{"an address it did not verify", admin.Provider{Believe: "verified"}, provider.Person{Email: "bob@example.com", Verified: no()}, "", "", admin.ErrUnverified},
		{"an address it says nothing of", admin.Provider{Believe: "verified"}, provider.Person{Email: "bob@example.com"}, "", "", admin.ErrUnverified},
		{"that, where the organization gives addresses", admin.Provider{Believe: "managed"}, provider.Person{Email: "bob@example.com"}, "helpdesk", admin.StageEnrol, nil},
		{"an unverified one even then", admin.Provider{Believe: "managed"}, provider.Person{Email: "bob@example.com", Verified: no()}, "", "", admin.ErrUnverified},
		{"an address that is not believed", admin.Provider{Believe: "none"}, provider.Person{Email: "bob@example.com", Verified: yes()}, "", "", admin.ErrNoAccount},
		{"a stranger", admin.Provider{Believe: "verified"}, provider.Person{Email: "eve@example.com", Verified: yes()}, "", "", admin.ErrNoAccount},
		{"a stranger with a role", admin.Provider{Believe: "verified", Provision: true, Roles: roles}, provider.Person{Email: "eve@example.com", Verified: yes(), Groups: []string{"x", "admins"}}, "security-admin", admin.StageEnrol, nil},
		{"a stranger with a role in a tenant", admin.Provider{Believe: "verified", Provision: true, Roles: roles}, provider.Person{Email: "eve@example.com", Verified: yes(), Groups: []string{"desk"}}, "helpdesk", admin.StageEnrol, nil},
		{"a stranger without one", admin.Provider{Believe: "verified", Provision: true, Roles: roles}, provider.Person{Email: "eve@example.com", Verified: yes()}, "", "", admin.ErrNoRole},
		{"a stranger with a role where an owner invites", admin.Provider{Believe: "verified", Roles: roles}, provider.Person{Email: "eve@example.com", Verified: yes(), Groups: []string{"admins"}}, "", "", admin.ErrNoAccount},
		{"a role that changed", admin.Provider{Believe: "verified", Roles: roles}, provider.Person{Email: "bob@example.com", Verified: yes(), Groups: []string{"admins"}}, "security-admin", admin.StageEnrol, nil},
		{"a role that is another tenant's", admin.Provider{Believe: "verified", Roles: roles}, provider.Person{Email: "bob@example.com", Verified: yes(), Groups: []string{"desk"}}, "", "", admin.ErrNoRole},
		{"another Microsoft tenant", admin.Provider{Believe: "verified", Tenants: []string{"t-1"}}, provider.Person{Email: "bob@example.com", Verified: yes(), Tenant: "t-2"}, "", "", admin.ErrOutside},
		{"another domain", admin.Provider{Believe: "verified", Domains: []string{"example.org"}}, provider.Person{Email: "bob@example.com", Verified: yes()}, "", "", admin.ErrOutside},
		{"who may not sign in any more", admin.Provider{Believe: "verified"}, provider.Person{Email: "off@example.com", Verified: yes()}, "", "", admin.ErrDisabled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			ctx := t.Context()
			if _, err := w.AddTenant(ctx, "Acme"); err != nil {
				t.Fatal(err)
			}
			for _, email := range []string{"bob@example.com", "off@example.com"} {
				if _, err := w.AddUser(ctx, email, "", "helpdesk"); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.SetDisabled(ctx, "off@example.com", true); err != nil {
				t.Fatal(err)
			}
			tt.who.Issuer, tt.who.Subject = iss, "1"
			_, s, err := w.SignInFrom(ctx, tt.set, tt.who, browser)
			if !errors.Is(err, tt.err) || s.Stage != tt.stage {
				t.Fatalf("stage %q, %v; want %q, %v", s.Stage, err, tt.stage, tt.err)
			}
			if tt.err != nil {
				return
			}
			if u, err := w.Store.User(ctx, tt.who.Email); err != nil || u.Role != tt.role {
				t.Errorf("role %q, want %q (%v)", u.Role, tt.role, err)
			}
			tt.who.Email = "renamed@example.com" // the account is known by its subject from now on
			if len(tt.set.Domains) == 0 {
				if _, s, err := w.SignInFrom(ctx, tt.set, tt.who, browser); err != nil || s.Email == "renamed@example.com" {
					t.Errorf("the second time as %q: %v", s.Email, err)
				}
			}
		})
	}
}

func TestTheLastOwnerIsNotDemotedByAProvider(t *testing.T) {
	w := newWorld(t)
	w.owner(t)
	set := admin.Provider{Believe: "verified", TrustFactor: true, Roles: []admin.GroupRole{{Group: "*", Role: "user"}}}
	_, s, err := w.SignInFrom(t.Context(), set, provider.Person{Issuer: "i", Subject: "1", Email: "ann@example.com", Verified: yes()}, browser)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := w.Store.User(t.Context(), s.Email); err != nil || u.Role != "owner" {
		t.Errorf("role %q, %v", u.Role, err)
	}
}

func TestAnAccountElsewhereOpensOneAccountHere(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	var users []store.User
	for _, email := range []string{"ann@example.com", "bob@example.com"} {
		u, err := w.AddUser(ctx, email, "", "helpdesk")
		if err != nil {
			t.Fatal(err)
		}
		users = append(users, u)
	}
	who := provider.Person{Issuer: "i", Subject: "1"}
	if err := w.Link(ctx, admin.Provider{}, users[0], who); err != nil {
		t.Fatal(err)
	}
	if err := w.Link(ctx, admin.Provider{}, users[1], who); !errors.Is(err, admin.ErrLinked) {
		t.Errorf("linked twice: %v", err)
	}
	if _, _, err := w.Invite(ctx, users[0].Email); err != nil { // the account was lost
		t.Fatal(err)
	}
	if _, _, err := w.SignInFrom(ctx, admin.Provider{Believe: "none"}, who, browser); !errors.Is(err, admin.ErrNoAccount) {
		t.Errorf("still linked after a new invitation: %v", err)
	}
}

func TestRolesByGroupAreReadLineByLine(t *testing.T) {
	roles, err := admin.ParseRoles(" a=b = owner \n\n* = user @ acme\n")
	if err != nil || len(roles) != 2 || roles[0] != (admin.GroupRole{Group: "a=b", Role: "owner"}) || roles[1].String() != "* = user @ acme" {
		t.Errorf("%v %v", roles, err)
	}
	if _, err := admin.ParseRoles("owner"); err == nil {
		t.Error("a line without a group")
	}
}

package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"testing"
)

// TestPagesOfSigningInAndTenants looks at these pages with axe-core (POSTERN_AXE),
// and takes pictures of them (POSTERN_SCREENSHOTS).
func TestPagesOfSigningInAndTenants(t *testing.T) {
	axe, err := os.ReadFile(os.Getenv("POSTERN_AXE"))
	dir := os.Getenv("POSTERN_SCREENSHOTS")
	if err != nil && dir == "" {
		t.Skip("set POSTERN_AXE or POSTERN_SCREENSHOTS")
	}
	w, b := portalWorld(t)
	onLocalhost(b)
	b.expects("status of 401")
	b.owner(w.token(t))
	a := w.opened.admin()
	if _, err := a.AddTenant(t.Context(), "Contoso"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AddUser(t.Context(), "bob@contoso.example", "contoso", "helpdesk"); err != nil {
		t.Fatal(err)
	}
	logo := image.NewNRGBA(image.Rect(0, 0, 240, 56))
	for x := range 240 {
		for y := range 56 {
			logo.Set(x, y, color.NRGBA{uint8(90 + x/4), 20, 80, 255})
		}
	}
	var octets bytes.Buffer
	if err := png.Encode(&octets, logo); err != nil {
		t.Fatal(err)
	}
	if err := a.SetBrand(t.Context(), "contoso", "Contoso Mail", "#7a1f5c", octets.Bytes()); err != nil {
		t.Fatal(err)
	}
	look := func(pages [][2]string) {
		for _, page := range pages {
			if len(axe) > 0 {
				b.barriers(page[1], string(axe))
			}
			if dir != "" {
				b.open(page[1])
				b.shoot(dir, page[0])
			}
		}
	}
	look([][2]string{{"tenant", "/tenants/contoso"}, {"look", "/t/contoso/look"}, {"tenants", "/tenants"}, {"approvals", "/approvals"}, {"provider", "/provider"}, {"account", "/account"},
		{"users", "/users"}, {"user", "/users/bob@contoso.example"}, {"ask", "/users/bob@contoso.example/ask/disable"}, {"passkey", "/second-factor/passkey"}})
	b.signOut()
	look([][2]string{{"sign-in", "/sign-in"}, {"invitation", "/invitation"}, {"sign-in-elsewhere-refused", "/sign-in/provider/return?state=x"}})
	b.open("/sign-in")
	b.fill("email", "ann@contoso.example")
	b.fill("password", "correct horse battery")
	b.press("Sign in")
	b.sees("recovery codes")
	look([][2]string{{"code", "/sign-in/code"}})
}

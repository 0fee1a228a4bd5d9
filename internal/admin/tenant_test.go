package admin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/store"
)

func picture(t *testing.T, w, h int, encode func(*bytes.Buffer, image.Image) error) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for x := range w {
		m.Set(x, h/2, color.RGBA{200, 30, 30, 255})
	}
	var b bytes.Buffer
	if err := encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(b *bytes.Buffer, m image.Image) error  { return png.Encode(b, m) }
func asJPEG(b *bytes.Buffer, m image.Image) error { return jpeg.Encode(b, m, nil) }

func TestEveryAccentCanBeReadInLightAndDark(t *testing.T) {
	refused := 0
	for r := 0; r <= 255; r += 51 {
		for g := 0; g <= 255; g += 51 {
			for b := 0; b <= 255; b += 51 {
				c := admin.Colour{float64(r) / 255, float64(g) / 255, float64(b) / 255}
				a, err := admin.AccentsOf(c.String())
				if err != nil {
					refused++
					near := err.Error()[strings.Index(err.Error(), ": #")+2:][:7]
					if a, err = admin.AccentsOf(near); err != nil {
						t.Errorf("%s: the colour it names instead does not do: %v", c, err)
					}
				}
				for ground, accent := range map[string]admin.Accent{"#ffffff": a.Light, "#f5f3ee": a.Light, "#1a2221": a.Dark, "#202a28": a.Dark} {
					main, ink, soft, under := parse(t, accent.Main), parse(t, accent.Ink), parse(t, accent.Soft), parse(t, ground)
					for what, ratio := range map[string]float64{"text on the ground": admin.Contrast(main, under), "what is written on it": admin.Contrast(main, ink), "text on its soft ground": admin.Contrast(main, soft)} {
						if ratio < 4.5 {
							t.Errorf("%s on %s, %s: %.2f", accent.Main, ground, what, ratio)
						}
					}
				}
			}
		}
	}
	if refused == 0 || refused == 216 {
		t.Errorf("%d of 216 colours are refused", refused)
	}
}

func parse(t *testing.T, s string) admin.Colour {
	t.Helper()
	c, err := admin.ParseColour(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestALookIsCheckedAndDrawnAnew(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if _, err := w.AddTenant(ctx, "Acme"); err != nil {
		t.Fatal(err)
	}
	if b, err := w.Brand(ctx, "acme"); err != nil || b != (admin.Brand{}) {
		t.Errorf("at first: %+v %v", b, err)
	}
	hidden := append(picture(t, 960, 400, asPNG), "<script>alert(1)</script>"...)
	for _, tt := range []struct {
		name, accent string
		logo         []byte
		err          string
	}{
		{"an SVG", "", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>`), "export it as PNG"},
		{"too large", "", picture(t, 4001, 10, asPNG), "4001 by 10 points"},
		{"cut", "", picture(t, 100, 100, asPNG)[:60], "damaged"},
		{"a pale colour", "#ffee88", nil, "is near it and can"},
		{"no colour", "red", nil, "#rrggbb"},
		{"a JPEG", "#0b5f58", picture(t, 300, 100, asJPEG), ""},
		{"a PNG with something after it", "#7a1f5c", hidden, ""},
	} {
		err := w.SetBrand(ctx, "acme", "Acme Mail", tt.accent, tt.logo)
		if (err == nil) != (tt.err == "") || (err != nil && !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	logo, err := w.BrandLogo(ctx, "acme")
	if err != nil || bytes.Contains(logo, []byte("script")) {
		t.Fatalf("the logo kept what was hidden in it: %v", err)
	}
	if m, err := png.DecodeConfig(bytes.NewReader(logo)); err != nil || m.Height != 112 || m.Width > 480 {
		t.Errorf("%d by %d, %v", m.Width, m.Height, err)
	}
	first, err := w.Brand(ctx, "acme")
	if err != nil || first.Name != "Acme Mail" || first.Colors.Light.Main != "#7a1f5c" || len(first.ID) != 32 {
		t.Errorf("%+v %v", first, err)
	}
	if err := w.SetBrand(ctx, "acme", "Acme Mail", "", []byte{}); err != nil {
		t.Fatal(err)
	}
	if second, err := w.Brand(ctx, "acme"); err != nil || second.Logo || second.ID == first.ID {
		t.Errorf("%+v %v", second, err)
	}
}

func TestATenantIsRemovedOnlyWhenNothingComesOrGoes(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if _, err := w.AddTenant(ctx, "Acme Ltd"); err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.Store.PutDomain(ctx, mail.Domain{Name: "acme.example", Tenant: "acme-ltd", Enabled: true}))
	refuses := func(why, typed string) {
		t.Helper()
		if err := w.RemoveTenant(ctx, "acme-ltd", typed); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want %q", err, why)
		}
	}
	refuses("write its name", "acme ltd")
	refuses("disable it first", "Acme Ltd")
	must(w.Store.PutDomain(ctx, mail.Domain{Name: "acme.example", Tenant: "acme-ltd", Disabled: true}))
	must(w.Store.PutSetting(ctx, "acme-ltd", "exchange-connection", []byte("{}")))
	refuses("disconnect it first", "Acme Ltd")
	must(w.Store.PutSetting(ctx, "acme-ltd", "exchange-connection", nil))

	_, err := w.AddUser(ctx, "ann@acme.example", "acme-ltd", "owner")
	must(err)
	var b bytes.Buffer
	must(w.ExportTenant(ctx, "acme-ltd", &b))
	var x struct {
		Tenant  struct{ Name string }
		Domains []mail.Domain
		Users   []struct{ Email string }
	}
	must(json.Unmarshal(b.Bytes(), &x))
	if x.Tenant.Name != "Acme Ltd" || len(x.Domains) != 1 || len(x.Users) != 1 {
		t.Errorf("exported %+v", x)
	}
	tenant, err := w.Store.Tenant(ctx, "acme-ltd")
	must(err)
	if strings.Contains(b.String(), tenant.Token) {
		t.Error("the export has the token")
	}
	must(w.RemoveTenant(ctx, "acme-ltd", "Acme Ltd"))
	if _, err := w.Store.Tenant(ctx, "acme-ltd"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("still there: %v", err)
	}
	log, err := w.Store.AuditLog(ctx, store.AuditFilter{Tenant: "acme-ltd", Action: "tenant.remove"})
	if err != nil || len(log) != 1 {
		t.Errorf("%d audit entries, %v", len(log), err)
	}
}

func TestATenantHasNoMoreUsersThanItsLimit(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if _, err := w.AddTenant(ctx, "Acme"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.SetTenant(ctx, "acme", "Acme", mail.Limits{Users: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddUser(ctx, "ann@acme.example", "acme", "owner"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddUser(ctx, "bob@acme.example", "acme", "owner"); err == nil || !strings.Contains(err.Error(), "which is its limit") {
		t.Errorf("one more: %v", err)
	}
	if _, err := w.SetTenant(ctx, "acme", "Acme", mail.Limits{Messages: -1}); err == nil {
		t.Error("a limit below zero")
	}
}

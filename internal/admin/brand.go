package admin

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/gif"  // read, and drawn anew as PNG
	_ "image/jpeg" // read, and drawn anew as PNG
	"image/png"
	"strings"

	"golang.org/x/image/draw"

	"postern/internal/mail"
	"postern/internal/store"
)

// A Brand is how a tenant looks to its people: in the portal, on the pages of
// recipients and in their mail. The zero value is Postern's own look.
type Brand struct {
	Name   string  // "" is the tenant's name
	Accent string  // "#rrggbb"; "" is Postern's
	Colors Accents // of Accent, ready to use
	Logo   bool    // there is one; see BrandLogo
	ID     string  // names this very look in addresses, and cannot be guessed; "" for the zero value
}

const (
	brandSetting = "brand"
	logoSetting  = "brand-logo"
	maxLogoSide  = 4000 // pixels of what is read
	logoWidth    = 480  // of what is kept, at most: twice what is shown
	logoHeight   = 112
)

// keptBrand is what a setting holds.
type keptBrand struct {
	Name   string `json:"name,omitempty"`
	Accent string `json:"accent,omitempty"`
	Logo   string `json:"logo,omitempty"` // SHA-256 of the picture
}

// Brand returns a tenant's look.
func (a *Admin) Brand(ctx context.Context, tenant string) (b Brand, err error) {
	kept, err := a.keptBrand(ctx, tenant)
	if err != nil || kept == (keptBrand{}) {
		return b, err
	}
	b = Brand{Name: kept.Name, Accent: kept.Accent, Logo: kept.Logo != ""}
	if b.Accent != "" {
		if b.Colors, err = AccentsOf(b.Accent); err != nil {
			return b, fmt.Errorf("look of tenant %s: %w", tenant, err)
		}
	}
	key := a.Root.Derive("brand")
	h := hmac.New(sha256.New, key[:])
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00%s", tenant, kept.Name, kept.Accent, kept.Logo)
	b.ID = hex.EncodeToString(h.Sum(nil)[:16])
	return b, nil
}

func (a *Admin) keptBrand(ctx context.Context, tenant string) (kept keptBrand, err error) {
	text, err := a.Store.Setting(ctx, tenant, brandSetting)
	if errors.Is(err, store.ErrNotFound) {
		return kept, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	return kept, err
}

// BrandLogo returns a tenant's logo as PNG; store.ErrNotFound if there is none.
func (a *Admin) BrandLogo(ctx context.Context, tenant string) ([]byte, error) {
	return a.Store.Setting(ctx, tenant, logoSetting)
}

// SetBrand changes a tenant's look. A logo of nil stays as it was, an empty one is
// taken away; else it is a PNG, JPEG or GIF, which is drawn anew so that nothing but
// its points is kept. The error says what does not do, and why.
func (a *Admin) SetBrand(ctx context.Context, tenant, name, accent string, logo []byte) error {
	t, err := a.Tenant(ctx, tenant)
	if err != nil {
		return err
	}
	before, err := a.keptBrand(ctx, t.ID)
	if err != nil {
		return err
	}
	after := keptBrand{Name: strings.TrimSpace(name), Accent: strings.ToLower(strings.TrimSpace(accent)), Logo: before.Logo}
	if len(after.Name) > 40 {
		return mail.Refuse("the name %q is too long to be shown: at most 40 letters", after.Name)
	}
	if after.Accent != "" {
		if _, err := AccentsOf(after.Accent); err != nil {
			return err
		}
	}
	if logo != nil {
		if err := a.setLogo(ctx, t.ID, logo, &after); err != nil {
			return err
		}
	}
	text, err := json.Marshal(after)
	if err != nil {
		return err
	}
	if err := a.Store.PutSetting(ctx, t.ID, brandSetting, text); err != nil {
		return err
	}
	was, _ := json.Marshal(before) // of strings
	return a.note(ctx, t.ID, "tenant.brand", t.ID, string(was), string(text))
}

func (a *Admin) setLogo(ctx context.Context, tenant string, logo []byte, b *keptBrand) error {
	if len(logo) == 0 {
		b.Logo = ""
		return a.Store.PutSetting(ctx, tenant, logoSetting, nil)
	}
	drawn, err := drawLogo(logo)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(drawn)
	b.Logo = hex.EncodeToString(sum[:])
	return a.Store.PutSetting(ctx, tenant, logoSetting, drawn)
}

// drawLogo reads a picture and draws it anew, small enough for every page.
func drawLogo(octets []byte) ([]byte, error) {
	size, kind, err := image.DecodeConfig(bytes.NewReader(octets))
	if err != nil {
		return nil, mail.Refuse("the logo is not a PNG, JPEG or GIF: save it as one of these; an SVG can carry scripts, so export it as PNG")
	}
	if size.Width > maxLogoSide || size.Height > maxLogoSide || size.Width*size.Height > maxLogoSide*maxLogoSide/2 || size.Width < 8 || size.Height < 8 {
		return nil, mail.Refuse("the logo has %d by %d points: make it about %d by %d", size.Width, size.Height, logoWidth, logoHeight)
	}
	picture, _, err := image.Decode(bytes.NewReader(octets))
	if err != nil {
		return nil, mail.Refuse("the logo's %s is damaged: save it again", strings.ToUpper(kind))
	}
	scale := min(1, float64(logoWidth)/float64(size.Width), float64(logoHeight)/float64(size.Height))
	to := image.NewNRGBA(image.Rect(0, 0, max(1, int(float64(size.Width)*scale)), max(1, int(float64(size.Height)*scale))))
	draw.CatmullRom.Scale(to, to.Bounds(), picture, picture.Bounds(), draw.Src, nil)
	var b bytes.Buffer
	if err := png.Encode(&b, to); err != nil {
		return nil, fmt.Errorf("draw the logo: %w", err)
	}
	return b.Bytes(), nil
}

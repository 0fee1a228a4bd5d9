package portal

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/boombuler/barcode/qr"

	"postern/internal/admin"
)

// factorPage sets up the second factor, and at the end shows the recovery codes.
type factorPage struct {
	*shell
	Secret   string
	Grouped  string // to type in
	QR       picture
	Why      string
	Recovery []string // set: it is done
	Replace  bool     // there was one before
	Renewed  bool     // only the recovery codes are new
}

// A picture is a QR code as squares.
type picture struct {
	Side int    // with its quiet zone
	Path string // of an SVG
}

func (p *Portal) factorForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	f, err := v.NewFactor(v.user.Email, "Postern "+p.Hostname)
	if err != nil {
		return err
	}
	page := factorPage{shell: p.shell(r, v, "Second factor"), Secret: f.Secret, Replace: v.user.Factor != nil}
	return p.showFactor(w, http.StatusOK, page, f.URL)
}

func (p *Portal) showFactor(w http.ResponseWriter, status int, page factorPage, url string) error {
	var err error
	if page.QR, err = drawQR(url); err != nil {
		return err
	}
	page.Grouped = groups(page.Secret)
	return p.render(w, status, "factor", page)
}

// factor takes the first code. The secret came with the form: it opens nothing
// before a code of it was given by who is signed in.
func (p *Portal) factor(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.signedIn() {
		if asked, err := p.askAgain(w, r, v); asked || err != nil {
			return err // replacing a factor needs the old one
		}
	}
	page := factorPage{shell: p.shell(r, v, "Second factor"), Secret: r.PostFormValue("secret"), Replace: v.user.Factor != nil}
	if len(page.Secret) != 32 || strings.Trim(page.Secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return errBad
	}
	recovery, err := v.SetFactor(r.Context(), v.user.Email, page.Secret, strings.ReplaceAll(r.PostFormValue("code"), " ", ""), v.session.Hash)
	if errors.Is(err, admin.ErrCode) {
		page.Why = v.words.Wrong(err)
		return p.showFactor(w, http.StatusUnprocessableEntity, page, fmt.Sprintf("otpauth://totp/Postern:%s?issuer=Postern&secret=%s", v.user.Email, page.Secret))
	}
	if err != nil {
		return err
	}
	token, s, err := v.Renew(r.Context(), v.session, visitor(r))
	if err != nil {
		return err
	}
	if err := p.enter(w, r, token, s); err != nil {
		return err
	}
	v.session = s
	page.shell, page.Recovery, page.Secret = p.shell(r, v, "Second factor"), recovery, ""
	return p.render(w, http.StatusOK, "factor", page)
}

// drawQR makes a QR code of text as one SVG path.
func drawQR(text string) (picture, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return picture{}, fmt.Errorf("draw QR code: %w", err)
	}
	const quiet = 4 // modules around it (ISO/IEC 18004)
	var b strings.Builder
	side := code.Bounds().Dx()
	for y := range side {
		for x := range side {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	return picture{side + 2*quiet, b.String()}, nil
}

// groups puts blanks into a secret that is typed in.
func groups(s string) string {
	var parts []string
	for len(s) > 4 {
		parts, s = append(parts, s[:4]), s[4:]
	}
	return strings.Join(append(parts, s), " ")
}

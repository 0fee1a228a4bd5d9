package portal

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"postern/internal/admin"
	"postern/internal/store"
)

// lookPage sets how a tenant looks to its people.
type lookPage struct {
	*shell
	Name, Accent string
	Look         admin.Brand // as it is
	May          bool
	Why          string
}

func (p *Portal) look(w http.ResponseWriter, r *http.Request, v *visit) error {
	b, err := p.Exchange.Brand(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	return p.showLook(w, r, v, http.StatusOK, lookPage{Name: b.Name, Accent: b.Accent})
}

func (p *Portal) showLook(w http.ResponseWriter, r *http.Request, v *visit, status int, pg lookPage) (err error) {
	pg.shell, pg.May = p.shell(r, v, "Look"), v.has(changers)
	if pg.Look, err = p.Exchange.Brand(r.Context(), v.tenant.ID); err != nil {
		return err
	}
	return p.render(w, status, "look", pg)
}

func (p *Portal) setLook(w http.ResponseWriter, r *http.Request, v *visit) error {
	name, accent := r.PostFormValue("name"), r.PostFormValue("accent")
	logo, err := sentLogo(r)
	if err == nil {
		err = v.SetBrand(r.Context(), v.tenant.ID, name, accent, logo)
	}
	if err != nil {
		return p.showLook(w, r, v, http.StatusUnprocessableEntity, lookPage{Name: name, Accent: accent, Why: v.words.Wrong(err)})
	}
	return tell(w, r, "/t/"+v.tenant.ID+"/look", "good", v.words.T("The look is kept. It shows here, on recipients' pages and in their mail."))
}

// sentLogo is the picture of a form: nil where none was sent, empty where it is to
// be taken away.
func sentLogo(r *http.Request) ([]byte, error) {
	if r.PostFormValue("no-logo") != "" {
		return []byte{}, nil
	}
	if r.MultipartForm == nil || len(r.MultipartForm.File["logo"]) == 0 {
		return nil, nil
	}
	f, err := r.MultipartForm.File["logo"][0].Open()
	if err != nil {
		return nil, fmt.Errorf("the logo could not be read: %w", err)
	}
	defer f.Close()
	octets, err := io.ReadAll(io.LimitReader(f, maxForm))
	if len(octets) == 0 {
		return nil, err
	}
	return octets, err
}

// brandFile serves a tenant's logo and colours to whoever was told their name, which
// changes with them.
func (p *Portal) brandFile(w http.ResponseWriter, r *http.Request, _ *visit) error {
	tenant := r.PathValue("tenant")
	b, err := p.Exchange.Brand(r.Context(), tenant)
	if err != nil {
		return err
	}
	if b.ID == "" || b.ID != r.PathValue("id") {
		return errMissing
	}
	var body []byte
	switch r.PathValue("file") {
	case "logo.png":
		if body, err = p.Exchange.BrandLogo(r.Context(), tenant); errors.Is(err, store.ErrNotFound) {
			return errMissing
		}
		w.Header().Set("Content-Type", "image/png")
	case "colours.css":
		if b.Accent == "" {
			return errMissing
		}
		set := func(a admin.Accent) string {
			return fmt.Sprintf("{ --accent: %s; --accent-ink: %s; --accent-soft: %s; }", a.Main, a.Ink, a.Soft)
		}
		body = fmt.Appendf(nil, ":root %s\n@media (prefers-color-scheme: dark) { :root:not([data-theme=\"light\"]) %s }\n:root[data-theme=\"dark\"] %s\n", set(b.Colors.Light), set(b.Colors.Dark), set(b.Colors.Dark))
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
	default:
		return errMissing
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(body) // the browser may have gone
	return nil
}

package portal

import (
	"net/http"

	"postern/internal/lockedzip"
	"postern/internal/mail"
)

// zipPassword is what analysts everywhere use; the page says it.
const zipPassword = "infected"

// download gives the message's own octets as a file that nothing opens by itself;
// dangerous ones only within an encrypted archive.
func (p *Portal) download(w http.ResponseWriter, r *http.Request, v *visit) error {
	row, err := p.copyOf(r, v, r.PathValue("id"))
	if err != nil {
		return err
	}
	if row.State != mail.Held {
		return errMissing
	}
	locked := row.Verdict == mail.Malware || row.Verdict == mail.Unjudged || r.PostFormValue("as") == "zip"
	how := "download"
	if locked {
		how = "download, in an encrypted archive"
	}
	if err := v.NoteReading(r.Context(), v.tenant.ID, r.PathValue("id"), how); err != nil {
		return err
	}
	octets, err := p.Held.Content(r.Context(), v.tenant.ID, row.ID)
	if err != nil {
		return err
	}
	name := string(row.ID) + ".eml"
	h := w.Header()
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	if locked {
		h.Set("Content-Type", "application/zip")
		h.Set("Content-Disposition", `attachment; filename="`+name+`.zip"`)
		return lockedzip.Write(w, name, zipPassword, octets, row.Received)
	}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = w.Write(octets)
	return nil
}

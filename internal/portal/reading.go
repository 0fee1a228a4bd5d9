package portal

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/parse/preview"
)

// readPart is what the visitor may read of a message, once a reason was given.
type readPart struct {
	May     string // "header", "content", or "" before a reason was given
	View    string // which of Views is shown
	Views   []view
	Header  []fieldLine
	Hops    []hop
	Text    []span
	Links   []linkLine
	Preview *preview.Document
	Cut     bool
	Failed  bool // it could not be taken apart safely
}

type view struct{ Name, Title string }

// A fieldLine is a header field with its evidence.
type fieldLine struct {
	Name  string
	Value []span
	Mark  int // the reason that is about the whole field
}

// A linkLine is a link as text.
type linkLine struct {
	Text                string
	Before, Host, After string // of the address
	Mark                int
}

// maxFields is as much of a header as anybody reads.
const maxFields = 300

// readMessage takes the reason for a reading, then shows what was asked for.
func (p *Portal) readMessage(w http.ResponseWriter, r *http.Request, v *visit) error {
	page, err := p.messagePage(r, v)
	if err != nil {
		return err
	}
	part := r.PostFormValue("part")
	switch {
	case part != "header" && part != "content":
		return errBad
	case !page.Held:
		page.Why = v.words.T("Only held mail can be read here: what was delivered is not kept.")
	case strings.TrimSpace(r.PostFormValue("reason")) == "":
		page.Why = v.words.T("Say why you read it; the audit log keeps it.")
	}
	if page.Why != "" {
		return p.render(w, http.StatusUnprocessableEntity, "message", page)
	}
	if err := v.MayRead(r.Context(), v.tenant.ID, page.Row.ID, page.Row.N, v.session.ID, part, r.PostFormValue("reason")); err != nil {
		return err
	}
	return redirect(w, r, "/t/"+v.tenant.ID+"/mail/"+page.ID+"#read")
}

// mayRead is what the visitor's session gave a reason for.
func (p *Portal) mayRead(r *http.Request, v *visit, page *messagePage) (string, error) {
	if !page.Held || !v.has(changers) {
		return "", nil
	}
	return p.Store.Reading(r.Context(), v.tenant.ID, page.Row.ID, page.Row.N, v.session.ID)
}

// fillReading shows of the content what may be read, in the view that was asked
// for.
func (p *Portal) fillReading(r *http.Request, v *visit, page *messagePage) error {
	may, err := p.mayRead(r, v, page)
	if err != nil || may == "" {
		return err
	}
	rd := &page.Read
	rd.May, rd.View = may, r.URL.Query().Get("view")
	if may == "header" {
		rd.View = "header"
	}
	if rd.View == "header" {
		header, err := p.Held.Header(r.Context(), v.tenant.ID, page.Row.ID)
		if err != nil {
			return err
		}
		rd.fillHeader(header, page.Reasons)
	}
	if may == "header" {
		return nil
	}
	octets, err := p.Held.Content(r.Context(), v.tenant.ID, page.Row.ID)
	if err != nil {
		return err
	}
	reading, err := p.Read(r.Context(), octets)
	if err != nil {
		p.Log.Warn("held message could not be read", "mid", page.Row.ID, "err", err)
		rd.Failed, reading = true, &Reading{}
	}
	rd.fillContent(v.words.T, reading, page.Reasons)
	return nil
}

func (rd *readPart) fillHeader(h mail.Header, reasons []reason) {
	rd.Hops = hopsOf(h)
	for _, f := range h[:min(len(h), maxFields)] {
		rd.Header = append(rd.Header, fieldLine{f.Name, mark(f.Value(), reasons), about(reasons, f.Name)})
	}
}

func (rd *readPart) fillContent(t func(string, ...any) string, reading *Reading, reasons []reason) {
	if reading.Preview.Body != "" {
		rd.Preview = &reading.Preview
		rd.Views = append(rd.Views, view{"preview", t("As its reader sees it")})
	}
	rd.Views = append(rd.Views, view{"text", t("Text")}, view{"links", t("Links (%d)", len(reading.Links))}, view{"header", t("Header")})
	if rd.View == "" || rd.View == "preview" && rd.Preview == nil {
		rd.View = rd.Views[0].Name
	}
	rd.Cut = reading.Cut
	rd.Text = mark(reading.Text, reasons)
	for _, l := range reading.Links {
		line := linkLine{Text: l.Text}
		line.Before, line.Host, line.After = preview.CutHost(l.URL)
		for _, s := range mark(l.URL+" "+l.Text, reasons) {
			if line.Mark == 0 {
				line.Mark = s.Mark
			}
		}
		rd.Links = append(rd.Links, line)
	}
}

// preview is a message's HTML, made harmless, as a document of its own. Even
// opened by itself it has no origin, runs nothing, and loads nothing: the page
// around it does not have to be right for that (safety.md R19).
func (p *Portal) preview(w http.ResponseWriter, r *http.Request, v *visit) error {
	page, err := p.messagePage(r, v)
	if err != nil {
		return err
	}
	may, err := p.mayRead(r, v, &page)
	if err != nil {
		return err
	}
	if may != "content" {
		return &problem{http.StatusForbidden, "Say why you read it; the audit log keeps it."}
	}
	octets, err := p.Held.Content(r.Context(), v.tenant.ID, page.Row.ID)
	if err != nil {
		return err
	}
	reading, err := p.Read(r.Context(), octets)
	if err != nil {
		return &problem{http.StatusUnprocessableEntity, "The message could not be taken apart safely, which only damaged or hostile mail does. Its header is shown below."}
	}
	style := previewStyle(v.words.T)
	sum := sha256.Sum256([]byte(style))
	h := w.Header()
	h.Set("Content-Security-Policy", fmt.Sprintf("sandbox; default-src 'none'; img-src data:; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'", base64.StdEncoding.EncodeToString(sum[:])))
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-DNS-Prefetch-Control", "off")
	_, _ = fmt.Fprintf(w, "<!doctype html>\n<html lang=\"\"><head><meta charset=\"utf-8\"><title>%s</title><style>%s</style></head><body>%s</body></html>\n",
		"preview", style, reading.Preview.Body)
	return nil
}

// previewStyle is the look of a preview. Its words are the portal's own.
func previewStyle(t func(string, ...any) string) string {
	say := func(s string) string { return `"` + strings.Map(quotable, s) + `"` }
	return `:root{color-scheme:light}html{background:#fff;color:#1c2321;font:15px/1.5 system-ui,sans-serif}body{margin:0;padding:16px;overflow-wrap:anywhere}
table{border-collapse:collapse;max-width:100%}td,th{padding:4px;vertical-align:top}img{max-width:100%;height:auto}pre,code{white-space:pre-wrap}
blockquote{margin:8px 0 8px 12px;padding-left:12px;border-left:3px solid #dcd8ce}.center{text-align:center}.right{text-align:right}
.link{text-decoration:underline;text-decoration-color:#0b5f58}.url{font:13px ui-monospace,monospace;color:#5a625e;background:#f5f3ee;border-radius:4px;padding:0 4px;margin:0 4px}.url b{color:#a3222b}
.picture,.field{display:inline-block;border:1px dashed #8b877c;border-radius:4px;padding:0 6px;margin:2px;font-size:13px;color:#5a625e}
.picture::before{content:` + say(t("picture")+" ") + `;font-weight:600}.field::before{content:` + say(t("field")+" ") + `;font-weight:600}
.form{border:1px dashed #85510a;padding:8px}.form::before{content:` + say(t("form that sends nothing here")) + `;display:block;font-size:13px;color:#85510a}
.hidden{border:1px dotted #a3222b;color:#5a625e}.hidden::before{content:` + say(t("hidden from the reader:")+" ") + `;font-size:12px;color:#a3222b}`
}

// quotable keeps a word from ending the string that it stands in.
func quotable(r rune) rune {
	if strings.ContainsRune("\"\\<>&\n\r", r) {
		return -1
	}
	return r
}

// PreviewAt is the address of the preview's document.
func (m messagePage) PreviewAt() string { return m.Base + "/mail/" + url.PathEscape(m.ID) + "/preview" }

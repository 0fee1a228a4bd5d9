package portal

import (
	"errors"
	"net/http"
	"strings"

	"postern/internal/mail"
	"postern/internal/store"
)

// messagePage is everything known of one recipient's copy; its content only after
// somebody who may asked for it.
type messagePage struct {
	*shell
	Row      store.TraceRow
	ID       string // of the copy
	Others   []store.TraceRow
	Findings []mail.Finding
	Auth     *mail.Auth
	Parts    []mail.PartInfo
	Hops     []hop
	Held     bool
	May      bool // release
	Delete   bool
	Content  bool // may read it
	Reading  *Reading
	Header   mail.Header
	Why      string
}

// A hop is one Received field, the first server on top.
type hop struct{ From, By, At string }

func (p *Portal) message(w http.ResponseWriter, r *http.Request, v *visit) error {
	page, err := p.messagePage(r, v)
	if err != nil {
		return err
	}
	return p.render(w, http.StatusOK, "message", page)
}

func (p *Portal) messagePage(r *http.Request, v *visit) (messagePage, error) {
	row, err := p.copyOf(r, v, r.PathValue("id"))
	if err != nil {
		return messagePage{}, err
	}
	page := messagePage{shell: p.shell(r, v, "Message"), Row: row, ID: r.PathValue("id"), Held: row.State == mail.Held, May: v.has(releasers), Delete: v.has(changers), Content: v.has(changers)}
	all, err := p.Store.Trace(r.Context(), store.TraceFilter{Tenant: v.tenant.ID, ID: row.ID, Limit: 200})
	if err != nil {
		return page, err
	}
	for _, other := range all {
		if other.N != row.N {
			page.Others = append(page.Others, other)
		}
	}
	j, err := p.Store.Judgement(r.Context(), row.ID)
	if errors.Is(err, store.ErrNotFound) {
		return page, nil
	}
	if err != nil {
		return page, err
	}
	page.Findings, page.Auth, page.Parts = j.Findings, &j.Auth, j.Parts
	return page, nil
}

// readMessage shows what a held message says. The reading is recorded with its
// reason before anything is shown.
func (p *Portal) readMessage(w http.ResponseWriter, r *http.Request, v *visit) error {
	page, err := p.messagePage(r, v)
	if err != nil {
		return err
	}
	reason := strings.TrimSpace(r.PostFormValue("reason"))
	if reason == "" {
		page.Why = v.words.T("Say why you read it; the audit log keeps it.")
		return p.render(w, http.StatusUnprocessableEntity, "message", page)
	}
	if !page.Held {
		page.Why = v.words.T("Only held mail can be read here: what was delivered is not kept.")
		return p.render(w, http.StatusUnprocessableEntity, "message", page)
	}
	if err := v.NoteReading(r.Context(), v.tenant.ID, page.ID, "content: "+reason); err != nil {
		return err
	}
	octets, err := p.Held.Content(r.Context(), v.tenant.ID, page.Row.ID)
	if err != nil {
		return err
	}
	if page.Header, _ = mail.SplitHeader(octets); len(page.Header) > 300 {
		page.Header = page.Header[:300]
	}
	page.Hops = hopsOf(page.Header)
	if page.Reading, err = p.Read(r.Context(), octets); err != nil {
		p.Log.Warn("held message could not be read", "mid", page.Row.ID, "err", err)
		page.Why = v.words.T("The message could not be taken apart safely, which only damaged or hostile mail does. Its header is shown below.")
	}
	return p.render(w, http.StatusOK, "message", page)
}

// download gives the message's own octets, as a file that nothing opens by itself.
func (p *Portal) download(w http.ResponseWriter, r *http.Request, v *visit) error {
	row, err := p.copyOf(r, v, r.PathValue("id"))
	if err != nil {
		return err
	}
	if row.State != mail.Held {
		return errMissing
	}
	if row.Verdict == mail.Malware {
		return &problem{http.StatusForbidden, "Malware is not handed out as it is. Use the command line on the relay if it has to be examined."}
	}
	if err := v.NoteReading(r.Context(), v.tenant.ID, r.PathValue("id"), "download"); err != nil {
		return err
	}
	octets, err := p.Held.Content(r.Context(), v.tenant.ID, row.ID)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+string(row.ID)+`.eml"`)
	_, _ = w.Write(octets)
	return nil
}

// hopsOf reads the way of a message from its Received fields. They are what
// servers claim.
func hopsOf(h mail.Header) []hop {
	var hops []hop
	for _, field := range h.All("Received") {
		body, at := field, ""
		if i := strings.LastIndexByte(field, ';'); i >= 0 {
			body, at = field[:i], strings.TrimSpace(field[i+1:])
		}
		words := strings.Fields(body)
		one := hop{At: at}
		for i, word := range words {
			if i+1 < len(words) && strings.EqualFold(word, "from") && one.From == "" {
				one.From = words[i+1]
			}
			if i+1 < len(words) && strings.EqualFold(word, "by") && one.By == "" {
				one.By = words[i+1]
			}
		}
		hops = append([]hop{one}, hops...)
	}
	return hops
}

package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/mail"
	"postern/internal/store"
)

type finding struct {
	Rule   string       `json:"rule" doc:"Stable for ever." example:"lookalike.domain"`
	Class  mail.Verdict `json:"class,omitempty" doc:"The verdict it argues for."`
	Score  int          `json:"score" doc:"Points, -100 (surely good) to 100 (surely bad)."`
	Detail string       `json:"detail" doc:"A sentence; may quote the message."`
	Where  string       `json:"where,omitempty" doc:"Part or header field."`
}

type authentication struct {
	SPF    mail.Result   `json:"spf"`
	DKIM   []mail.Result `json:"dkim" nullable:"false" doc:"One for each signature."`
	DMARC  mail.Result   `json:"dmarc"`
	ARC    mail.Result   `json:"arc"`
	Origin string        `json:"origin" doc:"Address whose right to send was looked at."`
}

type part struct {
	Path      string `json:"path" example:"1.2/invoice.zip/invoice.exe"`
	Type      string `json:"type"`
	Sniffed   string `json:"sniffed,omitempty" doc:"Type by content."`
	Name      string `json:"name,omitempty"`
	Size      int64  `json:"size"`
	SHA256    string `json:"sha256"`
	Encrypted bool   `json:"encrypted,omitempty"`
}

type message struct {
	TraceEntry
	Copies   []copyState     `json:"recipients" nullable:"false"`
	Findings []finding       `json:"findings" nullable:"false" doc:"What judging found; empty until it has ended."`
	Auth     *authentication `json:"auth,omitempty" doc:"Missing until judging has ended."`
	Parts    []part          `json:"parts" nullable:"false"`
}

type copyState struct {
	ID    string     `json:"id"`
	To    string     `json:"to"`
	State mail.State `json:"state"`
}

// OfMail is the path of an operation on a message.
type OfMail struct {
	OfTenant
	ID string `path:"id" doc:"Id of a message, or of one recipient's copy of it." example:"01K9V5E2H69TP9QM1D3S3R8G2E.0"`
}

// reading is a look into somebody's mail.
type reading struct {
	OfMail
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"300" doc:"Why it is read; the audit log keeps it."`
	}
}

func (a *API) message(api huma.API) {
	const path = "/tenants/{tenant}/mail/{id}"
	add(a, api, operation{id: "getMessage", method: "GET", path: path, tag: "Mail", summary: "Show why a message was judged as it was",
		about: "Findings, authentication and parts; never its content.", scope: "mail:read", roles: staff}, a.getMessage)
	read := operation{tag: "Mail", scope: "mail:content", roles: changers, errors: []int{409}}
	add(a, api, read.with("readText", "POST", path+"/text", "Read what a held message says", "Text and links, found out in a locked-down process. Only while it is held: what was delivered is not kept."), a.readText)
	add(a, api, read.with("readHeader", "POST", path+"/header", "Read the header of a held message", ""), a.readHeader)
	raw := read.with("readRaw", "POST", path+"/raw", "Download a held message", "Its octets as they came, without our control headers. Malware is not handed out.")
	raw.content = "application/octet-stream"
	add(a, api, raw, a.readRaw)
}

func (a *API) getMessage(ctx context.Context, v *visit, in *OfMail) (*answered[message], error) {
	rows, i, err := a.rowsOf(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	m := message{TraceEntry: viewTrace(rows[i]), Findings: []finding{}, Parts: []part{}}
	for _, r := range rows {
		m.Copies = append(m.Copies, copyState{copyID(r.ID, r.N), r.To, r.State})
	}
	j, err := a.Store.Judgement(ctx, rows[i].ID)
	if errors.Is(err, store.ErrNotFound) {
		return answer(m), nil
	}
	if err != nil {
		return nil, err
	}
	for _, f := range j.Findings {
		m.Findings = append(m.Findings, finding(f))
	}
	for _, p := range j.Parts {
		m.Parts = append(m.Parts, part(p))
	}
	m.Auth = &authentication{SPF: j.Auth.SPF.Result, DKIM: []mail.Result{}, DMARC: j.Auth.DMARC.Result, ARC: j.Auth.ARC.Result}
	for _, d := range j.Auth.DKIM {
		m.Auth.DKIM = append(m.Auth.DKIM, d.Result)
	}
	if j.Auth.Origin.IP.IsValid() {
		m.Auth.Origin = j.Auth.Origin.IP.String()
	}
	return answer(m), nil
}

// content gives a held message's octets after the reading was recorded with its
// reason.
func (a *API) content(ctx context.Context, v *visit, in *reading, what string) ([]byte, store.TraceRow, error) {
	rows, i, err := a.rowsOf(ctx, v, in.ID)
	if err != nil {
		return nil, store.TraceRow{}, err
	}
	reason := strings.TrimSpace(in.Body.Reason)
	switch {
	case reason == "":
		return nil, rows[i], problem(http.StatusUnprocessableEntity, "Say in reason why it is read; the audit log keeps it.")
	case rows[i].State != mail.Held:
		return nil, rows[i], problem(http.StatusConflict, "Only held mail can be read: this copy is "+string(rows[i].State)+", and what was delivered is not kept.")
	case what == "download" && rows[i].Verdict == mail.Malware:
		return nil, rows[i], problem(http.StatusForbidden, "Malware is not handed out as it is. Use the command line on the relay if it has to be examined.")
	}
	if err := v.NoteReading(ctx, v.tenant.ID, copyID(rows[i].ID, rows[i].N), what+": "+reason); err != nil {
		return nil, rows[i], err
	}
	octets, err := a.Held.Content(ctx, v.tenant.ID, rows[i].ID)
	return octets, rows[i], err
}

type textOf struct {
	Text  string `json:"text"`
	Links []link `json:"links" nullable:"false"`
	Cut   bool   `json:"cut" doc:"There was more."`
}

type link struct {
	URL  string `json:"url" doc:"As it stands in the message. Do not follow it."`
	Text string `json:"text" doc:"What a reader sees in its place."`
	Kind string `json:"kind" example:"href"`
}

func (a *API) readText(ctx context.Context, v *visit, in *reading) (*answered[textOf], error) {
	octets, row, err := a.content(ctx, v, in, "content")
	if err != nil {
		return nil, err
	}
	r, err := a.Read(ctx, octets)
	if err != nil {
		a.Log.Warn("held message could not be read", "mid", row.ID, "err", err)
		return nil, problem(http.StatusConflict, "The message could not be taken apart safely, which only damaged or hostile mail does. Its header can be read.")
	}
	t := textOf{Text: r.Text, Links: []link{}, Cut: r.Cut}
	for _, l := range r.Links {
		t.Links = append(t.Links, link{l.URL, l.Text, l.Kind})
	}
	return answer(t), nil
}

type headerField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

const maxFields = 300 // of a header that are shown

func (a *API) readHeader(ctx context.Context, v *visit, in *reading) (*answered[list[headerField]], error) {
	octets, _, err := a.content(ctx, v, in, "header")
	if err != nil {
		return nil, err
	}
	header, _ := mail.SplitHeader(octets)
	var fields []headerField
	for _, f := range header[:min(len(header), maxFields)] {
		fields = append(fields, headerField{f.Name, f.Value()})
	}
	return listOf(fields), nil
}

type download struct {
	ContentType string `header:"Content-Type"`
	Name        string `header:"Content-Disposition"`
	Body        []byte
}

func (a *API) readRaw(ctx context.Context, v *visit, in *reading) (*download, error) {
	octets, row, err := a.content(ctx, v, in, "download")
	if err != nil {
		return nil, err
	}
	return &download{"application/octet-stream", `attachment; filename="` + string(row.ID) + `.eml"`, octets}, nil
}

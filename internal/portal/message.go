package portal

import (
	"errors"
	"net/http"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/store"
)

// messagePage is everything known of one recipient's copy; its content only after
// somebody who may said why.
type messagePage struct {
	*shell
	Row      store.TraceRow
	ID       string // of the copy
	Others   []store.TraceRow
	Reasons  []reason
	Findings []mail.Finding
	Claims   []claim
	Parts    []partLine
	Held     bool
	May      bool // release
	Change   bool // delete, read, block, report
	Report   *store.VerdictReport
	Should   []mail.Verdict // what it can be reported as
	Read     readPart       // its content, as far as it may be read
	Why      string
}

// A partLine is a part of the message, and the reason that is about it.
type partLine struct {
	mail.PartInfo
	Mark int
}

func (p *Portal) message(w http.ResponseWriter, r *http.Request, v *visit) error {
	page, err := p.messagePage(r, v)
	if err != nil {
		return err
	}
	if err := p.fillReading(r, v, &page); err != nil {
		return err
	}
	return p.render(w, http.StatusOK, "message", page)
}

func (p *Portal) messagePage(r *http.Request, v *visit) (messagePage, error) {
	row, err := p.copyOf(r, v, r.PathValue("id"))
	if err != nil {
		return messagePage{}, err
	}
	page := messagePage{shell: p.shell(r, v, "Message"), Row: row, ID: r.PathValue("id"), Held: row.State == mail.Held, May: v.has(releasers), Change: v.has(changers)}
	all, err := p.Store.Trace(r.Context(), store.TraceFilter{Tenant: v.tenant.ID, ID: row.ID, Limit: 200})
	if err != nil {
		return page, err
	}
	for _, other := range all {
		if other.N != row.N {
			page.Others = append(page.Others, other)
		}
	}
	if report, err := p.Store.VerdictReport(r.Context(), v.tenant.ID, row.ID, row.N); err == nil {
		page.Report = &report
	} else if !errors.Is(err, store.ErrNotFound) {
		return page, err
	}
	for _, should := range admin.ReportableVerdicts() {
		if should != row.Verdict && row.Verdict != "" {
			page.Should = append(page.Should, should)
		}
	}
	j, err := p.Store.Judgement(r.Context(), row.ID)
	if errors.Is(err, store.ErrNotFound) {
		page.Reasons = reasonsOf(row.Reasons, nil)
		return page, nil
	}
	if err != nil {
		return page, err
	}
	page.Reasons, page.Findings, page.Claims = reasonsOf(row.Reasons, j.Findings), j.Findings, claims(v.words.T, &j.Auth)
	for _, part := range j.Parts {
		page.Parts = append(page.Parts, partLine{part, about(page.Reasons, part.Path)})
	}
	return page, nil
}

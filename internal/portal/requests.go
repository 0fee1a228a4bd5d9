package portal

import (
	"net/http"

	"postern/internal/mail"
	"postern/internal/store"
)

// requestsPage is what recipients ask for.
type requestsPage struct {
	*shell
	Rows   []requestRow
	May    bool // answer
	Result result
}

type requestRow struct {
	store.TraceRow
	Copy    string // id
	Request store.Request
}

func (p *Portal) requests(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showRequests(w, r, v, http.StatusOK, result{})
}

func (p *Portal) showRequests(w http.ResponseWriter, r *http.Request, v *visit, status int, res result) error {
	page := requestsPage{shell: p.shell(r, v, "Requests"), May: v.has(releasers), Result: res}
	open, err := p.Store.OpenRequests(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	for _, q := range open {
		row, err := p.copyOf(r, v, copyOfRequest(q))
		if err != nil {
			return err
		}
		page.Rows = append(page.Rows, requestRow{row, copyID(row), q})
	}
	return p.render(w, status, "requests", page)
}

// answerRequest releases what was asked for, or declines with a sentence.
func (p *Portal) answerRequest(w http.ResponseWriter, r *http.Request, v *visit) error {
	row, err := p.copyOf(r, v, r.PathValue("id"))
	if err != nil {
		return err
	}
	res := result{ID: copyID(row), From: row.From, To: row.To, Subject: row.Subject, Kind: "good"}
	switch r.PostFormValue("do") {
	case "approve":
		if res = p.release(r, v, row, res); res.Kind != "bad" || row.State != mail.Held {
			err = v.Approve(r.Context(), v.tenant.ID, row.ID, row.N, res.Text)
		}
		if err != nil {
			return err
		}
		return p.showRequests(w, r, v, http.StatusOK, res)
	case "decline":
		if err := v.Decline(r.Context(), v.tenant.ID, row.ID, row.N, r.PostFormValue("answer")); err != nil {
			res.Kind, res.Text = "bad", v.words.Wrong(err)
			return p.showRequests(w, r, v, http.StatusUnprocessableEntity, res)
		}
		res.Text = v.words.T("Declined. The recipient reads your sentence.")
		return p.showRequests(w, r, v, http.StatusOK, res)
	}
	return errBad
}

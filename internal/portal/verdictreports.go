package portal

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// verdictReportsPage lists what people said judging got wrong.
type verdictReportsPage struct {
	*shell
	Rows     []store.VerdictReport
	Accuracy store.Accuracy // of the last 30 days together
	Older    string
	May      bool
}

const accuracyTime = 30 * 24 * time.Hour

func (p *Portal) verdictReports(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := verdictReportsPage{shell: p.shell(r, v, "Verdict reports"), May: v.has(changers)}
	before := p.now().Add(time.Minute)
	if ms, err := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64); err == nil {
		before = time.UnixMilli(ms)
	}
	var err error
	if page.Rows, err = p.Store.VerdictReports(r.Context(), v.tenant.ID, before, mailRows); err != nil {
		return err
	}
	if len(page.Rows) == mailRows {
		page.Older = strconv.FormatInt(page.Rows[mailRows-1].At.UnixMilli(), 10)
	}
	days, err := p.Store.VerdictAccuracy(r.Context(), v.tenant.ID, p.now().Add(-accuracyTime))
	if err != nil {
		return err
	}
	for _, d := range days {
		page.Accuracy.FalsePositives += d.FalsePositives
		page.Accuracy.FalseNegatives += d.FalseNegatives
		page.Accuracy.OtherClass += d.OtherClass
	}
	return p.render(w, http.StatusOK, "verdict-reports", page)
}

// reportVerdict takes what a person says a message really is, and what they want
// done with its sender.
func (p *Portal) reportVerdict(w http.ResponseWriter, r *http.Request, v *visit) error {
	page, err := p.messagePage(r, v)
	if err != nil {
		return err
	}
	report, err := v.ReportVerdict(r.Context(), v.tenant.ID, page.Row.ID, page.Row.N, mail.Verdict(r.PostFormValue("should")), r.PostFormValue("comment"))
	if errors.Is(err, store.ErrNotFound) {
		return errMissing
	}
	if err != nil {
		page.Why = v.words.Wrong(err)
		return p.render(w, http.StatusUnprocessableEntity, "message", page)
	}
	text := v.words.T("Thank you. The report is kept, and counts in the accuracy figures.")
	kind := "good"
	if r.PostFormValue("sender") == "yes" {
		res := p.list(r, v, page.Row, store.Wanted(report.Should), result{ID: page.ID, Kind: "good"})
		kind, text = res.Kind, text+" "+res.Text
	}
	return tell(w, r, "/t/"+v.tenant.ID+"/mail/"+page.ID, kind, text)
}

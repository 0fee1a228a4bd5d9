package portal

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"postern/internal/report"
	"postern/internal/store"
)

// schedulePage sets up reports by mail.
type schedulePage struct {
	*shell
	Plan    report.Schedule
	To      string
	Hours   []int
	Why     string
	May     bool
	Slot    time.Time // of the last report; zero if there was none
	Sent    time.Time
	Outcome string
}

// Words says sentences in a language of the portal, English if it has none of that
// code.
func Words(code string) report.Words {
	if w := dictionary[code]; w != nil {
		return w.T
	}
	return dictionary["en"].T
}

func (p *Portal) schedule(w http.ResponseWriter, r *http.Request, v *visit) error {
	plan, err := v.ReportSchedule(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	return p.showSchedule(w, r, v, http.StatusOK, plan, "")
}

func (p *Portal) showSchedule(w http.ResponseWriter, r *http.Request, v *visit, status int, plan report.Schedule, why string) error {
	page := schedulePage{shell: p.shell(r, v, "Reports by mail"), Plan: plan, To: strings.Join(plan.To, "\n"), Why: why, May: v.has(changers)}
	for h := range 24 {
		page.Hours = append(page.Hours, h)
	}
	var err error
	page.Slot, page.Sent, page.Outcome, err = p.Store.LastSlot(r.Context(), v.tenant.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return p.render(w, status, "report-schedule", page)
}

func (p *Portal) saveSchedule(w http.ResponseWriter, r *http.Request, v *visit) error {
	hour, _ := strconv.Atoi(r.PostFormValue("hour"))
	plan := report.Schedule{Every: r.PostFormValue("every"), Hour: hour, Language: r.PostFormValue("language"), To: strings.Fields(r.PostFormValue("to"))}
	if err := v.SetReportSchedule(r.Context(), v.tenant.ID, plan); err != nil {
		return p.showSchedule(w, r, v, http.StatusUnprocessableEntity, plan, v.words.Wrong(err))
	}
	return tell(w, r, "/t/"+v.tenant.ID+"/reports/schedule", "good", v.words.T("It is kept."))
}

func (p *Portal) sendReport(w http.ResponseWriter, r *http.Request, v *visit) error {
	plan, err := v.ReportSchedule(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	back := "/t/" + v.tenant.ID + "/reports/schedule"
	if len(plan.To) == 0 {
		return tell(w, r, back, "warn", v.words.T("Enter who gets it, and keep that first."))
	}
	if err := p.SendReport(r.Context(), v.tenant.ID); err != nil {
		return err
	}
	if err := v.NoteReport(r.Context(), v.tenant.ID); err != nil {
		return err
	}
	return tell(w, r, back, "good", v.words.T("The report of the last 30 days is on its way."))
}

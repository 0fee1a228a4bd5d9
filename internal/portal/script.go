package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/exchange"
	"postern/internal/mail"
)

// scriptReportPath takes what a set-up script tells. It knows the script by its token.
const scriptReportPath = "/script-report"

// scriptLook is how often a page that follows a script looks for what is new.
const scriptLook = time.Second

// script gives the set-up as one PowerShell script, with a token to report back.
func (p *Portal) script(w http.ResponseWriter, r *http.Request, v *visit) error {
	scheme := "https://"
	if plain(r) {
		scheme = "http://"
	}
	text, _, err := v.NewScript(r.Context(), v.tenant.ID, strings.TrimSpace(r.PostFormValue("organization")), scheme+r.Host+scriptReportPath)
	if err != nil {
		return p.showConnect(w, r, v, http.StatusUnprocessableEntity, connectPage{Way: "script", Why: v.words.Wrong(err), Given: givenConnection{Organization: r.PostFormValue("organization")}})
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="postern-`+v.tenant.ID+`.ps1"`)
	_, _ = w.Write([]byte(text))
	return nil
}

// takeReport answers a script. What it says is for the person at the console.
func (p *Portal) takeReport(w http.ResponseWriter, r *http.Request, v *visit) error {
	secret, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	octets, err := io.ReadAll(r.Body)
	if err != nil || !found {
		return answerJSON(w, http.StatusBadRequest, map[string]string{"error": "This is no report of Postern's script."})
	}
	key, err := p.as("the PowerShell script").TellScript(r.Context(), secret, octets)
	var told *exchange.Problem
	switch {
	case err == nil:
		return answerJSON(w, http.StatusOK, map[string]string{"key": key})
	case errors.Is(err, admin.ErrScriptUsed):
		return answerJSON(w, http.StatusConflict, map[string]string{"error": sentence(admin.ErrScriptUsed)})
	case errors.Is(err, admin.ErrScriptToken):
		return answerJSON(w, http.StatusUnauthorized, map[string]string{"error": v.words.Wrong(err)})
	case errors.As(err, &told):
		return answerJSON(w, http.StatusUnprocessableEntity, map[string]string{"error": told.Error()})
	}
	p.Log.Error("script report", "request", v.id, "err", err)
	return answerJSON(w, http.StatusInternalServerError, map[string]string{"error": "Something went wrong here. The log tells more under " + v.id + "."})
}

func answerJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}

// scriptPage follows the newest script that was downloaded.
type scriptPage struct {
	*shell
	Script *admin.ScriptRun // nil if none was downloaded
	Run    admin.RunView    // the same for the stepper
	May    bool
	Ended  bool // the token has ended unused
	Why    string
}

func (p *Portal) scriptPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := scriptPage{shell: p.shell(r, v, "PowerShell script"), May: v.has(changers)}
	if err := p.lookAtScript(r.Context(), v, &page); err != nil {
		return err
	}
	return p.render(w, http.StatusOK, "script", page)
}

func (p *Portal) lookAtScript(ctx context.Context, v *visit, page *scriptPage) error {
	list, err := v.ScriptRuns(ctx, v.tenant.ID)
	if err != nil || len(list) == 0 {
		return err
	}
	page.Script = &list[0]
	page.Ended = page.Script.BegunAt.IsZero() && p.now().After(page.Script.Until)
	page.Run = stepsOf(list[0], p.now())
	return nil
}

// stepsOf is a script's run as the stepper shows it.
func stepsOf(s admin.ScriptRun, now time.Time) admin.RunView {
	v := admin.RunView{What: "script", Total: s.Total, Ended: s.EndedAt, Done: !s.EndedAt.IsZero()}
	if v.Total > 0 {
		v.Percent = min(100, len(s.Steps)*100/v.Total)
	}
	for i, text := range s.Steps {
		state := "good"
		if i == len(s.Steps)-1 && !v.Done {
			state = "now"
		}
		v.Steps = append(v.Steps, admin.RunStep{State: state, Text: mail.Sentence{Format: text}})
	}
	r := s.Report
	switch {
	case r != nil && r.Problem != "":
		if n := len(v.Steps); n > 0 {
			v.Steps[n-1].State = "bad"
		}
		v.Problem = exchange.NewProblem("script", mail.Say("The script stopped: %s", r.Problem), mail.Say("Mend the cause and run the script again; what was done is kept. For a run that shall be followed here download a new script."), nil)
	case r != nil && len(r.Drift) > 0:
		v.Problem = exchange.NewProblem("script-drift", mail.Say("The script ended, but fields are not as wanted: %s %s.", r.Drift[0].Object, r.Drift[0].Field), mail.Say("Exchange may need up to an hour to show changes: run the script with -Mode Verify then."), nil)
	case !v.Done && !s.BegunAt.IsZero() && now.After(s.Until):
		v.Done = true
		v.Problem = exchange.NewProblem("script-silent", mail.Say("The script began, but never told its end."), mail.Say("Look at the console in which it ran. It may be run again; upload its report here."), nil)
	}
	return v
}

// scriptLive sends the steps anew when there are more, until the run ends.
func (p *Portal) scriptLive(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := scriptPage{shell: p.shell(r, v, "PowerShell script")}
	w.Header().Set("Content-Type", "text/event-stream")
	seen := fmt.Sprint(0, false)
	for end := p.now().Add(10 * time.Minute); p.now().Before(end); { // the browser asks again
		if err := p.lookAtScript(r.Context(), v, &page); err != nil {
			if r.Context().Err() != nil {
				return nil
			}
			return err
		}
		if now := fmt.Sprint(len(page.Run.Steps), page.Run.Done); now != seen {
			seen = now
			if err := p.sendSteps(w, page, page.Run.Done); err != nil || page.Run.Done {
				return err
			}
		}
		select {
		case <-time.After(scriptLook):
		case <-r.Context().Done():
			return nil
		}
	}
	return nil
}

// sendSteps writes the stepper as an event, and the end if the page shall be loaded
// anew.
func (p *Portal) sendSteps(w http.ResponseWriter, page any, end bool) error {
	var b strings.Builder
	if err := p.pages.byName["run"].ExecuteTemplate(&b, "stepper", page); err != nil {
		return err
	}
	_, _ = io.WriteString(w, "event: steps\n")
	for line := range strings.SplitSeq(b.String(), "\n") {
		_, _ = io.WriteString(w, "data: "+line+"\n")
	}
	_, _ = io.WriteString(w, "\n")
	if end {
		_, _ = io.WriteString(w, "event: end\ndata: .\n\n")
	}
	return http.NewResponseController(w).Flush()
}

// uploadReport takes the report that a script printed, from a person.
func (p *Portal) uploadReport(w http.ResponseWriter, r *http.Request, v *visit) error {
	report, err := v.ImportReport(r.Context(), v.tenant.ID, []byte(r.PostFormValue("report")))
	page := scriptPage{shell: p.shell(r, v, "PowerShell script"), May: true}
	var told *exchange.Problem
	if errors.As(err, &told) {
		page.Why = v.words.Wrong(told)
		if err := p.lookAtScript(r.Context(), v, &page); err != nil {
			return err
		}
		return p.render(w, http.StatusUnprocessableEntity, "script", page)
	}
	if err != nil {
		return err
	}
	back := "/t/" + v.tenant.ID + "/exchange"
	if report.OK {
		return tell(w, r, back, "good", v.words.T("The report is kept: the script did its work, and Exchange is as wanted."))
	}
	return tell(w, r, back, "warn", v.words.T("The report is kept: the script did not reach its end, or fields are not as wanted yet."))
}

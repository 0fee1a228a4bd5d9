package portal

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"postern/internal/admin"
	"postern/internal/store"
)

// weighty are the routes that a second person has to agree to, where an owner wants
// that, with what each does (safety.md §8, R45). Releasing more than fifty at a time
// is the ninth kind and asks by itself.
var weighty = map[string]string{
	"POST /t/{tenant}/inbound/domain/{domain}/{do}": "Switch a domain, and show its relay key",
	"POST /t/{tenant}/inbound/key/rotate":           "Make a second relay key and show it",
	"POST /t/{tenant}/inbound/key/retire":           "Retire the older relay key",
	"POST /t/{tenant}/inbound/domain":               "Change where mail is delivered",
	"POST /t/{tenant}/exchange/protection":          "Change Exchange's own protection",
	"POST /t/{tenant}/exchange/rollback":            "Take back what was set up in Exchange",
	"POST /t/{tenant}/exchange/script":              "Get the set-up script, which holds the relay key",
	"POST /t/{tenant}/policies/bypass":              "Deliver mail whatever its verdict, for a time",
	"POST /t/{tenant}/policies/again":               "Release held mail that today's rules would deliver",
	"POST /t/{tenant}/retention":                    "Change how long held mail and the trace are kept",
	"POST /tenants/{tenant}/export":                 "Export a tenant's data",
	"POST /tenants/{tenant}/remove":                 "Remove a tenant for good",
	"POST /approvals":                               "Change whether a second person is asked",
	"POST /users":                                   "Invite a user",
	"POST /users/{email}/invite":                    "Invite a user anew",
	"POST /users/{email}/role":                      "Change a user's role",
	"POST /users/{email}/factor/reset":              "Take away a user's second factor",
	"POST /users/{email}/enable":                    "Enable a user",
	"POST /provider":                                "Change where people sign in",
	"POST /provider/remove":                         "End signing in elsewhere",
}

// lighter tells of a form on a weighty route that nobody has to agree to it: it only
// looks, asks back, or ends what is dangerous.
var lighter = map[string]func(*http.Request) bool{
	"POST /t/{tenant}/policies/bypass": func(r *http.Request) bool { return r.PostFormValue("do") == "end" },
	"POST /t/{tenant}/policies/again":  func(r *http.Request) bool { return r.PostFormValue("do") != "release" },
	"POST /t/{tenant}/retention":       func(r *http.Request) bool { return r.PostFormValue("sure") != "yes" },
}

// askSecond puts what a form asks for before a second person, unless nobody wants
// that or somebody agreed to exactly this.
func (p *Portal) askSecond(w http.ResponseWriter, r *http.Request, v *visit, route, title string) (asked bool, err error) {
	on, err := v.FourEyes(r.Context())
	if err != nil || !on {
		return false, err
	}
	q := admin.Request{Tenant: v.tenant.ID, Route: route, Path: r.URL.Path, Title: title}
	if q.Tenant == "" {
		q.Tenant = v.user.Tenant
	}
	for _, f := range sent(r) {
		q.Fields = append(q.Fields, [2]string{f.Name, f.Value})
	}
	if agreed, err := v.Agreed(r.Context(), q); err != nil || agreed {
		return false, err
	}
	if err := v.AskSecond(r.Context(), q); err != nil {
		return true, err
	}
	return true, tell(w, r, "/approvals", "warn", v.words.T("Nothing is done yet: another person has to agree within an hour. Then you do it here."))
}

// approvalsPage lists what waits for a second person, and what was decided.
type approvalsPage struct {
	*shell
	On, System bool
	Rows       []approvalRow
	Why        string
}

type approvalRow struct {
	store.Approval
	Fields []field
	State  string // "over" beside those of the store
	Mine   bool
	May    bool // decide
}

func (p *Portal) approvals(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showApprovals(w, r, v, http.StatusOK, "")
}

func (p *Portal) showApprovals(w http.ResponseWriter, r *http.Request, v *visit, status int, why string) (err error) {
	pg := approvalsPage{shell: p.shell(r, v, "Approvals"), System: v.user.Tenant == "" && v.user.Role == "owner", Why: why}
	if pg.On, err = v.FourEyes(r.Context()); err != nil {
		return err
	}
	all, err := p.Store.Approvals(r.Context(), v.user.Tenant)
	if err != nil {
		return err
	}
	for _, a := range all {
		row := approvalRow{Approval: a, State: a.State, Mine: a.AskedBy == v.user.Email, May: p.mayDecide(v, a)}
		if !row.Mine && !row.May {
			continue
		}
		if a.State != "done" && a.State != "refused" && !p.now().Before(a.Until) {
			row.State = "over"
		}
		fields, err := v.Asked(a)
		if err != nil {
			return err
		}
		for _, f := range fields {
			row.Fields = append(row.Fields, field{f[0], f[1]})
		}
		pg.Rows = append(pg.Rows, row)
	}
	return p.render(w, status, "approvals", pg)
}

// mayDecide reports whether the visitor could do what is asked for.
func (p *Portal) mayDecide(v *visit, a store.Approval) bool {
	if a.AskedBy == v.user.Email || (a.Tenant == "" && v.user.Tenant != "") || (a.Tenant != "" && !v.may(a.Tenant)) {
		return false
	}
	return slices.ContainsFunc(p.routes(), func(rt route) bool {
		return rt.method+" "+rt.path == a.Route && rt.allows(v.user.Role) && (rt.access != system || v.user.Tenant == "")
	})
}

func (p *Portal) decide(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, err := p.Store.Approval(r.Context(), r.PathValue("id"))
	do := r.PathValue("do")
	if errors.Is(err, store.ErrNotFound) || (err == nil && ((!p.mayDecide(v, a) && a.AskedBy != v.user.Email) || (do != "agree" && do != "refuse"))) {
		return errMissing
	}
	if err != nil {
		return err
	}
	err = v.Decide(r.Context(), a, do == "agree")
	if errors.Is(err, admin.ErrOwnRequest) || errors.Is(err, admin.ErrTooLate) {
		return p.showApprovals(w, r, v, http.StatusUnprocessableEntity, v.words.Wrong(err))
	}
	if err != nil {
		return err
	}
	if do == "agree" {
		return tell(w, r, "/approvals", "good", v.words.T("You agreed. %s can do it now.", a.AskedBy))
	}
	return tell(w, r, "/approvals", "good", v.words.T("You refused. Nothing is done."))
}

func (p *Portal) setFourEyes(w http.ResponseWriter, r *http.Request, v *visit) error {
	on := strings.TrimSpace(r.PostFormValue("on")) == "yes"
	if err := v.SetFourEyes(r.Context(), on); err != nil {
		return p.showApprovals(w, r, v, http.StatusUnprocessableEntity, v.words.Wrong(err))
	}
	if on {
		return tell(w, r, "/approvals", "good", v.words.T("From now on a second person has to agree to weighty things."))
	}
	return tell(w, r, "/approvals", "good", v.words.T("Nobody else has to agree any more."))
}

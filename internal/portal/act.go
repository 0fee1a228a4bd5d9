package portal

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/relay/deliver"
	"postern/internal/store"
)

// A result is what became of one copy that something was to be done with.
type result struct {
	ID, From, To, Subject string
	Kind                  string // "good", "warn" or "bad"
	Text                  string
	Undelete              bool      // the deletion can be taken back ...
	Until                 time.Time // ... until then
	Entry                 string    // id of the list entry that was added, "" if none was
}

// actions are what can be done with held copies, and by whom.
var actions = map[string][]string{"release": releasers, "delete": changers, "undelete": changers, "block": changers, "allow": changers}

const (
	manyCopies = admin.ManyReleases // more are acted on only with a fresh second factor (safety.md R45)
	mostCopies = 500
)

// act does one thing with the ticked copies, and tells of each what really
// happened.
func (p *Portal) act(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := r.ParseForm(); err != nil {
		return errBad
	}
	ids, do := r.PostForm["id"], r.PostFormValue("do")
	if one := r.PostFormValue("undelete"); one != "" {
		ids, do = []string{one}, "undelete"
	}
	roles, known := actions[do]
	switch {
	case !known, len(ids) > mostCopies:
		return errBad
	case !v.has(roles):
		return errRole
	case len(ids) == 0:
		return tell(w, r, "/t/"+v.tenant.ID+"/quarantine", "warn", v.words.T("Tick the messages first."))
	case len(ids) > manyCopies:
		if asked, err := p.askMany(w, r, v); asked || err != nil {
			return err
		}
	}
	slices.Sort(ids)
	var rows []store.TraceRow
	var results []result
	for _, id := range slices.Compact(ids) {
		row, err := p.copyOf(r, v, id)
		if err != nil {
			results = append(results, result{ID: id, Kind: "bad", Text: v.words.T("There is no such message.")})
			continue
		}
		rows = append(rows, row)
	}
	if r.PostFormValue("confirmed") == "" && askBefore(do, rows) {
		return p.confirmAct(w, r, v, do, rows)
	}
	if do == "release" && len(ids) <= manyCopies {
		if few, err := v.Releasing(r.Context(), "user "+v.user.Email, len(rows)); err != nil || !few {
			if err != nil {
				return err
			}
			if asked, err := p.askMany(w, r, v); asked || err != nil {
				return err
			}
		}
	}
	for _, row := range rows {
		results = append(results, p.actOn(r, v, row, do))
	}
	return p.showQuarantine(w, r, v, results)
}

// askMany asks for what acting on many messages needs: the second factor and, where
// it is wanted, a second person.
func (p *Portal) askMany(w http.ResponseWriter, r *http.Request, v *visit) (asked bool, err error) {
	if asked, err = p.askAgain(w, r, v); asked || err != nil {
		return asked, err
	}
	return p.askSecond(w, r, v, "POST /t/{tenant}/quarantine", "Act on more than fifty messages at once")
}

// askBefore reports whether people should look twice: before many deletions, and
// before dangerous mail goes to a mailbox.
func askBefore(do string, rows []store.TraceRow) bool {
	return do == "delete" && len(rows) > 1 || do == "release" && slices.ContainsFunc(rows, func(row store.TraceRow) bool { return dangerous(row.Verdict) })
}

func dangerous(v mail.Verdict) bool { return v == mail.Phish || v == mail.Malware }

// confirmActPage asks before something is done with held mail.
type confirmActPage struct {
	*shell
	Do        string
	Rows      []store.TraceRow
	Dangerous int // of Rows
	Minutes   int // that a deletion can be taken back
}

func (p *Portal) confirmAct(w http.ResponseWriter, r *http.Request, v *visit, do string, rows []store.TraceRow) error {
	around := p.shell(r, v, "Release dangerous mail?")
	if do == "delete" {
		around = p.shell(r, v, "Delete these messages?")
	}
	page := confirmActPage{shell: around, Do: do, Rows: rows, Minutes: int(admin.UndoTime.Minutes())}
	for _, row := range rows {
		if dangerous(row.Verdict) {
			page.Dangerous++
		}
	}
	return p.render(w, http.StatusOK, "confirm-act", page)
}

func (p *Portal) actOn(r *http.Request, v *visit, row store.TraceRow, do string) result {
	t := v.words.T
	res := result{ID: copyID(row), From: row.From, To: row.To, Subject: row.Subject, Kind: "good"}
	var err error
	switch do {
	case "release":
		return p.release(r, v, row, res)
	case "delete":
		if err = v.DeleteHeldSoon(r.Context(), v.tenant.ID, row.ID, row.N); err == nil {
			res.Text, res.Undelete, res.Until = t("It will be deleted in %d minutes.", int(admin.UndoTime.Minutes())), true, p.now().Add(admin.UndoTime)
		}
	case "undelete":
		if err = v.UndeleteHeld(r.Context(), v.tenant.ID, row.ID, row.N); err == nil {
			res.Text = t("It is kept.")
		}
	default:
		return p.list(r, v, row, do == "allow", res)
	}
	if err != nil {
		res.Kind, res.Text = p.actFailed(v, row, err)
	}
	return res
}

// release sends one copy on. Who sees a dangerous one released has confirmed it.
func (p *Portal) release(r *http.Request, v *visit, row store.TraceRow, res result) result {
	if !admin.MayRelease(v.user.Role, row.Verdict) {
		res.Kind, res.Text = "bad", v.words.T("Malware and phishing are released by a security administrator only.")
		return res
	}
	out, err := p.Held.Release(r.Context(), relay.Order{Tenant: v.tenant.ID, ID: row.ID, N: row.N, By: v.user.Email,
		Override: r.PostFormValue("override") == "yes" && v.has(changers) && dangerous(row.Verdict)}) // nobody confirmed what only turns out now
	if err != nil {
		res.Kind, res.Text = p.actFailed(v, row, err)
		return res
	}
	res.Kind, res.Text = releaseWords(v.words.T, out)
	if err := v.NoteRelease(r.Context(), v.tenant.ID, res.ID, out.Reply); err != nil {
		p.Log.Error("release was done but not noted", "mid", row.ID, "err", err)
	}
	return res
}

// list puts the sender of a copy on the allow or block list.
func (p *Portal) list(r *http.Request, v *visit, row store.TraceRow, allow bool, res result) result {
	t := v.words.T
	sender := row.From
	res.From = "" // the sentence names it
	if r.PostFormValue("what") == "domain" {
		_, sender = mail.SplitAddress(sender)
	}
	if sender == "" {
		res.Kind, res.Text = "warn", t("It has no sender that could be listed.")
		return res
	}
	rules, err := p.Store.Rules(r.Context(), v.tenant.ID)
	if err == nil && slices.ContainsFunc(rules.Lists, func(e mail.ListEntry) bool {
		return e.Allow == allow && (strings.EqualFold(e.Address, sender) || strings.EqualFold(e.Domain, sender))
	}) {
		res.Kind, res.Text = "warn", t("%s is on the list already.", address(sender))
		return res
	}
	e, err := v.AddEntry(r.Context(), v.tenant.ID, sender, mail.ListEntry{Allow: allow, Note: "from message " + res.ID})
	switch {
	case err != nil:
		res.Kind, res.Text = "bad", v.words.Wrong(err)
	case allow:
		res.Entry, res.Text = e.ID, t("%s is allowed from now on when authentication passes. This message stays as it is.", address(sender))
	default:
		res.Entry, res.Text = e.ID, t("%s is blocked from now on. This message stays as it is.", address(sender))
	}
	return res
}

// actFailed tells why nothing was done.
func (p *Portal) actFailed(v *visit, row store.TraceRow, err error) (kind, text string) {
	t := v.words.T
	switch {
	case errors.Is(err, store.ErrNotHeld):
		return "warn", t("It is not held any more: it was released, deleted or has expired.")
	case errors.Is(err, relay.ErrMalware):
		return "bad", t("Judged again with today's signatures it is malware. It stays held and cannot be released by anybody.")
	case errors.Is(err, relay.ErrPhish) && v.has(changers):
		return "bad", t("Judged again it is phishing, which it was not taken for before. It stays held; open it, look again, and release it if you are sure.")
	case errors.Is(err, relay.ErrPhish):
		return "bad", t("Judged again it is phishing. It stays held; a security administrator can release it.")
	case errors.Is(err, relay.ErrUnjudged):
		return "bad", t("It could not be judged again just now, so it stays held. Try again in a moment.")
	}
	p.Log.Error("act on held mail", "mid", row.ID, "tenant", v.tenant.ID, "err", err)
	return "bad", t("This did not work; the message stays held.")
}

// releaseWords tells what the mailbox's server really answered.
func releaseWords(t func(string, ...any) string, out deliver.Outcome) (kind, text string) {
	switch out.Kind {
	case deliver.Delivered:
		return "good", t("Delivered. %s answered: %s", out.MTA, out.Reply)
	case deliver.Deferred:
		return "warn", t("Not delivered yet; it is tried again by itself. Last answer: %s", out.Reply)
	}
	return "bad", t("The mailbox's server refused it, so it is held again. Its answer: %s", out.Reply)
}

package portal

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/store"
)

// retentionPage says how long mail is kept, and how much the times in the form would
// remove at once.
type retentionPage struct {
	*shell
	May          bool
	Why          string
	Rows         []keptRow
	DefaultHeld  int
	Trace        string // "" for the default
	DefaultTrace int    // 0 for ever
	TraceGoing   int
	Going        int // in all
	Ask          bool
	Least, Most  int
}

// A keptRow is one verdict's held mail.
type keptRow struct {
	Verdict  mail.Verdict
	Days     string // "" for the default
	N, Going int
	Oldest   time.Time
}

func (p *Portal) retention(w http.ResponseWriter, r *http.Request, v *visit) error {
	rules, err := p.Store.Rules(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	return p.showRetention(w, r, v, http.StatusOK, rules.Keep, retentionPage{})
}

func (p *Portal) showRetention(w http.ResponseWriter, r *http.Request, v *visit, status int, k mail.Keep, page retentionPage) error {
	page.shell, page.May = p.shell(r, v, "Retention"), v.has(changers)
	page.DefaultHeld, page.DefaultTrace = days(p.Keep), days(p.Store.KeepsTrace())
	page.Least, page.Most = admin.LeastHeld, admin.MostHeld
	if err := p.countGoing(r.Context(), v.tenant.ID, k, &page); err != nil {
		return err
	}
	return p.render(w, status, "retention", page)
}

// countGoing counts what the times in k would remove at once.
func (p *Portal) countGoing(ctx context.Context, tenant string, k mail.Keep, page *retentionPage) error {
	kept, err := p.Store.HeldOlder(ctx, tenant, k.Held, p.now())
	if err != nil {
		return err
	}
	for _, verdict := range admin.HeldVerdicts() {
		row := keptRow{Verdict: verdict, Days: number0(k.Held[verdict])}
		if i := slices.IndexFunc(kept, func(k store.Kept) bool { return k.Verdict == verdict }); i >= 0 {
			row.N, row.Going, row.Oldest = kept[i].N, kept[i].Going, kept[i].Oldest
			page.Going += row.Going
		}
		page.Rows = append(page.Rows, row)
	}
	page.Trace = number0(k.Trace)
	if k.Trace > 0 {
		page.TraceGoing, err = p.Store.EndedBefore(ctx, tenant, p.now().Add(-time.Duration(k.Trace)*24*time.Hour))
	}
	return err
}

// saveRetention keeps the times; where they would remove something at once, only
// when asked a second time.
func (p *Portal) saveRetention(w http.ResponseWriter, r *http.Request, v *visit) error {
	k, err := readKeep(r)
	if err != nil {
		return p.showRetention(w, r, v, http.StatusUnprocessableEntity, k, retentionPage{Why: v.words.Wrong(err)})
	}
	page := retentionPage{Ask: true}
	if err := p.countGoing(r.Context(), v.tenant.ID, k, &page); err != nil {
		return err
	}
	if page.Going+page.TraceGoing > 0 && r.PostFormValue("sure") != "yes" {
		return p.showRetention(w, r, v, http.StatusOK, k, retentionPage{Ask: true})
	}
	if _, err := v.SetKeep(r.Context(), v.tenant.ID, k); err != nil {
		return p.showRetention(w, r, v, http.StatusUnprocessableEntity, k, retentionPage{Why: v.words.Wrong(err)})
	}
	return tell(w, r, "/t/"+v.tenant.ID+"/retention", "good", v.words.T("Kept. What is over its time goes within some minutes."))
}

func readKeep(r *http.Request) (mail.Keep, error) {
	k := mail.Keep{Held: map[mail.Verdict]int{}}
	var err error
	read := func(name string) int {
		text := strings.TrimSpace(r.PostFormValue(name))
		if text == "" {
			return 0
		}
		n, bad := strconv.Atoi(text)
		if bad != nil || n < 1 {
			err = errors.New("give a whole number of days, or nothing for the default")
		}
		return n
	}
	for _, verdict := range admin.HeldVerdicts() {
		if n := read("held-" + string(verdict)); n != 0 {
			k.Held[verdict] = n
		}
	}
	k.Trace = read("trace")
	return k, err
}

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }

func number0(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

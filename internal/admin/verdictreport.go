package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"postern/internal/mail"
	"postern/internal/store"
	"postern/internal/webhook"
)

// ReportVerdict keeps what the actor says a message is, for one copy that was
// judged, whatever became of it. The error says what is wrong with the report, or
// is store.ErrNotFound.
func (a *Admin) ReportVerdict(ctx context.Context, tenant string, id mail.ID, n int, should mail.Verdict, comment string) (store.VerdictReport, error) {
	if !slices.Contains(ReportableVerdicts(), should) {
		return store.VerdictReport{}, mail.Refuse("a message cannot be reported as %q: choose one of %v", should, ReportableVerdicts())
	}
	m, err := a.Store.Message(ctx, tenant, id)
	if err != nil {
		return store.VerdictReport{}, err
	}
	i := slices.IndexFunc(m.Recipients, func(to store.Recipient) bool { return to.N == n })
	if i < 0 {
		return store.VerdictReport{}, fmt.Errorf("report on %s/%d: %w", id, n, store.ErrNotFound)
	}
	to := m.Recipients[i]
	switch to.Verdict {
	case "":
		return store.VerdictReport{}, mail.Refuse("it is not judged yet: there is nothing to correct")
	case should:
		return store.VerdictReport{}, mail.Refuse("it was judged %s already: there is nothing to correct", should)
	}
	r := store.VerdictReport{Message: id, N: n, At: a.now(), Actor: a.Actor, Verdict: to.Verdict, Score: to.Score,
		Should: should, Comment: cut(strings.ToValidUTF8(strings.TrimSpace(comment), "\uFFFD"), 1000)}
	if err := a.Store.PutVerdictReport(ctx, tenant, r); err != nil {
		return r, err
	}
	if a.Notify != nil {
		a.Notify(webhook.Event{Event: webhook.Reported, Tenant: tenant, Message: id, Rcpt: &n, Verdict: r.Verdict, Score: r.Score, Should: should})
	}
	return r, a.note(ctx, tenant, "verdict.report", fmt.Sprintf("%s.%d", id, n), string(r.Verdict), string(should))
}

// ReportableVerdicts are what a person can say that a message is.
func ReportableVerdicts() []mail.Verdict {
	return []mail.Verdict{mail.Clean, mail.Bulk, mail.Spam, mail.Phish, mail.Malware}
}

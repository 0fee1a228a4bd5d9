package portal

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"postern/internal/admin"
)

// Probing is how test messages are sent.
type Probing struct {
	From string                                          // address of this machine; "" if none is configured, so that none can be sent
	To   func(domains []string) (domain, mailbox string) // whom a tenant's is addressed to; there is at least one domain
}

// probePage follows a test message through the whole loop.
type probePage struct {
	*shell
	From, To string
	Ours     []string // addresses that Exchange knows as ours, which a probe must not come from
	Ready    bool     // Exchange is set up, so that it can come round
	May      bool
	Protects bool // the last one came round today, and Exchange still is set up
	Looking  bool // a look at Exchange is on
	Failed   string
	Probe    *admin.Probe // the last one, or the one on its way
	Going    bool
	Hops     []probeHop
	Rest     []probeHop // places it has not been at yet
	Way      []segment
}

func (p *Portal) probe(w http.ResponseWriter, r *http.Request, v *visit) error {
	page, err := p.probeNow(r, v)
	if err != nil {
		return err
	}
	return p.render(w, http.StatusOK, "probe", page)
}

// probeNow is what is known of the test message at this moment.
func (p *Portal) probeNow(r *http.Request, v *visit) (probePage, error) {
	ctx := r.Context()
	page := probePage{shell: p.shell(r, v, "Probe mail"), From: p.Probe.From, Ours: p.Exchange.Addresses, May: v.has(changers)}
	at, err := p.progress(ctx, v)
	if err != nil {
		return page, err
	}
	if page.Ready = at.connected && at.setUp; at.domains && p.Probe.To != nil {
		domains, err := p.Store.Domains(ctx, v.tenant.ID)
		if err != nil {
			return page, err
		}
		var names []string
		for _, d := range domains {
			if d.Enabled {
				names = append(names, d.Name)
			}
		}
		if len(names) > 0 {
			_, page.To = p.Probe.To(names)
		}
	}
	seen, err := v.LastWatched(ctx, v.tenant.ID)
	if err != nil {
		return page, err
	}
	since, failed := v.Runs.Looking(v.tenant.ID)
	page.Looking = !since.IsZero()
	if failed != nil {
		page.Failed = v.words.Wrong(failed)
	}
	page.Probe = seen.Probe
	if seen.Going != nil && p.now().Sub(seen.Going.At) < probeTime {
		page.Probe, page.Going = seen.Going, true
	}
	if page.Failed == "" && !page.Looking && !page.Going {
		page.Failed = v.words.Said(seen.Problem.Sentence)
	}
	if page.Looking && !page.Going {
		page.Probe = nil // of before
	}
	if page.Probe != nil {
		page.Protects = page.Ready && !page.Going && page.Probe.Problem.Format == "" && p.now().Sub(page.Probe.At) < 24*time.Hour
		page.Hops, page.Way = wayOf(v.words, page.Probe)
	}
	if page.Going || page.Looking {
		page.Rest = restOf(v.words.T, page.Probe)
	}
	return page, nil
}

// restOf are the places that a probe on its way has not been at, the first of them
// being where it is waited for.
func restOf(t func(string, ...any) string, p *admin.Probe) (rest []probeHop) {
	been := map[string]bool{}
	if p != nil {
		for _, h := range p.Hops {
			been[h.Place] = true
		}
	}
	kind := "now"
	for _, place := range [][2]string{{"sent", t("Sent as a stranger would")}, {"exchange", t("Taken by Exchange")}, {"relay", t("Redirected to the relay")}, {"judged", t("Judged")}, {"returned", t("Handed back to Exchange")}} {
		if !been[place[0]] {
			rest, kind = append(rest, probeHop{Title: place[1], Kind: kind}), "todo"
		}
	}
	return rest
}

const (
	probeBeat = 300 * time.Millisecond // between looks at how far it came
	probeTime = 20 * time.Minute       // after which none is on its way any more
)

// probeLive sends the test message's way anew whenever it came further, until it
// ended (server-sent events).
func (p *Portal) probeLive(w http.ResponseWriter, r *http.Request, v *visit) error {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	beat := time.NewTicker(probeBeat)
	defer beat.Stop()
	last := ""
	for began := time.Now(); time.Since(began) < probeTime; {
		page, err := p.probeNow(r, v)
		if r.Context().Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		var b strings.Builder
		if err := p.pages.byName["probe"].ExecuteTemplate(&b, "probe-way", page); err != nil {
			return err
		}
		ended := !page.Going && !page.Looking
		if b.String() != last {
			last = b.String()
			fmt.Fprintf(w, "event: steps\ndata: %s\n\n", strings.ReplaceAll(last, "\n", "\ndata: "))
		}
		if ended {
			fmt.Fprint(w, "event: end\ndata: .\n\n")
		}
		if flush.Flush() != nil || ended {
			return nil
		}
		select {
		case <-beat.C:
		case <-r.Context().Done():
			return nil
		}
	}
	return nil
}

package exchange

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
)

// A Watch says what to look at. Nil functions and zero values are left out.
type Watch struct {
	// Probe sends a message through the whole loop and returns the time it took.
	Probe    func(ctx context.Context) (time.Duration, error)
	SlowLoop time.Duration // from which on a probe is an alarm; default 10 minutes

	Since       time.Time // begin of the mail that coverage looks at; zero: no coverage
	MinCoverage float64   // share below which it is an alarm; default 0.99
	// Relayed reports whether the relay took a message with this Message-ID (without
	// <>), so that mail it holds is not counted as having passed it by.
	Relayed func(ctx context.Context, messageID string) (bool, error)
}

// An Observation is what one watch saw.
type Observation struct {
	At       time.Time     `json:"at"`
	Report   *Report       `json:"report"`
	Probe    time.Duration `json:"probe,omitempty"` // of the round trip
	Coverage *Coverage     `json:"coverage,omitempty"`
	Alarms   []Alarm       `json:"alarms"`
}

// An Alarm is something a person should hear of.
type Alarm struct {
	Kind     string        `json:"kind"` // "drift", "probe", "coverage", "unreachable"
	Severity Severity      `json:"severity"`
	Text     mail.Sentence `json:"text"` // sentence
}

// Coverage is the share of external mail that passed the relay.
type Coverage struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Total   int       `json:"total"`   // external messages to protected people, by message and recipient
	Relayed int       `json:"relayed"` // of these, seen by the relay
	Missed  []string  `json:"missed"`  // Message-IDs that passed it by, at most 20
}

// Share is Relayed of Total; 1 when there was no mail.
func (c *Coverage) Share() float64 {
	if c.Total == 0 {
		return 1
	}
	return float64(c.Relayed) / float64(c.Total)
}

const (
	defaultSlow     = 10 * time.Minute
	defaultCoverage = 0.99
	maxMissed       = 20
	tracePage       = 5000 // rows of Get-MessageTraceV2
	maxTracePages   = 200
	onItsWay        = 15 * time.Minute // mail younger than this may still be coming back
)

// Observe verifies the tenant, sends a probe round and measures coverage. It
// changes nothing. What fails becomes an alarm; the error is only that of the
// journal, of spec, or of ctx.
func (e *Engine) Observe(ctx context.Context, spec Spec, w Watch) (*Observation, error) {
	s, err := spec.clean()
	if err != nil {
		return nil, err
	}
	o := &Observation{At: e.now(), Alarms: []Alarm{}}
	o.Report, err = e.Verify(ctx, spec)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		o.alarm("unreachable", Warning, mail.Say("The tenant could not be verified: %s.", err))
	} else {
		o.drift()
	}
	if w.Probe != nil {
		o.probe(ctx, w)
	}
	if !w.Since.IsZero() {
		if o.Coverage, err = e.coverage(ctx, s, w); err != nil {
			o.alarm("unreachable", Warning, mail.Say("The message trace could not be read: %s.", err))
		} else {
			o.covered(w)
		}
	}
	return o, ctx.Err()
}

func (o *Observation) alarm(kind string, sev Severity, text mail.Sentence) {
	o.Alarms = append(o.Alarms, Alarm{kind, sev, text})
}

func (o *Observation) drift() {
	for _, d := range o.Report.Drift {
		if d.Severity == Info {
			continue
		}
		t := mail.Together(mail.Say("In Exchange, %s of %s is not as it was set up.", d.Field, d.Object), d.Note)
		if d.Field == "" {
			t = mail.Say("In Exchange, %s is missing.", d.Object)
		}
		o.alarm("drift", d.Severity, t)
	}
}

func (o *Observation) probe(ctx context.Context, w Watch) {
	slow := w.SlowLoop
	if slow == 0 {
		slow = defaultSlow
	}
	took, err := w.Probe(ctx)
	o.Probe = took
	switch {
	case err != nil:
		o.alarm("probe", Critical, mail.Say("The test message did not come round: %s.", err))
	case took > slow:
		o.alarm("probe", Warning, mail.Say("The test message took %s through the loop.", took.Round(time.Second)))
	}
}

func (o *Observation) covered(w Watch) {
	least := w.MinCoverage
	if least == 0 {
		least = defaultCoverage
	}
	if share := o.Coverage.Share(); share < least {
		o.alarm("coverage", Critical, mail.Say("Only %.1f %% of external mail passed the relay (%d of %d messages).", share*100, o.Coverage.Relayed, o.Coverage.Total))
	}
}

// coverage reads the message trace. A message that went round stands in it twice:
// once from its sender's address, once from the relay's.
func (e *Engine) coverage(ctx context.Context, s Spec, w Watch) (*Coverage, error) {
	c := &Coverage{From: w.Since, To: e.now().Add(-onItsWay), Missed: []string{}}
	rows, err := e.trace(ctx, c.From, e.now())
	if err != nil {
		return nil, err
	}
	type leg struct{ outside, back bool }
	legs := map[string]*leg{}
	ids := map[string]string{}
	var order []string
	for _, r := range rows {
		rcpt := strings.ToLower(text(r["RecipientAddress"]))
		if !slices.Contains(s.Domains, mail.DomainOf(rcpt)) {
			continue
		}
		id := strings.Trim(text(r["MessageId"]), "<> ")
		key := id + "\x00" + rcpt
		l := legs[key]
		if l == nil {
			l = &leg{}
			legs[key], ids[key] = l, id
			order = append(order, key)
		}
		switch from := text(r["FromIP"]); {
		case s.isRelay(from):
			l.back = true
		case external(from) && received(r).Before(c.To):
			l.outside = true
		}
	}
	for _, key := range order {
		l := legs[key]
		if !l.outside {
			continue
		}
		c.Total++
		seen := l.back
		if !seen && w.Relayed != nil {
			if seen, err = w.Relayed(ctx, ids[key]); err != nil {
				return nil, fmt.Errorf("look up message in ledger: %w", err)
			}
		}
		if seen {
			c.Relayed++
		} else if len(c.Missed) < maxMissed {
			c.Missed = append(c.Missed, ids[key])
		}
	}
	return c, nil
}

func (s Spec) isRelay(ip string) bool {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	for _, a := range s.Addresses {
		if p, err := parseAddress(a); err == nil && p.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

// external reports whether a trace row's address is one of the Internet: mail
// between the tenant's own people has none, or 255.255.255.255.
func external(ip string) bool {
	addr, err := netip.ParseAddr(ip)
	return err == nil && addr.Unmap() != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func received(row map[string]any) time.Time {
	at, ok := instant(strings.ToLower(text(row["Received"])))
	if !ok {
		return time.Time{}
	}
	t, _ := time.Parse(time.RFC3339, at) // instant made this form
	return t
}

// trace reads all rows between two times. Get-MessageTraceV2 has no paging of its
// own: the next part begins where the last row ended (cmdlets.json).
func (e *Engine) trace(ctx context.Context, from, to time.Time) ([]map[string]any, error) {
	params := map[string]any{"StartDate": from.UTC().Format(time.RFC3339), "EndDate": to.UTC().Format(time.RFC3339), "ResultSize": tracePage}
	seen := map[string]bool{}
	var all []map[string]any
	for range maxTracePages {
		rows, err := e.Commander.Invoke(ctx, "Get-MessageTraceV2", params)
		if err != nil {
			return nil, explain(err, "Get-MessageTraceV2")
		}
		fresh := 0
		for _, r := range rows {
			key := text(r["MessageTraceId"]) + "\x00" + text(r["RecipientAddress"])
			if !seen[key] {
				seen[key] = true
				fresh++
				all = append(all, r)
			}
		}
		if len(rows) < tracePage || fresh == 0 {
			return all, nil
		}
		end := rows[len(rows)-1]
		params["EndDate"], params["StartingRecipientAddress"] = text(end["Received"]), text(end["RecipientAddress"])
	}
	return all, nil
}

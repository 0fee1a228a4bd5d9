package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"postern/internal/exchange"
)

// demoReport prints what the demo does, for a person.
type demoReport struct {
	out    io.Writer
	colour bool
	rows   []demoRow
	began  time.Time
}

type demoRow struct {
	File    string  `json:"file"`
	Title   string  `json:"title"`
	Place   string  `json:"place"`
	Expect  string  `json:"expect,omitempty"`
	Verdict string  `json:"verdict"`
	Reason  string  `json:"reason"`
	Intact  bool    `json:"intact"`
	MS      float64 `json:"ms"`
	OK      bool    `json:"ok"`
}

const (
	green  = "\x1b[32m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	dim    = "\x1b[2m"
	bold   = "\x1b[1m"
	plainC = "\x1b[0m"
)

func (r *demoReport) paint(style, text string) string {
	if !r.colour {
		return text
	}
	return style + text + plainC
}

func (r *demoReport) title() {
	fmt.Fprintln(r.out, r.paint(bold, "Postern demo")+": everything runs on this machine's loopback; nothing leaves it.")
	fmt.Fprintln(r.out)
}

// step tells of one step of the set-up.
func (r *demoReport) step(text string, args ...any) {
	fmt.Fprintf(r.out, "  %s %s\n", r.paint(green, "✓"), fmt.Sprintf(text, args...))
}

// detail tells of one change within a step.
func (r *demoReport) detail(text string, args ...any) {
	fmt.Fprintf(r.out, "      %s\n", r.paint(dim, show(fmt.Sprintf(text, args...), 120)))
}

// verified tells what reading Exchange back gave.
func (r *demoReport) verified(report *exchange.Report) {
	fmt.Fprintln(r.out)
	if report.OK {
		r.step("Exchange read back: everything stands as it was set up")
		return
	}
	for _, d := range report.Drift {
		fmt.Fprintf(r.out, "  %s %s: %s is %v, should be %v\n", r.paint(red, "✗"), d.Object, d.Field, d.Have, d.Want)
	}
}

func (r *demoReport) begin(n int) {
	r.began = time.Now()
	fmt.Fprintf(r.out, "\nThe simulated Internet sends %d messages to %s. Exchange redirects each to the relay over TLS,\nthe relay judges it and hands it back, or holds it:\n\n", n, demoDomain)
}

// message tells where one message ended and reports whether that is right.
func (r *demoReport) message(m demoMail, end demoEnd) bool {
	ok := end.place != "nowhere" && end.intact && (m.expect == "" || m.expect == end.place)
	mark, style := "→ inbox     ", green
	switch end.place {
	case "quarantine":
		mark, style = "■ quarantine", yellow
	case "junk":
		mark, style = "→ junk      ", red
	case "nowhere":
		mark, style = "✗ nowhere   ", red
	}
	fmt.Fprintf(r.out, "%s  %-50s %-10s %4d ms\n", r.paint(style, mark), show(m.title, 50), end.verdict, end.took.Milliseconds())
	if end.place != "inbox" || !ok {
		fmt.Fprintf(r.out, "              %s\n", r.paint(dim, show(end.reason, 150)))
	}
	if !ok {
		why := "expected " + m.expect
		if !end.intact {
			why = "the body was changed on the way"
		}
		fmt.Fprintf(r.out, "              %s\n", r.paint(red, "not as it should be: "+why))
	}
	r.rows = append(r.rows, demoRow{m.file, m.title, end.place, m.expect, string(end.verdict), end.reason, end.intact, float64(end.took.Microseconds()) / 1000, ok})
	return ok
}

func (r *demoReport) totals(ok bool) {
	places := map[string]int{}
	right := 0
	for _, row := range r.rows {
		places[row.Place]++
		if row.OK {
			right++
		}
	}
	fmt.Fprintf(r.out, "\n%s %d messages in %.1f s: %d in the inbox, %d in the quarantine, %d elsewhere; every body as it was sent: %v.\n",
		r.paint(bold, "Totals:"), len(r.rows), time.Since(r.began).Seconds(), places["inbox"], places["quarantine"], len(r.rows)-places["inbox"]-places["quarantine"], r.allIntact())
	if ok {
		fmt.Fprintln(r.out, r.paint(green, "The round trip works: each message ended where it should."))
	} else {
		fmt.Fprintln(r.out, r.paint(red, fmt.Sprintf("%d of %d messages did not end where they should.", len(r.rows)-right, len(r.rows))))
	}
}

func (r *demoReport) allIntact() bool {
	for _, row := range r.rows {
		if !row.Intact {
			return false
		}
	}
	return true
}

func (r *demoReport) view(ok bool) any {
	return map[string]any{"ok": ok, "messages": r.rows}
}

// stays says what can be looked at while the demo stays up.
func (r *demoReport) stays(ctx context.Context, w *demoWorld) {
	fmt.Fprintf(r.out, "\nPortal:       http://%s/\n", w.server.portalAddr())
	fmt.Fprintf(r.out, "Recipients:   %s/   (their own held mail; digests: Inbound Management, Recipients)\n", w.conf.Recipients.URL)
	fmt.Fprintf(r.out, "Quarantine:   postern --config %s quarantine list\n", w.conf.file)
	fmt.Fprintf(r.out, "Trace:        postern --config %s trace\n", w.conf.file)
	w.server.welcome(ctx, r.out)
	fmt.Fprintln(r.out, "Ctrl-C ends the demo.")
}

// fresh tells what a person needs to go through the first run.
func (r *demoReport) fresh(ctx context.Context, w *demoWorld) {
	o := w.twin.Tenants()[0]
	fmt.Fprintf(r.out, "\nPortal:        http://%s/\n", w.server.portalAddr())
	fmt.Fprintf(r.out, "Domain:        %s\n", demoDomain)
	fmt.Fprintf(r.out, "Organization:  %s\nClient id:     %s\nClient secret: %s\n", o.Organization, o.ClientID, o.ClientSecret)
	w.server.welcome(ctx, r.out)
	fmt.Fprintln(r.out, "Exchange is simulated. Nothing leaves this machine. Ctrl-C ends the demo.")
}

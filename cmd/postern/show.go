package main

import (
	"fmt"
	"io"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/store"
)

type quarantineShowCmd struct {
	ID     string `arg:"" help:"Id from quarantine list."`
	Text   bool   `help:"Also what it says, as text, and where its links lead."`
	Reason string `help:"Why it is read, for the audit log."`
}

type shownView struct {
	traceView
	Held     []heldRcptView  `json:"recipients"`
	Findings []mail.Finding  `json:"findings"`
	Auth     authView        `json:"auth"`
	Parts    []mail.PartInfo `json:"parts"`
	Header   []headerView    `json:"header"`
	Text     string          `json:"text,omitempty"`
	Links    []linkView      `json:"links,omitempty"`
}

type linkView struct {
	URL  string `json:"url"`
	Text string `json:"text"`
}

type heldRcptView struct {
	ID    string     `json:"id"`
	To    string     `json:"to"`
	State mail.State `json:"state"`
}

type headerView struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (q *quarantineShowCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		copies, m, err := heldCopies(c, o, q.ID)
		if err != nil {
			return err
		}
		row, err := traceOf(c, o, m.ID, copies[0])
		if err != nil {
			return err
		}
		v := shownView{traceView: viewTrace(row)}
		for _, to := range m.Recipients {
			v.Held = append(v.Held, heldRcptView{copyID(m.ID, to.N), to.Addr, to.State})
		}
		if j, err := o.store.Judgement(c.ctx, m.ID); err == nil {
			v.Findings, v.Auth, v.Parts = j.Findings, viewAuth(j.Auth), j.Parts
		}
		r, err := newRelay(c.ctx, o, relayOptions{})
		if err != nil {
			return err
		}
		header, err := r.Header(c.ctx, m.Tenant, m.ID)
		if err != nil {
			return err
		}
		for _, f := range header {
			v.Header = append(v.Header, headerView{f.Name, f.Value()})
		}
		part := "header"
		if q.Text {
			part = "content"
		}
		if err := o.admin().NoteReading(c.ctx, m.Tenant, string(m.ID), strings.TrimSuffix(part+": "+q.Reason, ": ")); err != nil {
			return err
		}
		if q.Text {
			if err := v.read(c, r, m); err != nil {
				return err
			}
		}
		return c.print(v, func(w io.Writer) { printShown(w, v) })
	})
}

// read lets a child process find out what the message says.
func (v *shownView) read(c *console, r *relay.Relay, m *store.Message) error {
	octets, err := r.Content(c.ctx, m.Tenant, m.ID)
	if err != nil {
		return err
	}
	reading, err := readHeld(c.ctx, octets)
	if err != nil {
		return err
	}
	v.Text = reading.Text
	for _, l := range reading.Links {
		v.Links = append(v.Links, linkView{l.URL, l.Text})
	}
	return nil
}

func printShown(w io.Writer, v shownView) {
	fmt.Fprintf(w, "%s  received %s, %d octets\n", v.ID, day(v.ReceivedAt), v.Size)
	fmt.Fprintf(w, "From     %s (envelope %s)\nSubject  %s\n", show(v.From, 200), show(v.Sender, 200), show(v.Subject, 200))
	for _, to := range v.Held {
		fmt.Fprintf(w, "To       %s  %s  %s\n", show(to.To, 200), to.State, to.ID)
	}
	fmt.Fprintf(w, "Verdict  %s (%d points)\n", v.Verdict, v.Score)
	for _, why := range v.Reasons {
		fmt.Fprintf(w, "  - %s\n", show(why, 400))
	}
	fmt.Fprintf(w, "Checked  SPF %s, DKIM %s, DMARC %s, ARC %s; from %s\n", v.Auth.SPF, v.Auth.DKIM, v.Auth.DMARC, v.Auth.ARC, v.Origin.IP)
	for _, p := range v.Parts {
		fmt.Fprintf(w, "Part     %-10s %s %s %d octets\n", show(p.Path, 60), p.Type, show(p.Name, 80), p.Size)
	}
	for _, e := range v.Events {
		fmt.Fprintf(w, "%s  %-10s %s\n", e.At.UTC().Format("2006-01-02 15:04:05"), e.State, show(e.Text, 200))
	}
	fmt.Fprintln(w, "Header")
	for _, h := range v.Header {
		fmt.Fprintf(w, "  %s: %s\n", show(h.Name, 60), show(h.Value, 160))
	}
	if v.Text != "" {
		fmt.Fprintln(w, "Text")
		for line := range strings.Lines(v.Text) {
			fmt.Fprintf(w, "  %s\n", show(strings.TrimRight(line, "\r\n"), 500))
		}
	}
	for _, l := range v.Links {
		fmt.Fprintf(w, "Link     %s  %s\n", show(l.URL, 300), show(l.Text, 100))
	}
}

// traceOf is one recipient's row of the trace.
func traceOf(c *console, o *opened, id mail.ID, n int) (store.TraceRow, error) {
	rows, err := o.store.Trace(c.ctx, store.TraceFilter{ID: id, Limit: 1000})
	if err != nil {
		return store.TraceRow{}, err
	}
	for _, r := range rows {
		if r.N == n {
			return r, nil
		}
	}
	return store.TraceRow{}, fmt.Errorf("message %s has no recipient number %d", id, n)
}

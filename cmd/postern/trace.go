package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
	"postern/internal/store"
)

type traceCmd struct {
	Tenant    string `help:"Only this tenant's."`
	From      string `help:"Part of the sender's address."`
	To        string `help:"Part of the recipient's address."`
	Subject   string `help:"Part of the subject."`
	sought    `embed:""`
	MessageID string `name:"message-id" help:"Message-ID."`
	ID        string `name:"id" help:"Postern's id of the message."`
	State     string `help:"accepted, judged, delivering, delivered, held, dropped or returned."`
	Verdict   string `help:"clean, bulk, spam, suspicious, phish, malware or unjudged."`
	Since     string `help:"Received since: 2006-01-02, 2006-01-02T15:04:05Z, or a duration such as 24h."`
	Until     string `help:"Received before."`
	Limit     int    `default:"1000" help:"At most so many entries."`
}

// sought is what trace and quarantine list search for besides.
type sought struct {
	Query  string `short:"q" help:"As in the portal's box: invoice from:ann link:paypal verdict:phish after:7d."`
	Reason string `help:"Part of a reason."`
	File   string `help:"Part of the name of an attachment."`
	Link   string `help:"Part of the host that a link leads to."`
}

// filter is what is sought; flags besides are added to it.
func (s *sought) filter() (store.TraceFilter, error) {
	f, err := admin.ParseQuery(s.Query, time.Now())
	if err != nil {
		return f, usageError("--query: " + err.Error())
	}
	f.Reason, f.Attachment, f.Link = s.Reason, s.File, s.Link
	return f, nil
}

type traceView struct {
	ID         mail.ID      `json:"id"`
	MessageID  string       `json:"message_id"`
	ReceivedAt time.Time    `json:"received_at"`
	Tenant     string       `json:"tenant"`
	From       string       `json:"from"`
	To         string       `json:"to"`
	Subject    string       `json:"subject"`
	Origin     originView   `json:"origin"`
	Verdict    mail.Verdict `json:"verdict"`
	Action     mail.Action  `json:"action"`
	State      mail.State   `json:"state"`
	Score      int          `json:"score"`
	Reasons    []string     `json:"reasons"`
	MTA        string       `json:"mta"`
	Reply      string       `json:"reply"`
	Size       int64        `json:"size"`
	Sender     string       `json:"envelope_from"`
	Events     []eventView  `json:"events"`
}

type originView struct {
	IP   string `json:"ip"`
	HELO string `json:"helo"`
}

type eventView struct {
	At    time.Time  `json:"at"`
	State mail.State `json:"state"`
	Text  string     `json:"text"`
}

func viewTrace(r store.TraceRow) traceView {
	v := traceView{
		ID: r.ID, MessageID: r.MessageID, ReceivedAt: r.Received, Tenant: r.Tenant, From: r.From, To: r.To, Subject: r.Subject,
		Origin: originView{r.OriginIP, r.OriginHELO}, Verdict: r.Verdict, Action: r.Action, State: r.State, Score: r.Score,
		Reasons: r.Reasons, MTA: r.MTA, Reply: r.Reply, Size: r.Size, Sender: r.Sender, Events: []eventView{},
	}
	if v.Reasons == nil {
		v.Reasons = []string{}
	}
	for _, e := range r.Events {
		v.Events = append(v.Events, eventView{e.At, e.State, e.Text})
	}
	return v
}

func (t *traceCmd) filter() (store.TraceFilter, error) {
	f, err := t.sought.filter()
	if err != nil {
		return f, err
	}
	f.From, f.To, f.Subject, f.MessageID, f.ID, f.Limit = t.From, t.To, t.Subject, t.MessageID, mail.ID(t.ID), t.Limit
	f.State, f.Verdict = cmp.Or(mail.State(t.State), f.State), cmp.Or(mail.Verdict(t.Verdict), f.Verdict)
	if t.ID != "" && !f.ID.Valid() {
		return f, usageError(fmt.Sprintf("--id %q is no message id: it has 26 letters and digits", t.ID))
	}
	if t.Since != "" {
		if f.Since, err = moment("--since", t.Since); err != nil {
			return f, err
		}
	}
	if t.Until != "" {
		f.Until, err = moment("--until", t.Until)
	}
	return f, err
}

// moment reads a time: a day, an RFC 3339 time, or how long ago.
func moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return time.Now().Add(-ago), nil
	}
	return time.Time{}, usageError(fmt.Sprintf("%s %q is no time: write 2006-01-02, 2006-01-02T15:04:05Z or a duration such as 24h", flag, text))
}

func (t *traceCmd) Run(c *console) error {
	f, err := t.filter()
	if err != nil {
		return err
	}
	return c.with(func(o *opened) error {
		if f.Tenant, err = o.tenant(c.ctx, t.Tenant); err != nil {
			return err
		}
		rows, err := o.store.Trace(c.ctx, f)
		if err != nil {
			return err
		}
		views := make([]traceView, 0, len(rows))
		for _, r := range rows {
			views = append(views, viewTrace(r))
		}
		return c.print(views, func(w io.Writer) {
			table(w, "RECEIVED\tFROM\tTO\tSUBJECT\tVERDICT\tSTATE\tWHY", len(views), func(t io.Writer, i int) {
				v := views[i]
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", day(v.ReceivedAt), show(v.From, 30), show(v.To, 30), show(v.Subject, 30), v.Verdict, v.State, show(firstOf(v.Reasons), 60))
			})
		})
	})
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// show makes a stranger's text safe for a terminal and cuts it.
func show(s string, width int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || (r >= 0x200b && r <= 0x200f) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) || r == 0xfeff {
			return '·'
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return s
}

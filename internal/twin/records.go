package twin

import (
	"slices"
	"strings"
	"time"

	"postern/internal/twin/cmdlet"
)

// An Item is a message in a mailbox.
type Item struct {
	Folder string    `json:"folder"` // "inbox" or "junk"
	From   string    `json:"from"`   // reverse-path, "" for the null path
	Raw    []byte    `json:"raw"`    // as stored: our headers, then the message byte for byte
	At     time.Time `json:"at"`
	FromIP string    `json:"from_ip"` // the peer that handed it in last
	ID     string    `json:"id"`      // network message id
}

// A Held is a message in Microsoft's quarantine.
type Held struct {
	Identity string    `json:"identity"`
	Type     string    `json:"type"` // "Malware", "HighConfPhish", "Phish", "Spam", "Bulk", "TransportRule"
	From     string    `json:"from"`
	To       string    `json:"to"`
	Subject  string    `json:"subject"`
	Raw      []byte    `json:"raw"`
	At       time.Time `json:"at"`
	Released bool      `json:"released"`
}

// An NDR is a non-delivery report Exchange sent. It quotes the header of the
// message as it stood when it was refused, with whatever a rule had put there.
type NDR struct {
	To       string    `json:"to"` // the sender
	Failed   []string  `json:"failed"`
	Reply    string    `json:"reply"` // what the next hop, or Exchange, said
	Raw      []byte    `json:"raw"`
	Internal bool      `json:"internal"` // the sender is a mailbox of this tenant
	At       time.Time `json:"at"`
}

// A Sent is a message that left through a connector or to the Internet.
type Sent struct {
	Connector string    `json:"connector"` // "" for the Internet at large
	Host      string    `json:"host"`
	ToIP      string    `json:"to_ip"`
	FromIP    string    `json:"from_ip"` // peer it came from
	From      string    `json:"from"`
	To        []string  `json:"to"`
	Subject   string    `json:"subject"`
	Reply     string    `json:"reply"`
	Raw       []byte    `json:"raw"`
	At        time.Time `json:"at"`
	ID        string    `json:"id"`
}

// An Event is one thing Exchange did with a message.
type Event struct {
	At   time.Time `json:"at"`
	ID   string    `json:"id"`   // network message id
	Step string    `json:"step"` // "receive", "reject", "attribute", "authenticate", "rule", "filter", "route", "defer", "deliver", "quarantine", "ndr", "drop"
	From string    `json:"from"`
	To   []string  `json:"to"`
	Text string    `json:"text"` // in words: the rule's or connector's name, the reply
}

// Mailbox is what an address received, oldest first.
func (t *Tenant) Mailbox(addr string) []Item {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.items[strings.ToLower(addr)])
}

// Quarantine is what Microsoft holds for the tenant, oldest first.
func (t *Tenant) Quarantine() []Held {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.held)
}

// NDRs are the non-delivery reports sent for the tenant's mail, oldest first.
func (t *Tenant) NDRs() []NDR {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.ndrs)
}

// Sent is what left the tenant, oldest first.
func (t *Tenant) Sent() []Sent {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.sent)
}

// Events is what was done with every message, oldest first.
func (t *Tenant) Events() []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.trace)
}

// messageTrace is Get-MessageTrace and Get-MessageTraceV2: one row per recipient.
func (c *call) messageTrace() ([]Object, error) {
	var rows []Object
	for addr, items := range c.t.items {
		for _, it := range items {
			rows = append(rows, traceRow(it.At, it.ID, it.From, addr, subjectOf(it.Raw), "Delivered", it.FromIP, "", it.Raw))
		}
	}
	for _, h := range c.t.held {
		rows = append(rows, traceRow(h.At, h.Identity, h.From, h.To, h.Subject, "Quarantined", "", "", h.Raw))
	}
	for _, s := range c.t.sent {
		for _, to := range s.To {
			rows = append(rows, traceRow(s.At, s.ID, s.From, to, s.Subject, "Delivered", s.FromIP, s.ToIP, s.Raw))
		}
	}
	rows = slices.DeleteFunc(rows, func(o Object) bool {
		return !within(c.args.List("RecipientAddress"), o.String("RecipientAddress")) || !within(c.args.List("SenderAddress"), o.String("SenderAddress")) ||
			!within(c.args.List("MessageId"), o.String("MessageId")) || !within(c.args.List("Status"), o.String("Status")) ||
			!c.between(o.String("Received")) || !matches(c.args.String("FromIP"), o.String("FromIP")) || !matches(c.args.String("ToIP"), o.String("ToIP"))
	})
	slices.SortStableFunc(rows, func(a, b Object) int { return strings.Compare(b.String("Received"), a.String("Received")) })
	return rows, nil
}

// between holds a row's time to -StartDate and -EndDate.
func (c *call) between(received string) bool {
	at, _ := time.Parse("2006-01-02T15:04:05.0000000", received)
	for name, outside := range map[string]func(time.Time) bool{"StartDate": at.Before, "EndDate": at.After} {
		if limit, err := time.Parse(time.RFC3339, c.args.String(name)); err == nil && outside(limit) {
			return false
		}
	}
	return true
}

// within is a filter: an empty list lets everything through.
func within(list []string, s string) bool { return len(list) == 0 || listed(list, s) }

func listed(list []string, s string) bool {
	return slices.ContainsFunc(list, func(l string) bool { return strings.EqualFold(l, s) })
}

func traceRow(at time.Time, id, from, to, subject, status, fromIP, toIP string, raw []byte) Object {
	return Object{"Received": at.UTC().Format("2006-01-02T15:04:05.0000000"), "SenderAddress": from, "RecipientAddress": to, "Subject": subject, "Status": status,
		"FromIP": fromIP, "ToIP": toIP, "Size": len(raw), "MessageId": fields(raw).first("Message-ID"), "MessageTraceId": id, "Organization": ""}
}

// quarantineMessage is Get- and Release-QuarantineMessage.
func (c *call) quarantineMessage() ([]Object, error) {
	if c.verb == "Release" {
		return c.release()
	}
	out := []Object{}
	for _, h := range c.t.held {
		status := "NOTRELEASED"
		if h.Released {
			status = "RELEASED"
		}
		if id := c.args.String("Identity"); id != "" && !strings.EqualFold(id, h.Identity) || !matches(c.args.String("Type"), h.Type) || !within(c.args.List("RecipientAddress"), h.To) {
			continue
		}
		out = append(out, Object{"Identity": h.Identity, "Type": h.Type, "QuarantineTypes": h.Type, "SenderAddress": h.From, "RecipientAddress": []string{h.To}, "Subject": h.Subject,
			"ReceivedTime": stamp(h.At), "ReleaseStatus": status, "Size": len(h.Raw), "Direction": "Inbound", "MessageId": fields(h.Raw).first("Message-ID")})
	}
	return out, nil
}

func (c *call) release() ([]Object, error) {
	id := c.args.String("Identity")
	for i, h := range c.t.held {
		if strings.EqualFold(h.Identity, id) {
			c.t.held[i].Released = true
			c.t.items[strings.ToLower(h.To)] = append(c.t.items[strings.ToLower(h.To)], Item{Folder: "inbox", From: h.From, Raw: h.Raw, At: c.t.twin.now(), ID: h.Identity})
			return []Object{}, nil
		}
	}
	return nil, cmdlet.NotFound(id, server)
}

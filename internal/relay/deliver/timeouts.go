package deliver

import (
	"cmp"
	"time"
)

// Timeouts are how long the hop may keep us waiting at each step. Zero means the
// value beside the field; those of RFC 5321 §4.5.3.2 are long because giving up
// after the content makes duplicates.
type Timeouts struct {
	Connect   time.Duration // 10 s: TCP, all addresses of an MTA together while another MTA is left
	Handover  time.Duration // 10 s: from look-up to EHLO, and for each reply before the content, while another MTA is left
	Greeting  time.Duration // 5 min (RFC 5321 §4.5.3.2.1)
	Hello     time.Duration // 5 min: EHLO, STARTTLS, the TLS handshake, RSET
	Mail      time.Duration // 5 min (§4.5.3.2.2)
	Rcpt      time.Duration // 5 min (§4.5.3.2.3)
	DataInit  time.Duration // 2 min (§4.5.3.2.4)
	DataBlock time.Duration // 3 min: for each piece of content to be taken (§4.5.3.2.5)
	DataEnd   time.Duration // 10 min: for the reply to the whole (§4.5.3.2.6)
	Quit      time.Duration // 2 s
}

func (t Timeouts) orDefault() Timeouts {
	return Timeouts{
		Connect:   cmp.Or(t.Connect, 10*time.Second),
		Handover:  cmp.Or(t.Handover, 10*time.Second),
		Greeting:  cmp.Or(t.Greeting, 5*time.Minute),
		Hello:     cmp.Or(t.Hello, 5*time.Minute),
		Mail:      cmp.Or(t.Mail, 5*time.Minute),
		Rcpt:      cmp.Or(t.Rcpt, 5*time.Minute),
		DataInit:  cmp.Or(t.DataInit, 2*time.Minute),
		DataBlock: cmp.Or(t.DataBlock, 3*time.Minute),
		DataEnd:   cmp.Or(t.DataEnd, 10*time.Minute),
		Quit:      cmp.Or(t.Quit, 2*time.Second),
	}
}

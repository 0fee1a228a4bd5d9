package deliver

import (
	"context"
	"io"
	"net"

	"postern/internal/mail"
)

// Job is one message for recipients that share their MTAs.
type Job struct {
	ID         mail.ID
	Tenant     string
	From       string // reverse-path without <>; "" is the null path
	Rcpts      []mail.Rcpt
	SMTPUTF8   bool   // the client asked for SMTPUTF8 (RFC 6531)
	RequireTLS bool   // the client asked for REQUIRETLS (RFC 8689)
	Body       string // "", "7BIT" or "8BITMIME"
	Ret        string // RET as given, "" if not
	EnvID      string // ENVID as given, still xtext, "" if not

	MTAs    []mail.MTA                    // in order of preference
	Prepend []byte                        // header fields that go before the content, each with CRLF
	Size    int64                         // octets of the content; a content that turns out shorter or longer is not sent
	Open    func() (io.ReadCloser, error) // the content from its beginning; may be called several times

	// Sent, if not nil, is told of recipients as soon as they are Delivered,
	// before the connection takes another message: what it makes durable bounds
	// the duplicates after a crash to one message per connection.
	Sent func([]Outcome)
}

// Kind says what became of a message at the next hop.
type Kind string

const (
	Delivered     Kind = "delivered"     // the hop answered 2xx to the content: it is its responsibility now (RFC 5321 §6.1)
	Deferred      Kind = "deferred"      // may work later: 4xx, no connection, TLS not good enough
	Refused       Kind = "refused"       // the hop answered 5xx to this message or recipient
	Undeliverable Kind = "undeliverable" // no hop can take it unharmed (SMTPUTF8, 8BITMIME, REQUIRETLS missing), or the address cannot be sent
)

// Outcome is what became of one recipient's copy.
type Outcome struct {
	Rcpt   mail.Rcpt
	Kind   Kind
	MTA    string // host:port that said or did it, "" if none was reached
	Reply  string // the hop's own SMTP reply, "250 2.0.0 Ok: queued as 1", or in words why there is none; one line of printable text
	TLS    mail.TLS
	Unsure bool   // Deferred because the reply to the complete content never came: trying again may make a duplicate
	Signal Signal // what this says about the destination, for Queue
}

// Resolver is what deliver needs of DNS; the errors are *net.DNSError.
type Resolver interface {
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupCNAME(ctx context.Context, host string) (string, error)
}

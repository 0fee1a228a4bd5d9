package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"postern/internal/guard"
	"postern/internal/mail"
)

// hopError says why an MTA could not be used for a transaction. It is about the
// hop or the connection, never about the message.
type hopError struct {
	stage string // "connect", "greeting", "EHLO", "STARTTLS", "MAIL" ...
	reply *reply // what the hop said, nil if it said nothing
	err   error  // what happened to the connection, nil if reply tells it
}

func (e *hopError) Error() string {
	if e.reply != nil {
		return fmt.Sprintf("answered %s with %s", e.stage, e.reply)
	}
	return e.stage + ": " + words(e.err).Error()
}

// Told is what happened, without the stage where the hop said nothing.
func (e *hopError) Told() mail.Sentence {
	if e.reply != nil {
		return mail.Say("Answered %s with %s.", e.stage, e.reply)
	}
	return mail.Told(words(e.err))
}

func (e *hopError) Unwrap() error { return e.err }

// lost reports whether the connection broke under us, so that a new one is worth
// trying at once; silence is not, it would be waited for twice.
func (e *hopError) lost() bool {
	return e.reply == nil && !isTimeout(e.err) && !errors.Is(e.err, errReply) && !errors.Is(e.err, context.Canceled)
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout()
}

// words tells a connection's end so that an administrator knows what to look at.
func words(err error) error {
	var dnsErr *net.DNSError
	var refused *guard.Refused
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &dnsErr):
		return dnsWords(dnsErr)
	case errors.Is(err, context.Canceled):
		return mail.Refuse("interrupted, this relay is stopping")
	case isTimeout(err):
		return mail.Refuse("no answer in time")
	case errors.Is(err, syscall.ECONNREFUSED):
		return mail.Refuse("connection refused")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return mail.Refuse("the MTA closed the connection")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return mail.Refuse("no route to the MTA")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return mail.Refuse("the configured source address is not on this machine")
	}
	if told, ok := tlsWords(err); ok {
		return told
	}
	return errors.New(clip(clean([]byte(err.Error())), 300))
}

func dnsWords(e *net.DNSError) error {
	if e.IsNotFound {
		return mail.Refuse("the name %s has no address", e.Name)
	}
	if e.IsTimeout {
		return mail.Refuse("DNS did not answer for %s in time", e.Name)
	}
	return mail.Refuse("DNS could not answer for %s: %s", e.Name, e.Err)
}

// tlsWords explains a failed TLS handshake.
func tlsWords(err error) (error, bool) {
	var (
		invalid   x509.CertificateInvalidError
		name      x509.HostnameError
		unknown   x509.UnknownAuthorityError
		recordErr tls.RecordHeaderError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		now := time.Now()
		if invalid.Cert != nil && now.Before(invalid.Cert.NotBefore) {
			return mail.Refuse("the MTA's certificate is not valid before %s", invalid.Cert.NotBefore.UTC().Format(time.RFC3339)), true
		}
		if invalid.Cert != nil {
			return mail.Refuse("the MTA's certificate expired on %s", invalid.Cert.NotAfter.UTC().Format(time.RFC3339)), true
		}
		return mail.Refuse("the MTA's certificate has expired"), true
	case errors.As(err, &name):
		return mail.Refuse("the MTA's certificate is for %s, not for %s", certNames(name.Certificate), name.Host), true
	case errors.As(err, &unknown):
		return mail.Refuse("the MTA's certificate is not from a trusted CA"), true
	case errors.As(err, &recordErr):
		return mail.Refuse("the MTA does not speak TLS after it agreed to"), true
	case errors.As(err, &alert):
		return mail.Refuse("the MTA refused the TLS handshake: %s", alert.Error()), true
	case errors.As(err, &invalid):
		return mail.Refuse("the MTA's certificate is not valid: %s", clip(clean([]byte(invalid.Error())), 200)), true
	}
	text := err.Error()
	if strings.Contains(text, "protocol version not supported") || strings.Contains(text, "unsupported versions") {
		return mail.Refuse("the MTA does not speak a TLS version that we accept"), true
	}
	return nil, false
}

func certNames(cert *x509.Certificate) string {
	if cert == nil {
		return "another name"
	}
	var names []string
	names = append(names, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = append(names, cert.Subject.CommonName)
	}
	return clip(clean([]byte(strings.Join(names, ", "))), 200)
}

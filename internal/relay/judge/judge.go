package judge

import (
	"context"
	"fmt"
	"io"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// A Job is one message to judge. Tenant is never changed once it is in a Job, so
// that the same pointer always means the same rules and a worker is told of them
// once; other rules are another value.
type Job struct {
	ID       mail.ID
	Envelope mail.Envelope
	Via      mail.Architecture
	Tenant   *scan.About // what the tenant's rules tell scanners, nil: nothing; its Envelope and Auth are not used
	Size     int64       // octets that Open's reader gives, exactly
	Open     func() (io.ReadCloser, error)
}

// Func learns what it can of one message without touching the network: parse,
// authenticate, scan. It must return soon after ctx is done. It keeps nothing of
// its arguments.
type Func func(ctx context.Context, job *Job, octets []byte) *mail.Judgement

// Stages is the usual Func, put together from its parts.
type Stages struct {
	Parse func(octets []byte) *mail.Message
	Auth  func(ctx context.Context, env *mail.Envelope, via mail.Architecture, octets []byte) mail.Auth
	Scan  *scan.Runner
}

// Judge is a Func. A part that panics leaves a finding that holds the message by
// default; what the other parts learned is kept.
func (s *Stages) Judge(ctx context.Context, job *Job, octets []byte) *mail.Judgement {
	began := time.Now()
	var failed []mail.Finding

	auth := make(chan mail.Auth, 1)
	authFailed := make(chan *mail.Finding, 1)
	go func() { // waits for DNS while this goroutine parses
		var a mail.Auth
		authFailed <- guard("mailauth", func() { a = s.Auth(ctx, &job.Envelope, job.Via, octets) })
		auth <- a
	}()
	msg := &mail.Message{}
	if f := guard("parse", func() { msg = s.Parse(octets) }); f != nil {
		failed = append(failed, *f)
		msg.Header, _ = mail.SplitHeader(octets)
		msg.Subject = msg.Header.First("Subject")
	}
	if f := <-authFailed; f != nil {
		failed = append(failed, *f)
	}
	msg.AutoReply = msg.AutoReply || job.Envelope.From == "" // RFC 3834 §4
	var about scan.About
	if job.Tenant != nil {
		about = *job.Tenant
	}
	about.Envelope, about.Auth = job.Envelope, <-auth

	j := &mail.Judgement{
		MessageID: messageID(msg.Header),
		Subject:   msg.Subject,
		From:      soleAuthor(msg),
		Auth:      about.Auth,
		Parts:     infos(msg.Parts),
		Links:     hosts(msg.Links),
	}
	j.Findings = append(append(failed, msg.Anomalies...), s.Scan.Run(ctx, msg, about)...)
	j.Took = time.Since(began)
	return j
}

// guard runs f and returns the finding that it panicked, nil if it did not.
func guard(name string, f func()) (found *mail.Finding) {
	defer func() {
		if p := recover(); p != nil {
			b := scan.Blind(name, fmt.Errorf("panic: %v", p))
			found = &b
		}
	}()
	f()
	return nil
}

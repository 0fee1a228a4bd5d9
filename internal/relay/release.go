package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"postern/internal/mail"
	"postern/internal/relay/policy"
	"postern/internal/store"
)

// An Order asks for the release of one held copy.
type Order struct {
	Tenant   string // whose the message must be
	ID       mail.ID
	N        int    // the recipient's number
	By       string // who releases, for the ledger
	Ticket   []byte // hash of the link that a recipient used up with this, nil without one
	Override bool   // send it even if judging it again finds phishing; never malware
}

// Why a release stays undone. The copy is still held, and the ledger has the new
// verdict.
var (
	ErrMalware  = errors.New("judged again with today's signatures it is malware, which nobody can release: delete it")
	ErrPhish    = errors.New("judged again it is phishing, which it was not taken for before: an administrator may release it all the same")
	ErrUnjudged = errors.New("it could not be judged again, so nobody knows whether it is malware: try again later, or an administrator releases it all the same")
)

// rescan judges a held copy again by today's rules and signatures before it is
// released (safety.md R18), and returns why it must not leave, nil if it may.
func (r *Relay) rescan(ctx context.Context, m *message, to *store.Recipient, o Order) error {
	if r.Judges == nil {
		return nil // judging is switched off: nothing was known before either
	}
	if to.State != mail.Held {
		return store.ErrNotHeld
	}
	found, err := r.judge(ctx, m)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if now, err := r.load(ctx, o.Tenant, o.ID); err == nil && now.recipient(o.N).State != mail.Held {
			return store.ErrNotHeld // another release of the same copy was quicker
		}
		r.Log.Warn("held message could not be judged again", "mid", m.ID, "tenant", m.Tenant, "err", err)
		if to.Verdict == mail.Malware {
			return ErrUnjudged // nobody's word stands for a scanner's
		}
		if o.Override || to.Verdict == mail.Unjudged || to.Verdict == "" { // nothing was known when it was decided
			return nil
		}
		return ErrUnjudged
	}
	d := policy.Decide(r.Directory.Rules(m.Tenant), policy.Input{
		Findings:     found.Findings,
		Auth:         found.Auth,
		EnvelopeFrom: found.Auth.Origin.MailFrom,
		HeaderFrom:   found.From,
		Rcpt:         to.Addr,
	})
	var why error
	switch {
	case d.Verdict == mail.Malware:
		why = ErrMalware
	case d.Verdict == mail.Phish && to.Verdict != mail.Phish && to.Verdict != mail.Malware && !o.Override:
		why = ErrPhish
	default:
		return nil
	}
	text := fmt.Sprintf("%s asked for its release, but judged again it is %s", o.By, firstReason(d))
	return errors.Join(why, r.Store.Rejudged(ctx, m.Tenant, m.ID, to.N, d, found, text))
}

// unhold moves a copy from held to delivering, for one caller; with a link also
// for one use of it.
func (r *Relay) unhold(ctx context.Context, o Order) error {
	if o.Ticket != nil {
		return r.Store.ReleaseByTicket(ctx, o.Tenant, o.ID, o.N, o.By, o.Ticket)
	}
	return r.Store.Release(ctx, o.ID, o.N, o.By)
}

// returned are fields that a server of the tenant wrote when it had the message
// before. With them it sees a loop, or a mailbox shows a false way.
var returned = []string{"Delivered-To", "Return-Path", "X-Original-To", "X-Envelope-To"}

// openReleased is open without fields that do not belong into mail that was held,
// and the size of what is left.
func (r *Relay) openReleased(ctx context.Context, m *message) (open func() (io.ReadCloser, error), size int64, err error) {
	head, cut, err := r.releasedHeader(ctx, m)
	if err != nil {
		return nil, 0, err
	}
	return func() (io.ReadCloser, error) {
		content, err := r.open(ctx, m)
		if err != nil {
			return nil, err
		}
		if _, err := io.CopyN(io.Discard, content, cut); err != nil {
			content.Close()
			return nil, fmt.Errorf("read header of %s: %w", m.ID, err)
		}
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(head), content), content}, nil
	}, m.Size - cut + int64(len(head)), nil
}

// releasedHeader is what stands in the place of the first cut octets.
func (r *Relay) releasedHeader(ctx context.Context, m *message) (head []byte, cut int64, err error) {
	content, err := r.open(ctx, m)
	if err != nil {
		return nil, 0, err
	}
	defer content.Close()
	read, err := readUpTo(content, nil, inline)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("read header of %s: %w", m.ID, err)
	}
	end := bytes.Index(read, []byte("\r\n\r\n"))
	if end < 0 {
		return nil, 0, nil // no header that ends, so none to change
	}
	header := read[:end+2]
	return r.Gate.Headers.Without(header, returned...), int64(len(header)), nil
}

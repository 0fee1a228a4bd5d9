package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/admit"
	"postern/internal/seal"
	"postern/internal/store"
)

const (
	inline       = 256 << 10      // octets that ride in the ledger's commit; more go to the spool (house.md decision 1)
	maxCached    = 64 << 20       // octets of accepted messages kept in memory until they are sent
	resendWindow = 48 * time.Hour // how long a repeated message is recognised (RFC 1047)
	ContentPart  = "content"      // what the seal binds the octets of a message to
)

// message is one accepted message on its way through the stages.
type message struct {
	*store.Message
	octets    []byte // content, where it is still in memory
	judgement *mail.Judgement
	decisions map[int]*mail.Decision // by Recipient.N
	trials    map[int]*mail.Trial    // of the tenant's draft, by Recipient.N
}

// take reads the content that res announces and makes a message of each
// tenant's share. Small content stays in memory, large content is in the spool
// when take returns.
func (r *Relay) take(ctx context.Context, env *mail.Envelope, res *admit.Result) ([]*message, error) {
	sum := newDigest(res)
	content := io.MultiReader(bytes.NewReader(res.Header), io.TeeReader(res.Rest, sum))
	small, err := readUpTo(content, make([]byte, 0, 16<<10), inline)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	whole := errors.Is(err, io.EOF)
	var batch []*message
	for i := range res.Admissions {
		m := r.row(env, res, &res.Admissions[i])
		batch = append(batch, m)
		switch {
		case whole:
			err = r.keep(m, small)
		case i == 0:
			err = r.store(ctx, m, io.MultiReader(bytes.NewReader(small), content))
		default:
			err = r.copy(ctx, m, batch[0])
		}
		if err != nil {
			r.forget(batch)
			return nil, err
		}
	}
	if res.MessageID != "" { // without one, equal messages may well be meant
		for _, m := range batch {
			m.Digest = sum.of(m.Message)
		}
	}
	return batch, nil
}

// row is the ledger's side of one tenant's share.
func (r *Relay) row(env *mail.Envelope, res *admit.Result, a *admit.Admission) *message {
	m := &store.Message{
		ID:        mail.NewID(),
		Tenant:    a.Tenant.ID,
		Envelope:  *env,
		Received:  env.Received,
		Subject:   res.Subject,
		From:      res.From,
		MessageID: res.MessageID,
		Note:      a.Record,
	}
	m.Envelope.Via, m.Envelope.Pass = a.Via, a.Pass
	for _, to := range a.To {
		row := store.Recipient{Addr: to.Addr, Domain: mail.DomainOf(to.Addr), Notify: to.Notify, ORcpt: to.ORcpt}
		if to.Hold != "" {
			row.Action, row.Reasons = mail.Hold, []string{to.Hold}
		}
		m.Recipients = append(m.Recipients, row)
	}
	if a.Alarm != "" {
		r.Alarm(a.Alarm, a.Tenant.ID, mail.Say(firstHold(a))) // package reason has it in other languages
	}
	return &message{Message: m}
}

func firstHold(a *admit.Admission) string {
	for _, to := range a.To {
		if to.Hold != "" {
			return to.Hold
		}
	}
	return ""
}

// forced is why admit wants a copy held, "" if it does not.
func forced(to *store.Recipient) string {
	if to.Action == mail.Hold && to.State == mail.Accepted && len(to.Reasons) > 0 {
		return to.Reasons[0]
	}
	return ""
}

// keep seals content that rides in the ledger's commit.
func (r *Relay) keep(m *message, content []byte) error {
	key, err := r.Directory.Seal(m.Tenant)
	if err != nil {
		return err
	}
	m.Size = int64(len(content))
	m.Octets = key.Seal(m.ID, ContentPart, content)
	if r.cached.Add(m.Size) <= maxCached {
		m.octets = content
	} else {
		r.cached.Add(-m.Size)
	}
	return nil
}

// store seals content into the spool as it comes.
func (r *Relay) store(ctx context.Context, m *message, content io.Reader) error {
	key, err := r.Directory.Seal(m.Tenant)
	if err != nil {
		return err
	}
	m.Spooled = true
	pr, pw := io.Pipe()
	go func() {
		pw.CloseWithError(sealInto(key, pw, m, content))
	}()
	_, err = r.Spool.Put(ctx, m.ID, pr)
	pr.CloseWithError(err) // ends the goroutine when the spool stopped reading
	if err != nil {
		return fmt.Errorf("spool %s: %w", m.ID, err)
	}
	return nil
}

func sealInto(key seal.TenantKey, w io.Writer, m *message, content io.Reader) error {
	sealed, err := key.Writer(w, m.ID, ContentPart)
	if err != nil {
		return err
	}
	if m.Size, err = io.Copy(sealed, content); err != nil {
		return err
	}
	return sealed.Close()
}

// copy spools another tenant's share of a large message.
func (r *Relay) copy(ctx context.Context, m, from *message) error {
	content, err := r.open(ctx, from)
	if err != nil {
		return err
	}
	defer content.Close()
	return r.store(ctx, m, content)
}

// open is the content from its beginning, from memory where it still is.
func (r *Relay) open(ctx context.Context, m *message) (io.ReadCloser, error) {
	if m.octets != nil {
		return io.NopCloser(bytes.NewReader(m.octets)), nil
	}
	key, err := r.Directory.Seal(m.Tenant)
	if err != nil {
		return nil, err
	}
	if !m.Spooled {
		sealed, _, err := r.Store.Octets(ctx, m.ID)
		if err != nil {
			return nil, fmt.Errorf("read content of %s: %w", m.ID, err)
		}
		content, err := key.Open(m.ID, ContentPart, sealed)
		if err != nil {
			return nil, fmt.Errorf("read content of %s: %w", m.ID, err)
		}
		return io.NopCloser(bytes.NewReader(content)), nil
	}
	file, err := r.Spool.Open(ctx, m.ID)
	if err != nil {
		return nil, fmt.Errorf("read content of %s: %w", m.ID, err)
	}
	content, err := key.Reader(file, m.ID, ContentPart)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("read content of %s: %w", m.ID, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{content, file}, nil
}

// uncache lets go of content in memory.
func (r *Relay) uncache(m *message) {
	if m.octets != nil {
		r.cached.Add(-m.Size)
		m.octets = nil
	}
}

// forget undoes take for messages that were not committed.
func (r *Relay) forget(batch []*message) {
	for _, m := range batch {
		r.uncache(m)
		if m.Spooled {
			r.discard(context.Background(), m.ID)
		}
	}
}

// load reads a message back from the ledger.
func (r *Relay) load(ctx context.Context, tenant string, id mail.ID) (*message, error) {
	row, err := r.Store.Message(ctx, tenant, id)
	if err != nil {
		return nil, fmt.Errorf("read message %s: %w", id, err)
	}
	m := &message{Message: row}
	m.fresh()
	return m, nil
}

// only is m for some of its recipients, without the octets in memory.
func (m *message) only(rcpts []*store.Recipient) *message {
	row := *m.Message
	row.Recipients = nil
	for _, to := range rcpts {
		row.Recipients = append(row.Recipients, *to)
	}
	return &message{Message: &row, judgement: m.judgement, decisions: m.decisions}
}

func (m *message) recipient(n int) *store.Recipient {
	for i := range m.Recipients {
		if m.Recipients[i].N == n {
			return &m.Recipients[i]
		}
	}
	return nil
}

// readUpTo reads until limit octets are there or the reader ends; the error is
// then io.EOF.
func readUpTo(r io.Reader, buf []byte, limit int) ([]byte, error) {
	for len(buf) < limit {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), limit)])
		buf = buf[:len(buf)+n]
		if err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// Header is the header of a message that is still kept.
func (r *Relay) Header(ctx context.Context, tenant string, id mail.ID) (mail.Header, error) {
	m, err := r.load(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	content, err := r.open(ctx, m)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	head, err := readUpTo(content, nil, inline)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read content of %s: %w", id, err)
	}
	h, _ := mail.SplitHeader(head)
	return h, nil
}

// Content is a kept message as it is stored, without our control headers.
func (r *Relay) Content(ctx context.Context, tenant string, id mail.ID) ([]byte, error) {
	m, err := r.load(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	content, err := r.open(ctx, m)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	all, err := io.ReadAll(content)
	if err != nil {
		return nil, fmt.Errorf("read content of %s: %w", id, err)
	}
	return all, nil
}

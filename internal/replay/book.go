package replay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"postern/internal/mail"
	"postern/internal/relay/policy"
	"postern/internal/store"
)

// A Book is the weights of a tenant's mail of some days. It is never changed once
// it is read.
type Book struct {
	Tenant   string
	Since    time.Time // received at or after
	Made     time.Time // when reading began
	Messages int       // of the tenant in this time
	Share    int       // of 32 messages so many were read; 32 for all
	Hits     []Hit     // the newest first
	NHits    int       // how many there are; Hits has the newest

	copies []weighed // the last received first
	rcpts  []string
	lists  [2]int64 // which entries it was read with
}

// weighed is one copy, small: there may be many.
type weighed struct {
	policy.Weight
	rcpt uint32 // in Book.rcpts
	n    uint32
	id   ulid.ULID
}

// A Hit is mail in the name of somebody protected.
type Hit struct {
	ID     string // of the copy: "MESSAGE.N"
	At     time.Time
	Detail string // the finding's sentence
}

const (
	Days      = 14      // that a book looks back
	mostRead  = 250_000 // messages; of more a share is read
	wholeRead = 32
	mostHits  = 200
)

// Copies is how many copies are in the book.
func (b *Book) Copies() int { return len(b.copies) }

// Whole reports whether all mail of the time is in it.
func (b *Book) Whole() bool { return b.Share == wholeRead }

// Read reads a tenant's book and waits for it.
func Read(ctx context.Context, s *store.Store, tenant string, rules mail.Rules, now time.Time) (*Book, error) {
	return read(ctx, s, tenant, rules, mostRead, now, func(int, int) {})
}

// read makes a book. progress is told of messages read so far, of how many.
func read(ctx context.Context, s *store.Store, tenant string, rules mail.Rules, most int, now time.Time, progress func(done, total int)) (*Book, error) {
	b := &Book{Tenant: tenant, Since: now.Add(-Days * 24 * time.Hour), Made: now, Share: wholeRead, lists: listsOf(rules)}
	var err error
	if b.Messages, err = s.CountSince(ctx, tenant, b.Since); err != nil {
		return nil, err
	}
	total := b.Messages
	if b.Messages > most {
		b.Share = max(1, most*wholeRead/b.Messages)
		total = b.Messages * b.Share / wholeRead
	}
	index := map[string]uint32{}
	p := pace{began: time.Now()}
	var last mail.ID
	done := 0
	err = s.Judged(ctx, store.JudgedFilter{Tenant: tenant, Since: b.Since, Share: b.Share}, func(j store.Judged) error {
		if j.ID != last {
			last = j.ID
			if done++; done%pacePage == 0 {
				progress(done, total)
				if err := p.rest(ctx); err != nil {
					return err
				}
			}
		}
		return b.add(j, rules, index)
	})
	if err != nil {
		return nil, fmt.Errorf("read the mail of %s for a replay: %w", tenant, err)
	}
	b.copies = slices.Clip(b.copies)
	return b, nil
}

func (b *Book) add(j store.Judged, rules mail.Rules, index map[string]uint32) error {
	id, err := ulid.ParseStrict(string(j.ID))
	if err != nil {
		return fmt.Errorf("message %s: %w", j.ID, err)
	}
	at, ok := index[j.Addr]
	if !ok {
		at = uint32(len(b.rcpts))
		index[j.Addr] = at
		b.rcpts = append(b.rcpts, j.Addr)
	}
	b.copies = append(b.copies, weighed{policy.Weigh(rules, Input(j)), at, uint32(j.N), id})
	for _, f := range j.Judgement.Findings {
		if f.Rule == protectedName {
			if b.NHits++; len(b.Hits) < mostHits {
				b.Hits = append(b.Hits, Hit{fmt.Sprintf("%s.%d", j.ID, j.N), j.Received, f.Detail})
			}
		}
	}
	return nil
}

// protectedName is the rule of scan/sender for the name of a protected person.
const protectedName = "person.protected"

// Input is what was known of a copy when it was decided.
func Input(j store.Judged) policy.Input {
	in := policy.Input{
		Findings:     j.Judgement.Findings,
		Auth:         j.Judgement.Auth,
		EnvelopeFrom: j.Judgement.Auth.Origin.MailFrom,
		HeaderFrom:   j.Judgement.From,
		Rcpt:         j.Addr,
	}
	if j.Forced {
		in.Forced = "It was to be held whatever was found."
	}
	return in
}

// listsOf tells the entries of the lists, which are weighed into a book, from others:
// how many there are, and when the newest was made.
func listsOf(rules mail.Rules) [2]int64 {
	n := 0
	var newest int64
	for _, e := range rules.Lists {
		n, newest = n+1, max(newest, e.CreatedAt.UnixMilli())
	}
	for _, own := range rules.Personal {
		for _, e := range own {
			n, newest = n+1, max(newest, e.CreatedAt.UnixMilli())
		}
	}
	return [2]int64{int64(n), newest}
}

// pace lets reading take no more than half of one processor, since mail comes
// first.
type pace struct{ began time.Time }

const pacePage = 500 // messages between rests

func (p *pace) rest(ctx context.Context) error {
	worked := time.Since(p.began)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(worked):
	}
	p.began = time.Now()
	return nil
}

package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"postern/internal/mail"
)

const (
	digestKept = 16             // octets of a digest: two different mails in 2^64 would meet by chance
	seenFor    = 48 * time.Hour // how long a resend is recognized
	maxSeen    = 1 << 20        // messages remembered on one node: about 40 MiB, when it is really that many
)

// Seen returns the id under which an equal message of tenant was accepted within
// window (at most 48 h) before now, "" if none was. digest is over what makes a
// resend: envelope, Message-ID and body.
func (s *Store) Seen(ctx context.Context, tenant string, digest [32]byte, window time.Duration) (mail.ID, error) {
	since := s.o.Now().Add(-min(window, seenFor)).UnixMilli()
	q, args := "SELECT id FROM messages WHERE tenant = ? AND digest = ? AND received_at >= ? ORDER BY id LIMIT 1",
		[]any{tenant, digest[:digestKept], since}
	if s.seen != nil {
		select {
		case <-s.seen.loaded:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		at, ok := s.seen.find(tenant, digest[:digestKept])
		if !ok || at < since {
			return "", nil
		}
		q, args = "SELECT id FROM messages WHERE tenant = ? AND received_at = ? AND digest = ?", []any{tenant, at, digest[:digestKept]}
	}
	var id mail.ID
	err := s.row(ctx, q, args...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look for a resend: %w", err)
	}
	return id, nil
}

// seen is the digests of the last 48 hours in memory: a look-up for each mail in
// an index of random keys would write a page for each mail too. It holds hashes
// and times only; the row decides.
type seen struct {
	mu         sync.Mutex
	young, old map[uint64]int64 // hash of tenant and digest → received_at
	turned     int64            // ms; when young was begun
	loaded     chan struct{}    // closed when what was accepted before the start is in old
}

func newSeen(now time.Time) *seen {
	return &seen{young: map[uint64]int64{}, old: map[uint64]int64{}, turned: now.UnixMilli(), loaded: make(chan struct{})}
}

func seenKey(tenant string, digest []byte) uint64 {
	h := sha256.New()
	h.Write([]byte(tenant))
	h.Write([]byte{0})
	h.Write(digest)
	var sum [32]byte
	return binary.BigEndian.Uint64(h.Sum(sum[:0]))
}

func (s *seen) add(tenant string, digest []byte, at time.Time) {
	k, ms := seenKey(tenant, digest), at.UnixMilli()
	s.mu.Lock()
	defer s.mu.Unlock()
	if ms-s.turned > seenFor.Milliseconds() || len(s.young) >= maxSeen/2 {
		s.old, s.young, s.turned = s.young, map[uint64]int64{}, ms
	}
	s.young[k] = ms
}

func (s *seen) find(tenant string, digest []byte) (at int64, ok bool) {
	k := seenKey(tenant, digest)
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok = s.young[k]; !ok {
		at, ok = s.old[k]
	}
	return at, ok
}

// loadSeen reads the digests of the last 48 hours from their index. It takes about
// a second for some 400,000 messages, so the store is open meanwhile; only Seen waits.
func (s *Store) loadSeen(ctx context.Context, since time.Time) error {
	defer close(s.seen.loaded)
	rows, err := s.query(ctx, "SELECT tenant, received_at, digest FROM messages WHERE tenant IN ("+mailTenants+")"+
		" AND received_at >= ? AND digest IS NOT NULL ORDER BY tenant, received_at LIMIT ?", since.UnixMilli(), maxSeen)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var tenant string
		var at int64
		var digest sql.RawBytes
		if err := rows.Scan(&tenant, &at, &digest); err != nil {
			return err
		}
		k := seenKey(tenant, digest)
		s.seen.mu.Lock()
		s.seen.old[k] = at
		s.seen.mu.Unlock()
	}
	return rows.Err()
}

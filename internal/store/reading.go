package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"postern/internal/mail"
)

// readingLife is how long a reason counts; sessions do not last longer.
const readingLife = 24 * time.Hour

// PutReading remembers that a session said why it reads a copy's "header" or
// "content".
func (s *Store) PutReading(ctx context.Context, tenant string, id mail.ID, n int, session, part string) error {
	now := s.o.Now()
	err := s.w.do(ctx, func(t *tx) error {
		if _, err := t.exec("DELETE FROM readings WHERE tenant = ? AND at < ?", tenant, now.Add(-readingLife).UnixMilli()); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO readings (tenant, message, n, session, part, at) VALUES (?, ?, ?, ?, ?, ?)"+
			" ON CONFLICT (tenant, message, n, session) DO UPDATE SET part = excluded.part, at = excluded.at", tenant, string(id), n, session, part, now.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("reading of %s/%d: %w", id, n, err)
	}
	return nil
}

// Reading is what a session may read of a copy: "header", "content", or "" while
// it gave no reason.
func (s *Store) Reading(ctx context.Context, tenant string, id mail.ID, n int, session string) (part string, err error) {
	err = s.row(ctx, "SELECT part FROM readings WHERE tenant = ? AND message = ? AND n = ? AND session = ? AND at >= ?",
		tenant, string(id), n, session, s.o.Now().Add(-readingLife).UnixMilli()).Scan(&part)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading of %s/%d: %w", id, n, err)
	}
	return part, nil
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// AgainStopping is the stage of what was asked to stop and has not stopped yet.
const AgainStopping = "stop"

// PutAgain keeps how far judging a tenant's held mail again is: its stage, and body,
// which is the caller's. What was asked to stop stays so until it has ended.
func (s *Store) PutAgain(ctx context.Context, tenant, stage, body string) error {
	err := s.w.do(ctx, func(t *tx) error {
		return t.send(nil, "INSERT INTO agains (tenant, stage, body) VALUES (?, ?, ?) ON CONFLICT (tenant) DO UPDATE SET body = excluded.body, "+
			"stage = CASE WHEN agains.stage = 'stop' AND excluded.stage IN ('look', 'release') THEN agains.stage ELSE excluded.stage END", tenant, stage, text(body))
	})
	if err != nil {
		return fmt.Errorf("keep how far held mail of %s is judged again: %w", tenant, err)
	}
	return nil
}

// StopAgain asks what goes on to stop, in whichever process it does.
func (s *Store) StopAgain(ctx context.Context, tenant string) error {
	err := s.w.do(ctx, func(t *tx) error {
		return t.send(nil, "UPDATE agains SET stage = 'stop' WHERE tenant = ? AND stage IN ('look', 'release')", tenant)
	})
	if err != nil {
		return fmt.Errorf("stop judging held mail of %s again: %w", tenant, err)
	}
	return nil
}

// Again returns the body that PutAgain kept, "" if there is none.
func (s *Store) Again(ctx context.Context, tenant string) (body string, err error) {
	err = s.row(ctx, "SELECT body FROM agains WHERE tenant = ?", tenant).Scan(&body)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("how far held mail of %s is judged again: %w", tenant, err)
	}
	return body, nil
}

// AgainsAt are the bodies of a stage, by tenant.
func (s *Store) AgainsAt(ctx context.Context, stage string) (map[string]string, error) {
	rows, err := s.query(ctx, "SELECT tenant, body FROM agains WHERE stage = ?", stage)
	all := map[string]string{}
	_, err = collect(rows, err, func(r *sql.Rows) (body string, err error) {
		var tenant string
		if err = r.Scan(&tenant, &body); err == nil {
			all[tenant] = body
		}
		return body, err
	})
	if err != nil {
		return nil, fmt.Errorf("what is judged again: %w", err)
	}
	return all, nil
}

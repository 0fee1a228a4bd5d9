package store

import (
	"context"
	"fmt"

	"postern/internal/mail"
)

// Retry makes a waiting recipient due now. The error is ErrFenced when it does not
// wait: a node is working on it this moment, or it has ended.
func (s *Store) Retry(ctx context.Context, id mail.ID, n int) error {
	tenant, err := s.tenantOf(ctx, id)
	if err != nil {
		return fmt.Errorf("retry %s/%d: %w", id, n, err)
	}
	err = s.w.do(ctx, func(t *tx) error {
		rows, err := t.exec("UPDATE recipients AS r SET next_at = ? WHERE r.tenant = ? AND r.message = ? AND r.n = ? AND r.next_at IS NOT NULL AND "+free,
			s.o.Now().UnixMilli(), tenant, string(id), n, s.epoch, s.deadBefore(s.o.Now()))
		if err == nil && rows == 0 {
			return ErrFenced
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("retry %s/%d: %w", id, n, err)
	}
	return nil
}

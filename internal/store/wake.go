package store

import (
	"context"
	"fmt"

	"postern/internal/mail"
)

// Wake makes everything due now that waits to be delivered to a recipient domain,
// because its MTA takes mail again. n is how many recipients.
func (s *Store) Wake(ctx context.Context, domain string) (n int64, err error) {
	err = s.w.do(ctx, func(t *tx) error {
		n, err = t.exec("UPDATE recipients SET next_at = ? WHERE domain = ? AND state = ? AND next_at > ? AND lease = 0",
			s.o.Now().UnixMilli(), domain, string(mail.Delivering), s.o.Now().UnixMilli())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("wake mail for %s: %w", domain, err)
	}
	return n, nil
}

package store

import (
	"context"
	"fmt"
	"time"
)

// SlotSent reports whether a tenant's scheduled report was sent for a slot.
func (s *Store) SlotSent(ctx context.Context, tenant string, slot time.Time) (bool, error) {
	n := 0
	err := s.row(ctx, "SELECT count(*) FROM report_slots WHERE tenant = ? AND slot = ? AND sent_at IS NOT NULL", tenant, slot.UnixMilli()).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("report of %s: %w", tenant, err)
	}
	return n > 0, nil
}

// PutSlot notes that a tenant's report was handed to the queue, or why it was not.
func (s *Store) PutSlot(ctx context.Context, tenant string, slot time.Time, problem error) error {
	now, outcome := s.o.Now().UnixMilli(), ""
	var sent any = now
	if problem != nil {
		sent, outcome = nil, text(problem.Error())
	}
	err := s.w.do(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO report_slots (tenant, slot, tried_at, sent_at, outcome) VALUES (?, ?, ?, ?, ?)"+
			" ON CONFLICT (tenant, slot) DO UPDATE SET tried_at = excluded.tried_at, sent_at = coalesce(report_slots.sent_at, excluded.sent_at), outcome = excluded.outcome",
			tenant, slot.UnixMilli(), now, sent, outcome)
		return err
	})
	if err != nil {
		return fmt.Errorf("report of %s: %w", tenant, err)
	}
	return nil
}

// LastSlot is a tenant's latest report: when it was due and sent (zero if it was
// not), and why not. ErrNotFound if there was none.
func (s *Store) LastSlot(ctx context.Context, tenant string) (slot, sent time.Time, outcome string, err error) {
	err = found(s.row(ctx, "SELECT slot, sent_at, outcome FROM report_slots WHERE tenant = ? ORDER BY slot DESC LIMIT 1", tenant).Scan(stamp{&slot}, stamp{&sent}, &outcome))
	return slot, sent, outcome, err
}

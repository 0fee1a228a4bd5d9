package store

import (
	"context"
	"encoding/json"
	"fmt"

	"postern/internal/mail"
)

// Filled is one message whose life is over, or that is held, as Fill writes it.
type Filled struct {
	*Message  // each recipient with its last state, verdict, reasons and events
	Judgement *mail.Judgement
}

// Fill writes messages that never were, in one transaction, into the same tables
// and rows as Accept and Advance leave: for measuring a store with millions of
// them. It must not be used beside real mail, which the caller sees to.
func (s *Store) Fill(ctx context.Context, list []Filled) error {
	rows := make([]*messageRow, len(list))
	bodies := make([][]byte, len(list))
	for i, f := range list {
		err := f.check()
		if err == nil {
			rows[i], err = s.newMessageRow(f.Message)
		}
		if err == nil {
			bodies[i], err = json.Marshal(f.Judgement)
		}
		if err != nil {
			return fmt.Errorf("fill: %w", err)
		}
	}
	err := s.w.do(ctx, func(t *tx) error {
		for i, row := range rows {
			if err := row.insert(t); err != nil {
				return err
			}
			if err := s.noteLate(t, row.m.Tenant, row.m.ID, 1); err != nil { // as if it had just come
				return err
			}
			if err := s.touch(t, row.m.Tenant, row.m.Received.UnixMilli()); err != nil {
				return err
			}
			o := list[i].Judgement.Auth.Origin
			if err := t.send(nil, "INSERT INTO judgements (tenant, message, origin_ip, origin_helo, body) VALUES (?, ?, ?, ?, ?)",
				row.m.Tenant, string(row.m.ID), o.IP.String(), text(o.HELO), string(bodies[i])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	return nil
}

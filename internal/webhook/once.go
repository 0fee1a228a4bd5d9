package webhook

import (
	"context"
	"encoding/json"
	"time"

	"postern/internal/mail"
)

// Once makes one attempt to tell one endpoint, now, and says how it went. s lends
// its Roots.
func (s *Sender) Once(ctx context.Context, e *Endpoint, ev Event) error {
	ev.ID = string(mail.NewID())
	if ev.At.IsZero() {
		ev.At = time.Now()
	}
	ev.At = ev.At.UTC()
	body, err := json.Marshal(ev)
	if err != nil {
		return err
	}
	client := s.client(e)
	defer client.CloseIdleConnections()
	_, err = post(ctx, client, e, notice{ev.ID, ev.Event, body}, time.Now())
	return err
}

package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// serve sends one endpoint's notices in their order, so that a receiver that is
// down delays only itself.
func (s *Sender) serve(e *Endpoint, queue <-chan notice) {
	client := s.client(e)
	defer client.CloseIdleConnections()
	for n := range queue {
		if err := s.deliver(client, e, n); err != nil {
			s.Log.Warn("webhook given up", "host", e.host(), "event", n.kind, "err", err)
		}
	}
}

// deliver tries a few times.
func (s *Sender) deliver(client *http.Client, e *Endpoint, n notice) error {
	pause := s.First
	for try := 1; ; try++ {
		again, err := post(s.ctx, client, e, n, time.Now())
		if err == nil || !again || try == attempts {
			return err
		}
		select {
		case <-s.ctx.Done():
			return fmt.Errorf("stopping; the last attempt said: %w", err)
		case <-time.After(pause):
		}
		pause *= 3
	}
}

// post makes one attempt; again says that another may do better.
func post(ctx context.Context, client *http.Client, e *Endpoint, n notice, now time.Time) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(n.body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Postern")
	req.Header.Set("Postern-Event", n.kind)
	req.Header.Set("Postern-Delivery", n.id)
	req.Header.Set("Postern-Signature", Sign(e.Secret, n.body, now))
	resp, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the address may have a secret in it, and the log has the host
		}
		return ctx.Err() == nil, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return false, nil
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return true, errors.New("receiver answered " + strconv.Itoa(code))
	default:
		return false, errors.New("receiver answered " + strconv.Itoa(code))
	}
}

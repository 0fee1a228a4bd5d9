package portal

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/internal/admin"
	"postern/internal/mail"
)

// R42: what is open ends with its session, as everything else does.
func TestAnOpenStreamEndsWithin5SecondsOfItsSession(t *testing.T) {
	h := newHouse(t)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	if _, err := h.Exchange.Runs.Begin("acme", "apply", "test", func(context.Context, *admin.Run) ([]mail.Sentence, error) { <-done; return nil, nil }); err != nil {
		t.Fatal(err)
	}
	h.Exchange.Runs.BeginLook("acme", func(context.Context) error { <-done; return nil }) // the probe's stream follows it
	n := 0
	for _, rt := range h.routes() {
		if !strings.HasSuffix(rt.path, "/live") {
			continue
		}
		role := []string{"owner", "security-admin", "auditor"}[n] // somebody else for each
		n++
		t.Run(rt.path, func(t *testing.T) {
			t.Parallel()
			c := h.client(t, role, "")
			ended := make(chan time.Time, 1)
			go func() {
				defer func() { ended <- time.Now() }()
				r, err := http.NewRequestWithContext(t.Context(), "GET", h.srv.URL+strings.Replace(rt.path, "{tenant}", "acme", 1), nil)
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := c.http.Do(r)
				if err != nil {
					if t.Context().Err() == nil {
						t.Error(err)
					}
					return
				}
				defer answer.Body.Close()
				if answer.StatusCode != 200 {
					t.Errorf("answered %d", answer.StatusCode)
				}
				_, _ = io.Copy(io.Discard, answer.Body) // until its end
			}()
			select {
			case <-ended:
				t.Fatal("it ended while its session went on")
			case <-time.After(3 * time.Second):
			}
			over := time.Now()
			if err := h.Store.EndSessions(t.Context(), role+"@example.com", nil); err != nil {
				t.Fatal(err)
			}
			select {
			case at := <-ended:
				t.Logf("ended after %s", at.Sub(over).Round(time.Millisecond))
			case <-time.After(time.Minute):
				t.Error("it goes on without its session")
			}
		})
	}
	if n < 2 {
		t.Errorf("only %d streams were found", n)
	}
}

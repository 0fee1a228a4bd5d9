package notice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"postern/internal/store"
)

// A Receiver is told of alarms, by mail or by webhook.
type Receiver struct {
	ID      string   `json:"id"`
	Address string   `json:"address,omitempty"` // exactly one of Address and URL is set
	URL     string   `json:"url,omitempty"`
	Topics  []string `json:"topics,omitempty"` // of Topics; empty: all
	System  bool     `json:"system,omitempty"` // also alarms of the whole installation
	Added   int64    `json:"added"`            // Unix seconds; older alarms are not told
}

// Topics gather kinds of alarms that the same people see to.
func Topics() []string {
	return []string{"mail", "keys", "exchange", "policies", "recipients", "system"}
}

// TopicOf is the topic of a kind of alarm; "system" for what is of no other.
func TopicOf(kind string) string {
	switch kind {
	case "unjudged", "undelivered", "mta-refused", "loop", "header-size", "recipient-domain":
		return "mail"
	case "retired-key", "several-keys", "key-from-elsewhere":
		return "keys"
	case "policy-breaker", "bypass", "observe", "observe-ending":
		return "policies"
	case "release-asked", "own-mail", "digest-failed":
		return "recipients"
	}
	if strings.HasPrefix(kind, "exchange-") {
		return "exchange"
	}
	return "system"
}

// Wants reports whether a receiver of a tenant is told of an alarm.
func (r *Receiver) Wants(tenant string, a store.Alarm) bool {
	if a.Tenant != tenant && (a.Tenant != "" || !r.System) {
		return false
	}
	return len(r.Topics) == 0 || slices.Contains(r.Topics, TopicOf(a.Kind))
}

// Setting is where a tenant's receivers are kept, and told where it is kept what
// they were told.
const (
	Setting = "notices"
	told    = "notices.told"
)

// Receivers are a tenant's.
func Receivers(ctx context.Context, s *store.Store, tenant string) ([]Receiver, error) {
	var all []Receiver
	_, err := load(ctx, s, tenant, Setting, &all)
	return all, err
}

// load reads a setting into v, and returns it as it is kept; nil if it is not.
func load(ctx context.Context, s *store.Store, tenant, name string, v any) ([]byte, error) {
	body, err := s.Setting(ctx, tenant, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(body, v)
	}
	return body, err
}

// A Teller looks for alarms that somebody is to be told of. Store, Tell and Log are
// required.
type Teller struct {
	Store *store.Store
	Tell  func(ctx context.Context, tenant string, to Receiver, alarms []store.Alarm) error
	Log   *slog.Logger
	Now   func() time.Time // time.Now by default
}

const (
	digestEvery = time.Hour       // between two notices to one receiver
	retryAfter  = 5 * time.Minute // after one that could not be sent
)

// last is what a receiver was told.
type last struct {
	At     int64 `json:"at"`               // Unix ms of the last notice
	Upto   int64 `json:"upto"`             // alarms raised until then were in it
	Failed int64 `json:"failed,omitempty"` // when it could not be sent
}

// Round tells what is due. Run it every few seconds, on any number of nodes.
func (t *Teller) Round(ctx context.Context) error {
	alarms, err := t.Store.Alarms(ctx, "")
	if err != nil || len(alarms) == 0 {
		return err
	}
	tenants, err := t.Store.SettingTenants(ctx, Setting)
	if err != nil {
		return err
	}
	for _, tenant := range tenants {
		receivers, err := Receivers(ctx, t.Store, tenant)
		if err != nil {
			return fmt.Errorf("receivers of notices of %s: %w", tenant, err)
		}
		for _, r := range receivers {
			if err := t.receiver(ctx, tenant, r, alarms); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Teller) receiver(ctx context.Context, tenant string, r Receiver, alarms []store.Alarm) error {
	state := map[string]last{}
	was, err := load(ctx, t.Store, tenant, told, &state)
	if err != nil {
		return err
	}
	l, now := state[r.ID], t.now().UnixMilli()
	since := max(l.Upto, r.Added*1000-1)
	var due []store.Alarm
	upto := since
	for _, a := range alarms {
		if at := a.LastAt.UnixMilli(); at > since && r.Wants(tenant, a) {
			due, upto = append(due, a), max(upto, at)
		}
	}
	if len(due) == 0 || now-l.At < digestEvery.Milliseconds() || now-l.Failed < retryAfter.Milliseconds() {
		return nil
	}
	mine, err := t.claim(ctx, tenant, r.ID, was, state, last{At: now, Upto: upto})
	if err != nil || !mine {
		return err
	}
	if err := t.Tell(ctx, tenant, r, due); err != nil {
		t.Log.Warn("notice of alarms could not be sent; it is tried again", "tenant", tenant, "err", err)
		state := map[string]last{}
		was, err := load(ctx, t.Store, tenant, told, &state)
		if err != nil {
			return err
		}
		l.Failed = now
		_, err = t.claim(ctx, tenant, r.ID, was, state, l)
		return err
	}
	return nil
}

// claim notes what a receiver is told, unless somebody else noted something
// meanwhile, who then tells it.
func (t *Teller) claim(ctx context.Context, tenant, id string, was []byte, state map[string]last, l last) (bool, error) {
	state[id] = l
	body, err := json.Marshal(state)
	if err != nil {
		return false, err
	}
	return t.Store.SwapSetting(ctx, tenant, told, was, body)
}

func (t *Teller) now() time.Time {
	if t.Now != nil {
		return t.Now()
	}
	return time.Now()
}

package admin

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"postern/internal/exchange"
	"postern/internal/mail"
	"postern/internal/store"
)

// Watched is what the last looks at a tenant's Exchange saw. Verifying, probing and
// measuring coverage are looks of their own.
type Watched struct {
	At       time.Time          `json:"at"`               // of the last look of any kind
	Problem  mail.Kept          `json:"problem,omitzero"` // why Exchange could not be looked at; empty if it could
	Verified time.Time          `json:"verified_at"`
	Drift    []exchange.Drift   `json:"drift"`
	Coverage *exchange.Coverage `json:"coverage,omitempty"`
	Probe    *Probe             `json:"probe,omitempty"` // the last that ended
	Going    *Probe             `json:"going,omitempty"` // the one that is on its way, as far as it came
}

// A Probe is a test message's way through the whole loop.
type Probe struct {
	At      time.Time     `json:"at"` // when it was sent
	Message string        `json:"message"`
	Took    time.Duration `json:"took"`
	Problem mail.Kept     `json:"problem,omitzero"` // why it did not come round
	Hops    []Hop         `json:"hops"`
}

// A Hop is one place on a probe's way.
type Hop struct {
	At    time.Time `json:"at"`
	Place string    `json:"place"` // "sent", "exchange", "relay", "judged", "held", "returned"
	Text  string    `json:"text"`  // what the server there said
}

// Hop notes where the probe was.
func (p *Probe) Hop(place string, at time.Time, text string) {
	p.Hops = append(p.Hops, Hop{At: at.UTC(), Place: place, Text: text})
}

const watchedSetting = "exchange-watched"

// LastWatched is what was seen last; zero if nobody looked yet.
func (x *Exchange) LastWatched(ctx context.Context, tenant string) (Watched, error) {
	var w Watched
	octets, err := x.sealed(ctx, tenant, watchedSetting)
	if errors.Is(err, store.ErrNotFound) {
		return w, nil
	}
	if err != nil {
		return w, err
	}
	return w, json.Unmarshal(octets, &w)
}

// KeepWatched keeps what a look saw: change alters what former looks saw.
func (x *Exchange) KeepWatched(ctx context.Context, tenant string, change func(*Watched)) error {
	w, err := x.LastWatched(ctx, tenant)
	if err != nil {
		return err
	}
	w.At = x.now().UTC()
	change(&w)
	octets, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return x.putSealed(ctx, tenant, watchedSetting, octets)
}

// NoteLook records that a person asked for a look at Exchange.
func (x *Exchange) NoteLook(ctx context.Context, tenant, what string) error {
	return x.note(ctx, tenant, "exchange.look", what, "", "")
}

// LastBackup is when a backup was made last; zero if none is known of.
func (a *Admin) LastBackup(ctx context.Context) (at time.Time, err error) {
	value, err := a.Store.Setting(ctx, "", backupSetting)
	if errors.Is(err, store.ErrNotFound) {
		return at, nil
	}
	if err != nil {
		return at, err
	}
	return at, at.UnmarshalText(value)
}

const backupSetting = "backup-made"

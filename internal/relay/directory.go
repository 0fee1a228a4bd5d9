package relay

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/scan"
	"postern/internal/seal"
	"postern/internal/store"
)

// Directory is what the relay knows of tenants, kept in memory and renewed within
// a second of a change on any node.
type Directory struct {
	Store *store.Store
	Root  *seal.Root
	Log   *slog.Logger

	now atomic.Pointer[snapshot]
}

// snapshot is the configuration at one moment; it is never changed.
type snapshot struct {
	generation int64
	tenants    map[string]mail.Tenant
	domains    map[string]mail.Domain
	about      map[string]*scan.About // what scanners are told of each tenant
	keys       map[[32]byte]mail.Key
	rules      map[string]mail.Rules
	seals      map[string]seal.TenantKey
}

// Load reads everything once. It must succeed before the first message.
func (d *Directory) Load(ctx context.Context) error {
	generation, err := d.Store.Generation(ctx)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	s := &snapshot{
		generation: generation,
		tenants:    map[string]mail.Tenant{},
		domains:    map[string]mail.Domain{},
		about:      map[string]*scan.About{},
		keys:       map[[32]byte]mail.Key{},
		rules:      map[string]mail.Rules{},
		seals:      map[string]seal.TenantKey{},
	}
	tenants, err := d.Store.Tenants(ctx)
	if err != nil {
		return fmt.Errorf("read tenants: %w", err)
	}
	for _, t := range tenants {
		if err := d.loadTenant(ctx, s, t); err != nil {
			return err
		}
	}
	d.now.Store(s)
	return nil
}

func (d *Directory) loadTenant(ctx context.Context, s *snapshot, t store.Tenant) error {
	if len(t.WrappedKey) == 0 {
		return nil // its key is destroyed: it is being removed
	}
	key, err := d.Root.Unwrap(t.WrappedKey)
	if err != nil {
		return fmt.Errorf("key of tenant %s: %w: the root key is not the one this store was made with", t.ID, err)
	}
	if t.Token, err = key.OpenText(mail.ID(t.ID), seal.ProcessedToken, t.Token); err != nil {
		return fmt.Errorf("token of tenant %s: %w", t.ID, err)
	}
	s.tenants[t.ID] = t.Tenant
	s.seals[t.ID] = key
	if s.rules[t.ID], err = d.Store.Rules(ctx, t.ID); err != nil {
		return fmt.Errorf("read rules of tenant %s: %w", t.ID, err)
	}
	domains, err := d.Store.Domains(ctx, t.ID)
	if err != nil {
		return fmt.Errorf("read domains of tenant %s: %w", t.ID, err)
	}
	about := &scan.About{Protected: s.rules[t.ID].Protected}
	for _, p := range s.rules[t.ID].People {
		about.Protect(p)
	}
	for _, dom := range domains {
		s.domains[dom.Name] = dom
		about.Domains = append(about.Domains, dom.Name)
	}
	s.about[t.ID] = about
	keys, err := d.Store.Keys(ctx, t.ID)
	if err != nil {
		return fmt.Errorf("read relay keys of tenant %s: %w", t.ID, err)
	}
	for _, k := range keys {
		s.keys[k.Hash] = k
	}
	return nil
}

// Follow keeps the directory current until ctx is done.
func (d *Directory) Follow(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		generation, err := d.Store.Generation(ctx)
		if err == nil && generation == d.now.Load().generation {
			continue
		}
		if err == nil {
			err = d.Load(ctx)
		}
		if err != nil && ctx.Err() == nil {
			d.Log.Error("configuration could not be read again; the former one stays in force", "err", err)
		}
	}
}

// Domain implements admit.Directory.
func (d *Directory) Domain(name string) (mail.Domain, bool) {
	dom, ok := d.now.Load().domains[name]
	return dom, ok
}

// Tenant implements admit.Directory.
func (d *Directory) Tenant(id string) (mail.Tenant, bool) {
	t, ok := d.now.Load().tenants[id]
	return t, ok
}

// KeyByHash implements admit.Directory. Looking up a SHA-256 of a 256-bit secret
// in a map tells nothing about the secret through time.
func (d *Directory) KeyByHash(hash [32]byte) (mail.Key, bool) {
	k, ok := d.now.Load().keys[hash]
	return k, ok
}

// Rules are a tenant's; the zero value for an unknown tenant.
func (d *Directory) Rules(tenant string) mail.Rules { return d.now.Load().rules[tenant] }

// About is what scanners are told of a tenant, nil for an unknown one. It must not
// be changed; the same pointer always means the same rules.
func (d *Directory) About(tenant string) *scan.About { return d.now.Load().about[tenant] }

// Seal is the key of a tenant's content.
func (d *Directory) Seal(tenant string) (seal.TenantKey, error) {
	k, ok := d.now.Load().seals[tenant]
	if !ok {
		return seal.TenantKey{}, fmt.Errorf("tenant %q is not known", tenant)
	}
	return k, nil
}

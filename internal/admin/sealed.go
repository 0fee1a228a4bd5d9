package admin

import (
	"context"
	"errors"
	"fmt"

	"postern/internal/mail"
	"postern/internal/seal"
	"postern/internal/store"
)

// Journal keeps the journal of a tenant's set-up in the store, sealed: it holds
// what Exchange had before, and the token its rules trust.
type Journal struct {
	Admin  *Admin
	Tenant string
}

// Load implements exchange.Journal.
func (j Journal) Load(ctx context.Context) ([]byte, error) {
	state, err := j.Admin.sealed(ctx, j.Tenant, journalSetting)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return state, err
}

// Save implements exchange.Journal.
func (j Journal) Save(ctx context.Context, state []byte) error {
	return j.Admin.putSealed(ctx, j.Tenant, journalSetting, state)
}

// putSealed keeps a secret of a tenant under its key.
func (a *Admin) putSealed(ctx context.Context, tenant, name string, secret []byte) error {
	octets, err := a.seal(ctx, tenant, name, secret)
	if err != nil {
		return err
	}
	return a.Store.PutSetting(ctx, tenant, name, octets)
}

func (a *Admin) seal(ctx context.Context, tenant, name string, secret []byte) ([]byte, error) {
	key, err := a.tenantKey(ctx, tenant)
	if err != nil {
		return nil, err
	}
	return key.Seal(mail.ID(tenant), name, secret), nil
}

// sealed reads what putSealed kept; store.ErrNotFound if there is nothing.
func (a *Admin) sealed(ctx context.Context, tenant, name string) ([]byte, error) {
	octets, err := a.Store.Setting(ctx, tenant, name)
	if err != nil {
		return nil, err
	}
	key, err := a.tenantKey(ctx, tenant)
	if err != nil {
		return nil, err
	}
	secret, err := key.Open(mail.ID(tenant), name, octets)
	if err != nil {
		return nil, fmt.Errorf("%s of tenant %s: %w", name, tenant, err)
	}
	return secret, nil
}

func (a *Admin) tenantKey(ctx context.Context, tenant string) (seal.TenantKey, error) {
	t, err := a.Store.Tenant(ctx, tenant)
	if err != nil {
		return seal.TenantKey{}, err
	}
	key, err := a.Root.Unwrap(t.WrappedKey)
	if err != nil {
		return key, fmt.Errorf("key of tenant %s: %w", tenant, err)
	}
	return key, nil
}

// SealTokens seals the processed tokens that earlier versions kept as they are.
func (a *Admin) SealTokens(ctx context.Context) error {
	all, err := a.Store.Tenants(ctx)
	if err != nil {
		return err
	}
	for _, t := range all {
		if seal.Sealed(t.Token) || len(t.WrappedKey) == 0 { // or its key is destroyed
			continue
		}
		key, err := a.Root.Unwrap(t.WrappedKey)
		if err != nil {
			return fmt.Errorf("key of tenant %s: %w", t.ID, err)
		}
		if err := a.Store.SetToken(ctx, t.ID, key.SealText(mail.ID(t.ID), seal.ProcessedToken, t.Token)); err != nil {
			return err
		}
	}
	return nil
}

// processedToken is the word that a tenant's rules in Exchange trust.
func (a *Admin) processedToken(t store.Tenant) (string, error) {
	key, err := a.Root.Unwrap(t.WrappedKey)
	if err != nil {
		return "", fmt.Errorf("key of tenant %s: %w", t.ID, err)
	}
	return key.OpenText(mail.ID(t.ID), seal.ProcessedToken, t.Token)
}

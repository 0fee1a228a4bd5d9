package admin

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/admit"
	"postern/internal/store"
)

// maxKeys is how many relay keys of a tenant are valid at a time: the one Exchange
// sends and the one it is about to send.
const maxKeys = 2

// NewKey is a relay key at the only moment it is shown.
type NewKey struct {
	Tenant string `json:"tenant"`
	Domain string `json:"domain,omitempty"`
	Key    string `json:"key"`
	KeyID  string `json:"key_id"`
}

// newToken is the unguessable word of a processed header: 160 random bits in
// letters and digits, so that Exchange's word match takes it as one word.
func newToken() string {
	var raw [20]byte
	rand.Read(raw[:])
	return strings.ToLower(base32.StdEncoding.EncodeToString(raw[:]))
}

// validKeys are a tenant's keys that are not retired, the oldest first.
func (a *Admin) validKeys(ctx context.Context, tenant string) ([]mail.Key, error) {
	all, err := a.Store.Keys(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var valid []mail.Key
	for _, k := range all {
		if k.RetiredAt.IsZero() {
			valid = append(valid, k)
		}
	}
	return valid, nil
}

// addKey makes a relay key. The ledger keeps its hash; a sealed copy stays with
// the tenant until Exchange's rule has it (product.md P8).
func (a *Admin) addKey(ctx context.Context, tenant string) (NewKey, error) {
	key, id := admit.NewKey()
	k := mail.Key{ID: id, Tenant: tenant, Hash: admit.HashKey(key), CreatedAt: a.now()}
	if err := a.Store.AddKey(ctx, k); err != nil {
		return NewKey{}, err
	}
	if err := a.sealKey(ctx, tenant, id, key); err != nil {
		return NewKey{}, err
	}
	return NewKey{Tenant: tenant, Key: key, KeyID: id}, nil
}

// keySetting is where a tenant's newest key waits, sealed, for Exchange's rule.
const keySetting = "relay-key"

func (a *Admin) sealKey(ctx context.Context, tenant, id, key string) error {
	return a.putSealed(ctx, tenant, keySetting, []byte(id+" "+key))
}

// PendingKey is the tenant's newest relay key as long as a sealed copy is kept.
// The error is store.ErrNotFound when there is none.
func (a *Admin) PendingKey(ctx context.Context, tenant string) (NewKey, error) {
	text, err := a.sealed(ctx, tenant, keySetting)
	if err != nil {
		return NewKey{}, err
	}
	id, key, _ := strings.Cut(string(text), " ")
	return NewKey{Tenant: tenant, Key: key, KeyID: id}, nil
}

// RotateKey makes a second relay key, valid beside the first until that is retired.
func (a *Admin) RotateKey(ctx context.Context, tenant string) (NewKey, error) {
	valid, err := a.validKeys(ctx, tenant)
	switch {
	case err != nil:
		return NewKey{}, err
	case len(valid) == 0:
		return NewKey{}, mail.Refuse("tenant %s has no relay key yet: enable a domain first", tenant)
	case len(valid) >= maxKeys:
		return NewKey{}, mail.Refuse("tenant %s has two valid keys already (%s and %s): retire the older one first with postern key retire --tenant %s", tenant, valid[0].ID, valid[1].ID, tenant)
	}
	k, err := a.addKey(ctx, tenant)
	if err != nil {
		return NewKey{}, err
	}
	return k, a.note(ctx, tenant, "key.rotate", k.KeyID, valid[0].ID, k.KeyID)
}

// RetireKey ends the validity of the tenant's older key. warning is not empty when
// no valid key is left.
func (a *Admin) RetireKey(ctx context.Context, tenant string) (retired mail.Key, warning mail.Sentence, err error) {
	valid, err := a.validKeys(ctx, tenant)
	if err != nil {
		return mail.Key{}, mail.Sentence{}, err
	}
	if len(valid) == 0 {
		return mail.Key{}, mail.Sentence{}, mail.Refuse("tenant %s has no valid relay key to retire", tenant)
	}
	if err := a.Store.RetireKey(ctx, tenant, valid[0].ID); err != nil {
		return mail.Key{}, mail.Sentence{}, err
	}
	if len(valid) == 1 {
		warning = mail.Say("No valid relay key is left: mail that still carries the retired key is held. Enable the domain again to get a new key, and put it into the rule in Exchange.")
		if err := a.Store.PutSetting(ctx, tenant, keySetting, nil); err != nil && !errors.Is(err, store.ErrNotFound) {
			return mail.Key{}, mail.Sentence{}, err
		}
	}
	return valid[0], warning, a.note(ctx, tenant, "key.retire", valid[0].ID, "valid", "retired")
}

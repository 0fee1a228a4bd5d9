package admin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// A Proof says how a tenant showed that a domain is its own (product.md P10).
type Proof struct {
	By string    `json:"by"` // "dns" or "exchange"
	At time.Time `json:"at"`
}

// ErrNotProved means that nothing shows yet that a domain is the tenant's.
var ErrNotProved = mail.Refuse("ownership is not proved")

const proofPrefix = "postern-domain-verification="

// ProofRecord is the TXT record that proves a domain: its name and its text. The
// text is bound to domain and tenant and cannot be guessed.
func (a *Admin) ProofRecord(d mail.Domain) (name, text string) {
	key := a.Root.Derive("domain proof")
	mac := hmac.New(sha256.New, key[:])
	fmt.Fprintf(mac, "%s\x00%s", d.Tenant, d.Name)
	return "_postern." + d.Name, proofPrefix + hex.EncodeToString(mac.Sum(nil)[:20])
}

// ProveDomain looks for the TXT record, and, where the tenant is connected, for the
// domain among the accepted domains of its Exchange organization. The error wraps
// ErrNotProved and says what to publish.
func (x *Exchange) ProveDomain(ctx context.Context, name string) (Proof, error) {
	d, err := x.domain(ctx, name)
	if err != nil {
		return Proof{}, err
	}
	record, text := x.ProofRecord(d)
	proof := Proof{At: x.now()}
	found, err := x.Resolver.LookupTXT(ctx, record)
	var missing *net.DNSError
	switch {
	case slices.Contains(found, text):
		proof.By = "dns"
	case err != nil && (!errors.As(err, &missing) || !missing.IsNotFound):
		return proof, fmt.Errorf("look up %s: %w", record, err)
	case x.accepted(ctx, d):
		proof.By = "exchange"
	default:
		return proof, mail.Refuse("%w: publish the TXT record %s with the text %s, or connect the tenant's Exchange organization, which has the domain among its accepted domains; then try again", ErrNotProved, record, text)
	}
	kept, err := json.Marshal(proof)
	if err != nil {
		return proof, err
	}
	if err := x.Store.PutSetting(ctx, d.Tenant, proofSetting(d), kept); err != nil {
		return proof, err
	}
	return proof, x.note(ctx, d.Tenant, "domain.prove", d.Name, "", proof.By)
}

// accepted reports whether the connected organization has the domain.
func (x *Exchange) accepted(ctx context.Context, d mail.Domain) bool {
	engine, err := x.Engine(ctx, d.Tenant)
	if err != nil {
		return false
	}
	all, err := engine.Commander.Invoke(ctx, "Get-AcceptedDomain", nil)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(all, func(o map[string]any) bool {
		name, _ := o["DomainName"].(string)
		return strings.EqualFold(name, d.Name)
	})
}

// DomainProof is the proof kept of a domain; ErrNotProved if there is none.
func (a *Admin) DomainProof(ctx context.Context, d mail.Domain) (Proof, error) {
	var p Proof
	kept, err := a.Store.Setting(ctx, d.Tenant, proofSetting(d))
	if errors.Is(err, store.ErrNotFound) {
		return p, ErrNotProved
	}
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(kept, &p)
}

func proofSetting(d mail.Domain) string { return "domain-proof." + d.Name }

package admin

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"postern/internal/store"
)

// How many tries may be wrong (safety.md §8).
const (
	failWindow  = 15 * time.Minute
	failAccount = 5
	failAddress = 20
)

// A try of somebody to prove who it is counts as wrong until it turns out right, so
// that many at once are no more than one after the other.
type try struct {
	admin *Admin
	at    time.Time
	email string // "" where nobody is named
	who   []string
	v     Visitor
}

// try begins one, of a kind: passwords ("account") and second factors ("factor") are
// counted by themselves, so that who guesses passwords does not keep the one who is
// signed in from proving it again. Where no account is named only the address counts,
// and a browser that the account's user signed in with before is counted by itself.
// The error is a *WaitError after too many: a pause that ends by itself, so that
// nobody can lock another out for good, and a known browser not at all.
func (a *Admin) try(ctx context.Context, kind, email string, v Visitor) (*try, error) {
	email = cut(email, 254)
	t := &try{admin: a, at: a.now(), email: email, v: v}
	known, err := a.knows(ctx, email, v)
	if err != nil {
		return nil, err
	}
	limits := map[string]int{addressKey(v.Address): failAddress}
	if email != "" {
		limits[kind+" "+email] = failAccount
	}
	if known != "" {
		limits = map[string]int{kind + " browser " + known: failAccount}
	}
	for who := range limits {
		t.who = append(t.who, who)
	}
	ok, err := a.Store.Allow(ctx, t.at, t.at.Add(-failWindow), limits, 1)
	if err != nil || ok {
		return t, err
	}
	until := t.at
	for who, most := range limits {
		n, first, err := a.Store.Failures(ctx, who, t.at.Add(-failWindow))
		if err != nil {
			return nil, err
		}
		if end := first.Add(failWindow); n >= most && end.After(until) {
			until = end
		}
	}
	return nil, &WaitError{until}
}

// addressKey is what is counted of an address: of IPv6 the network that one customer
// has, since who has one address there has all of them (RFC 6177 §2).
func addressKey(a netip.Addr) string {
	if a = a.Unmap(); a.Is6() {
		p, _ := a.Prefix(64) // an address always has one
		return "address " + p.String()
	}
	return "address " + a.String()
}

// right takes the try back.
func (t *try) right(ctx context.Context) error { return t.admin.Store.Unfail(ctx, t.at, t.who...) }

// failed lets it count, and notes it in the user's history and the audit log.
func (t *try) failed(ctx context.Context) error {
	a, who := t.admin, t.email
	if who == "" {
		who = "set-up"
	}
	u, err := a.Store.User(ctx, who)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	// Nobody's failure is in nobody's history, which takes as long as somebody's.
	err = a.Store.AddSignIn(ctx, store.SignIn{Email: u.Email, At: t.at, Address: t.v.Address.String(), Agent: cut(t.v.Agent, 200)})
	if err != nil {
		return err
	}
	return a.noteAs(ctx, who, u.Tenant, "user.sign-in-failed", who, t.v.Address.String())
}

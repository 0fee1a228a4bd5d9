package admin

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"postern/internal/store"
)

// remember adds a sign-in to the user's history and marks it when it came from a
// browser or a network that the user had not used before.
func (a *Admin) remember(ctx context.Context, u store.User, s store.Session, v Visitor) error {
	before, err := a.Store.SignIns(ctx, u.Email, 0)
	if err != nil {
		return err
	}
	browser, network, ever := false, false, false
	for _, x := range before {
		if !x.Good {
			continue
		}
		ever = true
		browser = browser || sameBrowser(x.Agent, s.Agent)
		if addr, err := netip.ParseAddr(x.Address); err == nil {
			network = network || networkOf(addr) == networkOf(v.Address)
		}
	}
	x := store.SignIn{Email: u.Email, At: s.CreatedAt, How: s.How, Good: true, Unknown: ever && !(browser && network), Address: s.Address, Agent: s.Agent, Session: s.ID}
	if err := a.Store.AddSignIn(ctx, x); err != nil || !x.Unknown || a.NewPlace == nil {
		return err
	}
	first, err := a.Store.Allow(ctx, x.At, x.At.Add(-failWindow), map[string]int{"new place of " + u.Email: 1}, 1)
	if first {
		a.NewPlace(x)
	}
	return err
}

// sameBrowser compares what browsers call themselves but for version numbers, which
// change every few weeks.
func sameBrowser(a, b string) bool {
	strip := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r == '.' {
				return -1
			}
			return r
		}, s)
	}
	return strip(a) == strip(b)
}

// networkOf is the neighbourhood of an address, within which a person's address
// changes by itself.
func networkOf(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() && !a.Is4In6() {
		bits = 48
	}
	p, _ := a.Unmap().Prefix(bits) // the zero address has none, and is alike to none
	return p
}

// EndOthers ends all sessions of a user but the one it is done from.
func (a *Admin) EndOthers(ctx context.Context, s store.Session) error {
	u, err := a.Store.User(ctx, s.Email)
	if err != nil {
		return err
	}
	if err := a.Store.EndSessions(ctx, s.Email, s.Hash); err != nil {
		return err
	}
	return a.note(ctx, u.Tenant, "user.end-sessions", u.Email, "", "all others")
}

// EndAll ends all sessions of a user.
func (a *Admin) EndAll(ctx context.Context, u store.User) error {
	if err := a.Store.EndSessions(ctx, u.Email, nil); err != nil {
		return err
	}
	return a.note(ctx, u.Tenant, "user.end-sessions", u.Email, "", "all")
}

// ResetFactor takes away every second factor and recovery code of a user who has
// lost them, and ends the user's sessions; the next sign-in sets up a new one. It
// is an owner's to do, after making sure who asks.
func (a *Admin) ResetFactor(ctx context.Context, u store.User) error {
	err := a.Store.EditUser(ctx, u.Email, func(u *store.User) error {
		u.Factor, u.FactorStep, u.FactorFails, u.Recovery = nil, 0, 0, nil
		return nil
	})
	if err != nil {
		return err
	}
	if err := errors.Join(a.Store.RemovePasskeys(ctx, u.Email), a.Store.EndSessions(ctx, u.Email, nil)); err != nil {
		return err
	}
	return a.note(ctx, u.Tenant, "user.factor-reset", u.Email, "", "taken away")
}

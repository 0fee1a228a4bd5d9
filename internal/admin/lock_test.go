package admin

import (
	"context"
	"errors"
	"strings"
	"testing"

	"postern/internal/exchange"
)

func TestOnlyOneChangesATenantsExchangeAtATime(t *testing.T) {
	a, _ := newAdmin(t)
	if _, err := a.AddTenant(t.Context(), "Contoso"); err != nil {
		t.Fatal(err)
	}
	ann, bob := *a, *a
	ann.Actor, bob.Actor = "ann@contoso.example", "bob@contoso.example"
	first, second := &hold{Journal: Journal{&ann, "contoso"}}, &hold{Journal: Journal{&bob, "contoso"}}
	free, err := first.take(t.Context(), "apply")
	if err != nil {
		t.Fatal(err)
	}
	_, err = second.take(t.Context(), "rollback")
	var p *exchange.Problem
	if !errors.As(err, &p) || p.Code != "busy" || !strings.Contains(p.Cause.String(), "ann@contoso.example") || !strings.Contains(p.Cause.String(), "apply, since 20") || p.Mend.Format == "" {
		t.Fatalf("the second hears: %v", err)
	}
	if c, err := (&Exchange{Admin: a}).UnderWay(t.Context(), "contoso"); err != nil || c == nil || c.Who.String() != "ann@contoso.example" {
		t.Errorf("under way: %+v, %v", c, err)
	}
	if err := first.Save(t.Context(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	free()
	if c, err := (&Exchange{Admin: a}).UnderWay(t.Context(), "contoso"); err != nil || c != nil {
		t.Errorf("under way after the end: %+v, %v", c, err)
	}
	freeSecond, err := second.take(t.Context(), "rollback")
	if err != nil {
		t.Fatal(err)
	}
	defer freeSecond()
}

// A process that was silent too long and comes back may not write over what its
// successor journaled.
func TestWhoLostTheLockCannotJournal(t *testing.T) {
	a, _ := newAdmin(t)
	if _, err := a.AddTenant(t.Context(), "Contoso"); err != nil {
		t.Fatal(err)
	}
	h := &hold{Journal: Journal{a, "contoso"}}
	if _, err := h.take(t.Context(), "apply"); err != nil {
		t.Fatal(err)
	}
	if err := h.Save(t.Context(), []byte(`"mine"`)); err != nil {
		t.Fatal(err)
	}
	if err := a.Store.Give(context.Background(), *h.lease); err != nil { // as its end would
		t.Fatal(err)
	}
	var p *exchange.Problem
	if err := h.Save(t.Context(), []byte(`"late"`)); !errors.As(err, &p) || p.Code != "lost-lock" {
		t.Errorf("saved without the lock: %v", err)
	}
	if b, err := h.Load(t.Context()); err != nil || string(b) != `"mine"` {
		t.Errorf("the journal says %s, %v", b, err)
	}
}

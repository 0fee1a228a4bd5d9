package admin_test

import (
	"net/netip"
	"testing"
	"time"

	"postern/internal/admin"
	"postern/internal/store"
)

// A sign-in from somewhere new is told to the account's owner, and a storm of them
// once a quarter of an hour.
func TestASignInFromSomewhereNewIsToldWithoutAStorm(t *testing.T) {
	w := newWorld(t)
	var told []store.SignIn
	w.NewPlace = func(x store.SignIn) { told = append(told, x) }
	_, secret, _ := w.owner(t)
	enter := func(v admin.Visitor) {
		t.Helper()
		w.clock = w.clock.Add(time.Minute)
		pending, _, err := w.SignIn(t.Context(), "ann@example.com", good, v)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.Prove(t.Context(), pending, w.code(t, secret), v); err != nil {
			t.Fatal(err)
		}
	}
	enter(browser)
	if len(told) != 0 {
		t.Fatalf("told of the usual place: %+v", told)
	}
	for i := range 5 {
		enter(admin.Visitor{Address: netip.AddrFrom4([4]byte{203, 0, byte(i), 9}), Agent: "Other\r\nBcc: x"})
	}
	if len(told) != 1 || told[0].Address != "203.0.0.9" || told[0].Email != "ann@example.com" {
		t.Fatalf("told: %+v", told)
	}
	w.clock = w.clock.Add(16 * time.Minute)
	enter(admin.Visitor{Address: netip.MustParseAddr("203.0.113.77"), Agent: "Third"})
	if len(told) != 2 {
		t.Errorf("told %d times", len(told))
	}
}

package admin_test

import (
	"net/netip"
	"testing"
	"time"

	"postern/internal/admin"
)

func TestASignInFromSomewhereNewIsMarked(t *testing.T) {
	w := newWorld(t)
	_, secret, _ := w.owner(t)
	in := func(address, agent string) {
		t.Helper()
		w.clock = w.clock.Add(time.Minute)
		v := admin.Visitor{Address: netip.MustParseAddr(address), Agent: agent}
		token, _, err := w.SignIn(t.Context(), "ann@example.com", good, v)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.Prove(t.Context(), token, w.code(t, secret), v); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, address, agent string
		unknown              bool
	}{
		{"the same browser, updated", "192.0.2.1", "test", false},
		{"the next address of the same network", "192.0.2.77", "test", false},
		{"another network", "198.51.100.1", "test", true},
		{"that network again", "198.51.100.2", "test", false},
		{"another browser", "198.51.100.2", "Firefox/140.0", true},
		{"that browser, updated", "198.51.100.2", "Firefox/141.1", false},
	} {
		in(tt.address, tt.agent)
		got, err := w.Store.SignIns(t.Context(), "ann@example.com", 1)
		if err != nil || len(got) != 1 || got[0].Unknown != tt.unknown {
			t.Errorf("%s: %+v %v", tt.name, got, err)
		}
	}
}

func TestAStepUpDoesNotMakeASessionLastLonger(t *testing.T) {
	w := newWorld(t)
	token, secret, _ := w.owner(t)
	began, _, err := w.Session(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	for range 80 { // every ten minutes for thirteen hours
		w.clock = w.clock.Add(10 * time.Minute)
		next, s, err := w.Prove(t.Context(), token, w.code(t, secret), browser)
		if err != nil {
			if past := w.clock.Sub(began.CreatedAt); past <= admin.SessionLife {
				t.Fatalf("ended after %v: %v", past, err)
			}
			return
		}
		if !s.FreshAt.Equal(w.clock) {
			t.Errorf("fresh at %v, it is %v", s.FreshAt, w.clock)
		}
		token = next
	}
	t.Error("the session outlived its absolute limit")
}

func TestALostFactorIsTakenAwayByAnOwner(t *testing.T) {
	w := newWorld(t)
	token, secret, _ := w.owner(t)
	_, u, err := w.Session(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.ResetFactor(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Session(t.Context(), token); err == nil {
		t.Error("the session lives on")
	}
	token, s, err := w.SignIn(t.Context(), u.Email, good, browser)
	if err != nil || s.Stage != admin.StageEnrol {
		t.Fatalf("stage %q, %v", s.Stage, err)
	}
	if _, _, err := w.Prove(t.Context(), token, w.code(t, secret), browser); err == nil {
		t.Error("the old factor still opens")
	}
}

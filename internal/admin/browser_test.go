package admin_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/internal/admin"
	"postern/internal/store"
)

// stranger is somebody at an address of their own.
func stranger(n int) admin.Visitor {
	return admin.Visitor{Address: netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})}
}

// spend makes strangers use up what an account has.
func (w *world) spend(t *testing.T, email string) {
	t.Helper()
	for i := range 5 {
		if _, _, err := w.SignIn(t.Context(), email, "wrong horse battery", stranger(i)); !errors.Is(err, admin.ErrSignIn) {
			t.Fatalf("stranger's try %d: %v", i, err)
		}
	}
}

func (w *world) known(t *testing.T, token string) string {
	t.Helper()
	s, _, err := w.Session(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	known, err := w.Known(t.Context(), s)
	if err != nil || known == "" {
		t.Fatalf("a browser that is signed in is not known: %q, %v", known, err)
	}
	return known
}

// putOff reports whether somebody has to wait, whatever the password.
func (w *world) putOff(t *testing.T, email string, v admin.Visitor) bool {
	t.Helper()
	_, _, err := w.SignIn(t.Context(), email, good, v)
	var wait *admin.WaitError
	if err != nil && !errors.As(err, &wait) && !errors.Is(err, admin.ErrSignIn) {
		t.Fatal(err)
	}
	return errors.As(err, &wait)
}

// R41: who guesses at an account does not lock its owner out, and gets no more
// guesses by the owner's signing in.
func TestStrangersDoNotKeepAKnownBrowserOut(t *testing.T) {
	w := newWorld(t)
	token, secret, _ := w.owner(t)
	home := browser
	home.Known = w.known(t, token)
	w.spend(t, "ann@example.com")
	if !w.putOff(t, "ann@example.com", stranger(99)) {
		t.Error("a browser that nobody knows is let on")
	}
	for i := range 20 { // of the owner's own address too
		_, _, _ = w.SignIn(t.Context(), fmt.Sprintf("nobody%d@example.com", i), good, browser)
	}
	w.clock = w.clock.Add(time.Minute)
	pending, _, err := w.SignIn(t.Context(), "ann@example.com", good, home)
	if err != nil {
		t.Fatalf("the owner's browser: %v", err)
	}
	if _, _, err := w.Prove(t.Context(), pending, w.code(t, secret), home); err != nil {
		t.Fatalf("its second factor: %v", err)
	}
	if !w.putOff(t, "ann@example.com", stranger(100)) {
		t.Error("strangers have tries again because the owner signed in")
	}
}

// A cookie that was stolen opens nothing by itself and guesses no faster.
func TestAKnownBrowserHasFiveTriesOfItsOwn(t *testing.T) {
	w := newWorld(t)
	token, _, _ := w.owner(t)
	known := w.known(t, token)
	if _, _, err := w.Session(t.Context(), known); !errors.Is(err, admin.ErrSignedOut) {
		t.Errorf("as a session: %v", err)
	}
	guesses := 0
	for i := range 40 { // from many addresses
		v := stranger(i)
		v.Known = known
		if _, _, err := w.SignIn(t.Context(), "ann@example.com", "wrong horse battery", v); errors.Is(err, admin.ErrSignIn) {
			guesses++
		}
	}
	if guesses != 5 {
		t.Errorf("%d guesses were compared, want 5", guesses)
	}
	if w.putOff(t, "ann@example.com", stranger(99)) {
		t.Error("the guesses count for others")
	}
	w.spend(t, "bob@example.com")
	if thief := (admin.Visitor{Address: stranger(98).Address, Known: known}); !w.putOff(t, "bob@example.com", thief) {
		t.Error("the cookie counts for another account")
	}
}

// A browser is known until it is changed what proves the account's user, and
// three months at most.
func TestABrowserIsKnownUntilTheUsersProofChanges(t *testing.T) {
	do := map[string]func(*world, store.Session, store.User) error{
		"the password is changed": func(w *world, s store.Session, _ store.User) error {
			return w.ChangePassword(t.Context(), s, good, "another long password", browser)
		},
		"the factor is taken away": func(w *world, _ store.Session, u store.User) error { return w.ResetFactor(t.Context(), u) },
		"all sessions are ended":   func(w *world, _ store.Session, u store.User) error { return w.EndAll(t.Context(), u) },
		"invited anew": func(w *world, _ store.Session, u store.User) error {
			_, _, err := w.Invite(t.Context(), u.Email)
			return err
		},
		"disabled and enabled": func(w *world, _ store.Session, u store.User) error {
			if _, err := w.AddUser(t.Context(), "eve@example.com", "", "owner"); err != nil {
				return err
			}
			invitation, _, err := w.Invite(t.Context(), "eve@example.com")
			if err == nil {
				_, _, err = w.Accept(t.Context(), "eve@example.com", invitation, good, browser)
			}
			return errors.Join(err, w.SetDisabled(t.Context(), u.Email, true), w.SetDisabled(t.Context(), u.Email, false))
		},
		"time passes": func(w *world, _ store.Session, _ store.User) error {
			w.clock = w.clock.Add(91 * 24 * time.Hour)
			return nil
		},
		"": func(*world, store.Session, store.User) error { return nil },
	}
	for name, do := range do {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			token, _, _ := w.owner(t)
			s, u, err := w.Session(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			v := admin.Visitor{Address: stranger(99).Address, Known: w.known(t, token)}
			if err := do(w, s, u); err != nil {
				t.Fatal(err)
			}
			w.spend(t, u.Email)
			if w.putOff(t, u.Email, v) != (name != "") {
				t.Errorf("is known: %v", name != "")
			}
		})
	}
}

func TestMadeUpBrowsersAreStrangers(t *testing.T) {
	w := newWorld(t)
	token, _, _ := w.owner(t)
	known := w.known(t, token)
	w.spend(t, "ann@example.com")
	for _, k := range []string{"", "x", known[:len(known)-1], known + "A", strings.ToLower(known), strings.Repeat("A", len(known)), strings.Repeat("A", 1<<20), "\x00" + known[1:]} {
		if !w.putOff(t, "ann@example.com", admin.Visitor{Address: stranger(99).Address, Known: k}) {
			t.Errorf("%.100q is known", k)
		}
	}
	pending, s, err := w.SignIn(t.Context(), "ann@example.com", good, admin.Visitor{Address: stranger(97).Address, Known: known})
	if err != nil || pending == "" {
		t.Fatal(err)
	}
	if k, err := w.Known(t.Context(), s); k != "" || err != nil {
		t.Errorf("a browser is known before the second factor: %q, %v", k, err)
	}
}

// Who is invited has signed in nowhere, and is not kept out by guesses either.
func TestStrangersDoNotKeepAnInvitedUserOut(t *testing.T) {
	w := newWorld(t)
	w.owner(t)
	if _, err := w.AddUser(t.Context(), "bob@example.com", "", "auditor"); err != nil {
		t.Fatal(err)
	}
	invitation, _, err := w.Invite(t.Context(), "bob@example.com")
	if err != nil {
		t.Fatal(err)
	}
	w.spend(t, "bob@example.com")
	for i := range 5 {
		if _, _, err := w.Accept(t.Context(), "bob@example.com", "wrong", good, stranger(i)); !errors.Is(err, admin.ErrToken) {
			t.Fatal(err)
		}
	}
	if _, _, err := w.Accept(t.Context(), "bob@example.com", invitation, good, browser); err != nil {
		t.Error(err)
	}
}

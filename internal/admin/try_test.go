package admin_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"postern/internal/admin"
)

// R41: many guesses at once are no more than one after the other.
func TestGuessesAtOnceAreCountedLikeGuessesInTurn(t *testing.T) {
	w := newWorld(t)
	w.owner(t)
	var mu sync.Mutex
	wrong, waits := 0, 0
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			v := admin.Visitor{Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}
			_, _, err := w.SignIn(t.Context(), "ann@example.com", fmt.Sprint("wrong horse battery ", i), v)
			mu.Lock()
			defer mu.Unlock()
			var wait *admin.WaitError
			switch {
			case errors.As(err, &wait):
				waits++
			case errors.Is(err, admin.ErrSignIn):
				wrong++
			default:
				t.Errorf("guess %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if wrong != 5 || waits != 35 {
		t.Errorf("%d guesses were compared, %d put off; want 5 and 35", wrong, waits)
	}
}

func TestOneIPv6CustomerIsOneAddress(t *testing.T) {
	w := newWorld(t)
	w.owner(t)
	waits := 0
	for i := range 30 {
		a := netip.MustParseAddr("2001:db8:1:2::").As16()
		a[15], a[8] = byte(i), byte(i)
		var wait *admin.WaitError
		_, _, err := w.SignIn(t.Context(), fmt.Sprintf("nobody%d@example.com", i), good, admin.Visitor{Address: netip.AddrFrom16(a)})
		if errors.As(err, &wait) {
			waits++
		}
	}
	if waits != 10 {
		t.Errorf("%d of 30 were put off, want 10", waits)
	}
	if _, _, err := w.SignIn(t.Context(), "nobody@example.com", good, admin.Visitor{Address: netip.MustParseAddr("2001:db8:1:3::1")}); !errors.Is(err, admin.ErrSignIn) {
		t.Errorf("the neighbour: %v", err)
	}
}

// Who guesses somebody's password does not keep the one who is signed in from what
// asks for the second factor, nor from signing in with a passkey.
func TestGuessesFromOutsideDoNotStopWhoIsIn(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	token, secret, _ := w.owner(t)
	for i := range 12 {
		_, _, _ = w.SignIn(ctx, "ann@example.com", "wrong horse battery", admin.Visitor{Address: netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})})
	}
	w.clock = w.clock.Add(time.Minute)
	if _, _, err := w.Prove(ctx, token, w.code(t, secret), browser); err != nil {
		t.Errorf("the second factor: %v", err)
	}
}

// Codes that are right are no failures of their address.
func TestRightSignInsAreNotCounted(t *testing.T) {
	w := newWorld(t)
	_, secret, _ := w.owner(t)
	for i := range 25 {
		w.clock = w.clock.Add(30 * time.Second)
		pending, _, err := w.SignIn(t.Context(), "ann@example.com", good, browser)
		if err != nil {
			t.Fatalf("sign-in %d: %v", i, err)
		}
		if _, _, err := w.Prove(t.Context(), pending, w.code(t, secret), browser); err != nil {
			t.Fatalf("sign-in %d: %v", i, err)
		}
	}
}

// Eight wrong codes in a row, however slowly, and the app's codes count no more;
// recovery codes do, and then the app's again.
func TestCodesCountNoMoreAfterEightWrongOnes(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	token, secret, recovery := w.owner(t)
	prove := func(code string) (err error) {
		w.clock = w.clock.Add(5 * time.Minute)
		var fresh string
		if fresh, _, err = w.Prove(ctx, token, code, browser); err == nil {
			token = fresh
		}
		return err
	}
	wrong := "000000"
	for i := range 8 {
		for slices.Contains([]string{w.code(t, secret)}, wrong) {
			wrong = fmt.Sprintf("%06d", i)
		}
		err := prove(wrong)
		if want := i == 7; errors.Is(err, admin.ErrCodeLocked) != want || err == nil {
			t.Fatalf("wrong code %d: %v", i+1, err)
		}
		var wait *admin.WaitError
		if errors.As(err, &wait) {
			t.Fatalf("wrong code %d was put off", i+1)
		}
	}
	w.clock = w.clock.Add(5 * time.Minute)
	if _, _, err := w.Prove(ctx, token, w.code(t, secret), browser); !errors.Is(err, admin.ErrCodeLocked) {
		t.Errorf("the right code then: %v", err)
	}
	alarms, err := w.Store.Alarms(ctx, "")
	if err != nil || len(alarms) != 1 || alarms[0].Kind != "codes-locked" {
		t.Errorf("alarms: %+v %v", alarms, err)
	}
	if err := prove(recovery[0]); err != nil {
		t.Fatalf("a recovery code: %v", err)
	}
	w.clock = w.clock.Add(time.Minute)
	if _, _, err := w.Prove(ctx, token, w.code(t, secret), browser); err != nil {
		t.Errorf("the app after it: %v", err)
	}
}

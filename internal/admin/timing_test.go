//go:build unix

package admin_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"postern/internal/admin"
	"postern/internal/store"
)

// Whether an account exists cannot be told by the time that a wrong sign-in takes:
// medians differ by less than 5 ms (safety.md §8). It is processor time that is
// compared, since other work beside the test costs none of it, and in a random order,
// since every second hash has to wait for the garbage of the one before.
func TestAnUnknownAddressTakesAsLongAsAWrongPassword(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.owner(t)
	off := store.User{ID: "off", Email: "off@example.com", Role: "owner", DisabledAt: w.clock}
	invited := store.User{ID: "new", Email: "new@example.com", Role: "owner"}
	if err := errors.Join(w.Store.AddUser(ctx, off), w.Store.AddUser(ctx, invited)); err != nil {
		t.Fatal(err)
	}
	took := map[string][]time.Duration{}
	n := 0
	try := func(kind, email string) {
		n++
		from := admin.Visitor{Address: netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)})}
		began := spent(t)
		_, _, err := w.SignIn(ctx, email, "wrong horse battery", from)
		took[kind] = append(took[kind], spent(t)-began)
		if wait := (*admin.WaitError)(nil); !errors.Is(err, admin.ErrSignIn) || errors.As(err, &wait) {
			t.Fatalf("%s: %v", kind, err)
		}
	}
	var apart time.Duration
	for range 4 { // a difference that is chance goes with more tries
		for range 20 {
			w.clock = w.clock.Add(4 * time.Minute)
			kinds := map[string]string{"wrong password": "ann@example.com", "unknown": fmt.Sprintf("nobody%d@example.com", n), "disabled": off.Email, "invited": invited.Email}
			names := []string{"wrong password", "unknown", "disabled", "invited"}
			rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			for _, name := range names {
				try(name, kinds[name])
			}
		}
		var medians []time.Duration
		for kind, all := range took {
			slices.Sort(all)
			medians = append(medians, all[len(all)/2])
			t.Logf("%s: median %s of %d", kind, all[len(all)/2], len(all))
		}
		if apart = slices.Max(medians) - slices.Min(medians); apart < 5*time.Millisecond {
			return
		}
	}
	t.Errorf("the medians are %s apart", apart)
}

// spent is the processor time that this process has had.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

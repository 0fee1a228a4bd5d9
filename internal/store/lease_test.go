package store_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"postern/internal/store"
)

func exchangeOf(tenant, who string) store.Lease {
	return store.Lease{Tenant: tenant, Name: "exchange", Who: who, What: "apply"}
}

func TestALeaseIsOnePersonsOnAllNodes(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		one := d.open(t)
		two := d.open(t, func(o *store.Options) { o.Node = "two" })
		held, err := one.Take(t.Context(), exchangeOf("acme", "ann"))
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range map[string]*store.Store{"the same process": one, "another": two} {
			_, err := s.Take(t.Context(), exchangeOf("acme", "bob"))
			var taken *store.Taken
			if !errors.As(err, &taken) || taken.Who != "ann" || taken.What != "apply" || !taken.Since.Equal(held.Since) || taken.Node != held.Node {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if _, err := two.Take(t.Context(), exchangeOf("other", "bob")); err != nil {
			t.Errorf("another tenant's: %v", err)
		}
		if err := one.PutSettingUnder(t.Context(), held, "note", []byte("1")); err != nil {
			t.Errorf("under a lease that is held: %v", err)
		}
		if err := one.Give(t.Context(), held); err != nil {
			t.Fatal(err)
		}
		again, err := two.Take(t.Context(), exchangeOf("acme", "bob"))
		if err != nil {
			t.Fatalf("given back: %v", err)
		}
		if err := one.PutSettingUnder(t.Context(), held, "note", []byte("2")); !errors.Is(err, store.ErrFenced) {
			t.Errorf("under a lease that was given back: %v", err)
		}
		if v, err := two.Setting(t.Context(), "acme", "note"); err != nil || string(v) != "1" {
			t.Errorf("the setting is %q, %v", v, err)
		}
		if err := one.Give(t.Context(), held); err != nil {
			t.Fatal(err)
		}
		if l, err := one.Holder(t.Context(), "acme", "exchange"); err != nil || l.Who != "bob" || !l.Since.Equal(again.Since) {
			t.Errorf("an old lease ended a new one: %+v, %v", l, err)
		}
	})
}

// A child process takes a lease, says so and is killed: nobody has to wait for ever.
func TestTheLeaseOfAKilledProcessEnds(t *testing.T) {
	if os.Getenv("POSTERN_TEST_HOLDER") != "" {
		o := store.Options{Folder: os.Getenv("POSTERN_TEST_HOLDER"), Node: "child"}
		if dsn := os.Getenv("POSTERN_TEST_DSN"); dsn != "" {
			o = store.Options{DSN: dsn, Node: "child"}
		}
		s, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Take(t.Context(), exchangeOf("acme", "ann")); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("taken\n")
		time.Sleep(time.Minute)
	}
	each(t, func(t *testing.T, d database) {
		var ahead time.Duration // of this node's clock
		beside := d.open(t, func(o *store.Options) { o.Now = func() time.Time { return time.Now().Add(ahead) } })
		child := exec.Command(os.Args[0], "-test.run=^TestTheLeaseOfAKilledProcessEnds$")
		child.Env = append(os.Environ(), "POSTERN_TEST_HOLDER="+orDot(d.o.Folder), "POSTERN_TEST_DSN="+d.o.DSN)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		if n, err := out.Read(make([]byte, 6)); n == 0 {
			t.Fatalf("the child said nothing: %v", err)
		}
		var taken *store.Taken
		if _, err := beside.Take(t.Context(), exchangeOf("acme", "bob")); !errors.As(err, &taken) {
			t.Fatalf("a living process's lease: %v", err)
		}
		if lives, err := beside.Living(t.Context(), taken.Lease); err != nil || !lives {
			t.Errorf("the holder lives: %v, %v", lives, err)
		}
		child.Process.Kill()
		child.Wait()
		if d.name == "postgres" { // where a process is known to have ended when its heartbeat is missed
			if _, err := beside.Take(t.Context(), exchangeOf("acme", "bob")); err == nil {
				t.Error("taken before the heartbeat was missed")
			}
			ahead = 2*time.Minute + time.Second
		}
		if lives, err := beside.Living(t.Context(), taken.Lease); err != nil || lives {
			t.Errorf("the holder was killed: %v, %v", lives, err)
		}
		if _, err := beside.Take(t.Context(), exchangeOf("acme", "bob")); err != nil {
			t.Errorf("after its holder was killed: %v", err)
		}
	})
}

func orDot(s string) string {
	if s == "" {
		return "."
	}
	return s
}

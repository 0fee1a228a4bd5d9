package admin_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"postern/internal/admin"
	"postern/internal/seal"
	"postern/internal/store"
)

// world is an admin with a clock that the test moves.
type world struct {
	*admin.Admin
	clock time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	root, err := seal.Open(dir + "/root.key")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{clock: time.Now().Truncate(30 * time.Second)}
	st, err := store.Open(t.Context(), store.Options{Folder: dir, AuditKey: root.Derive("audit"), Now: func() time.Time { return w.clock }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w.Admin = &admin.Admin{Store: st, Root: root, Actor: "test", Now: func() time.Time { return w.clock }}
	return w
}

const good = "correct horse battery"

var browser = admin.Visitor{Address: netip.MustParseAddr("192.0.2.1"), Agent: "test"}

// owner makes the first owner with a second factor.
func (w *world) owner(t *testing.T) (token, secret string, recovery []string) {
	t.Helper()
	ctx := t.Context()
	boot, err := w.Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	token, s, err := w.FirstOwner(ctx, boot, "Ann@Example.com", good, browser)
	if err != nil {
		t.Fatal(err)
	}
	f, err := w.NewFactor(s.Email, "Postern")
	if err != nil {
		t.Fatal(err)
	}
	recovery, err = w.SetFactor(ctx, s.Email, f.Secret, w.code(t, f.Secret), s.Hash)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err = w.Renew(ctx, s, browser)
	if err != nil {
		t.Fatal(err)
	}
	return token, f.Secret, recovery
}

func (w *world) code(t *testing.T, secret string) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, w.clock)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestTheFirstOwnerNeedsTheTokenOnce(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	first, err := w.Bootstrap(ctx)
	if err != nil || len(first) < 26 {
		t.Fatalf("token %q, %v", first, err)
	}
	second, err := w.Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, token, email, password string
		err                          string
	}{
		{"no token", "", "ann@example.com", good, "token"},
		{"a token voided by the next", first, "ann@example.com", good, "token"},
		{"no address", second, "ann", good, "not an e-mail address"},
		{"a short password", second, "ann@example.com", "short", "at least 12"},
		{"a password of the list", second, "ann@example.com", "Password123456", "tried first"},
		{"the address as password", second, "ann.smith@example.com", "ann.smith-2026!", "your address"},
		{"one letter", second, "ann@example.com", "aaaaaaaaaaaaaaaa", "repeats"},
	} {
		if _, _, err := w.FirstOwner(ctx, tt.token, tt.email, tt.password, browser); err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, s, err := w.FirstOwner(ctx, strings.ToLower(second), "ann@example.com", good, browser); err != nil || s.Stage != admin.StageEnrol {
		t.Fatalf("%v %v", s.Stage, err)
	}
	if _, _, err := w.FirstOwner(ctx, second, "eve@example.com", good, browser); !errors.Is(err, admin.ErrToken) {
		t.Errorf("used again: %v", err)
	}
	if token, err := w.Bootstrap(ctx); token != "" || err != nil {
		t.Errorf("a token although there is an owner: %q %v", token, err)
	}
}

func TestTheFirstOwnersTokenEnds(t *testing.T) {
	w := newWorld(t)
	token, err := w.Bootstrap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.clock = w.clock.Add(16 * time.Minute)
	if _, _, err := w.FirstOwner(t.Context(), token, "ann@example.com", good, browser); !errors.Is(err, admin.ErrToken) {
		t.Error(err)
	}
}

func TestSigningInNeedsBothFactorsAndEachCodeCountsOnce(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	_, secret, recovery := w.owner(t)
	w.clock = w.clock.Add(time.Minute)
	pending, s, err := w.SignIn(ctx, " ANN@example.com", good, browser)
	if err != nil || s.Stage != admin.StageFactor {
		t.Fatalf("%v %v", s.Stage, err)
	}
	code := w.code(t, secret)
	in, s, err := w.Prove(ctx, pending, code, browser)
	if err != nil || s.Stage != admin.StageIn || in == pending {
		t.Fatalf("stage %v, a new token: %v, %v", s.Stage, in != pending, err)
	}
	if _, _, err := w.Session(ctx, pending); !errors.Is(err, admin.ErrSignedOut) {
		t.Errorf("the token before the second factor: %v", err)
	}
	again, _, err := w.SignIn(ctx, "ann@example.com", good, browser)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Prove(ctx, again, code, browser); !errors.Is(err, admin.ErrCode) {
		t.Errorf("a code used twice: %v", err)
	}
	if _, _, err := w.Prove(ctx, again, strings.ToUpper(recovery[3]), browser); err != nil {
		t.Errorf("a recovery code: %v", err)
	}
	again, _, err = w.SignIn(ctx, "ann@example.com", good, browser)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Prove(ctx, again, recovery[3], browser); !errors.Is(err, admin.ErrCode) {
		t.Errorf("a recovery code used twice: %v", err)
	}
}

func TestGuessingIsSlowedDown(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.owner(t)
	for _, email := range []string{"ann@example.com", "nobody@example.com"} {
		for i := range 5 {
			if _, _, err := w.SignIn(ctx, email, "wrong", browser); !errors.Is(err, admin.ErrSignIn) {
				t.Fatalf("%s, try %d: %v", email, i, err)
			}
		}
		var wait *admin.WaitError
		if _, _, err := w.SignIn(ctx, email, good, browser); !errors.As(err, &wait) {
			t.Errorf("%s, after five: %v", email, err)
		}
	}
	w.clock = w.clock.Add(16 * time.Minute)
	if _, _, err := w.SignIn(ctx, "ann@example.com", good, browser); err != nil {
		t.Errorf("after a quarter of an hour: %v", err)
	}
	for i := range 20 {
		w.SignIn(ctx, string(rune('a'+i))+"@example.com", "wrong", browser)
	}
	var wait *admin.WaitError
	if _, _, err := w.SignIn(ctx, "ann@example.com", good, browser); !errors.As(err, &wait) {
		t.Errorf("an address that guesses at many accounts: %v", err)
	}
	other := admin.Visitor{Address: netip.MustParseAddr("192.0.2.99")}
	if _, _, err := w.SignIn(ctx, "ann@example.com", good, other); err != nil {
		t.Errorf("from another address: %v", err)
	}
}

func TestSessionsEndByThemselvesAndByHand(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, w *world, token string, s store.Session) error
		ends bool
	}{
		{"still in use", func(_ *testing.T, w *world, _ string, _ store.Session) error { return nil }, false},
		{"idle", func(_ *testing.T, w *world, _ string, _ store.Session) error {
			w.clock = w.clock.Add(admin.AdminIdle + time.Second)
			return nil
		}, true},
		{"in use for half a day", func(t *testing.T, w *world, token string, _ store.Session) error {
			for range 75 {
				w.clock = w.clock.Add(10 * time.Minute)
				w.Session(t.Context(), token)
			}
			return nil
		}, true},
		{"signed out", func(t *testing.T, w *world, _ string, s store.Session) error { return w.SignOut(t.Context(), s) }, true},
		{"role changed", func(t *testing.T, w *world, _ string, s store.Session) error {
			return w.SetRole(t.Context(), s.Email, "owner")
		}, true},
		{"invited anew", func(t *testing.T, w *world, _ string, s store.Session) error {
			_, _, err := w.Invite(t.Context(), s.Email)
			return err
		}, true},
		{"password changed here", func(t *testing.T, w *world, _ string, s store.Session) error {
			return w.ChangePassword(t.Context(), s, good, "another long password", browser)
		}, false},
		{"password changed elsewhere", func(t *testing.T, w *world, _ string, s store.Session) error {
			s.Hash = []byte("another session")
			return w.ChangePassword(t.Context(), s, good, "another long password", browser)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			token, _, _ := w.owner(t)
			s, _, err := w.Session(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.do(t, w, token, s); err != nil {
				t.Fatal(err)
			}
			if _, _, err := w.Session(t.Context(), token); errors.Is(err, admin.ErrSignedOut) != tt.ends {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestMalformedTokensAndHashesAreDenied(t *testing.T) {
	w := newWorld(t)
	for _, token := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("\x00", 43), strings.Repeat("A", 1<<20)} {
		if _, _, err := w.Session(t.Context(), token); !errors.Is(err, admin.ErrSignedOut) {
			t.Errorf("token of %d octets: %v", len(token), err)
		}
	}
	for i, hash := range []string{"x", "$argon2id$", "$argon2id$v=19$m=99999999,t=2,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=64,t=0,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=64,t=1,p=1$$"} {
		email := string(rune('a'+i)) + "@example.com"
		if err := w.Store.AddUser(context.Background(), store.User{ID: email, Email: email, Role: "owner", Password: hash}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.SignIn(t.Context(), email, "", browser); !errors.Is(err, admin.ErrSignIn) {
			t.Errorf("hash %q: %v", hash, err)
		}
	}
}

func TestTheLastOwnerStays(t *testing.T) {
	w := newWorld(t)
	w.owner(t)
	if err := w.SetDisabled(t.Context(), "ann@example.com", true); err == nil {
		t.Error("the last owner was disabled")
	}
	if err := w.SetRole(t.Context(), "ann@example.com", "auditor"); err == nil {
		t.Error("the last owner was made an auditor")
	}
	if _, err := w.AddUser(t.Context(), "bob@example.com", "", "owner"); err != nil {
		t.Fatal(err)
	}
	token, _, err := w.Invite(t.Context(), "bob@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Accept(t.Context(), "bob@example.com", "wrong", good, browser); !errors.Is(err, admin.ErrToken) {
		t.Error(err)
	}
	if _, s, err := w.Accept(t.Context(), "bob@example.com", token, good, browser); err != nil || s.Stage != admin.StageEnrol {
		t.Fatalf("%v %v", s.Stage, err)
	}
	if _, _, err := w.Accept(t.Context(), "bob@example.com", token, good, browser); !errors.Is(err, admin.ErrToken) {
		t.Errorf("an invitation used twice: %v", err)
	}
	if err := w.SetDisabled(t.Context(), "ann@example.com", true); err != nil {
		t.Error(err)
	}
	if _, _, err := w.SignIn(t.Context(), "ann@example.com", good, browser); !errors.Is(err, admin.ErrSignIn) {
		t.Errorf("a disabled user: %v", err)
	}
}

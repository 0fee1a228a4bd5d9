package admin

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

// How long a session lasts (safety.md §8).
const (
	AdminIdle    = 15 * time.Minute
	UserIdle     = 60 * time.Minute
	SessionLife  = 12 * time.Hour
	touchEvery   = 30 * time.Second
	bootstrapFor = 15 * time.Minute
	inviteFor    = 72 * time.Hour
)

// Stages of a session.
const (
	StageFactor = "factor" // the password was right, the second factor is to be given
	StageEnrol  = "enrol"  // a second factor must be set up first
	StageIn     = "in"
)

// Errors of signing in. None tells whether an account exists.
var (
	ErrSignIn    = mail.Refuse("the address or the password is not right")
	ErrSignedOut = mail.Refuse("not signed in")
	ErrToken     = mail.Refuse("this token is not right, was used before, or has ended")
)

// A WaitError means that too many sign-ins failed.
type WaitError struct{ Until time.Time }

func (e *WaitError) Error() string {
	return "too many sign-ins failed: wait some minutes, then try again"
}

// A Visitor is a browser.
type Visitor struct {
	Address netip.Addr
	Agent   string
	Known   string // what Known gave it, or anything else
}

// SignIn checks a password and begins a session; its stage says what is still to
// be proved. The error is ErrSignIn or a *WaitError.
func (a *Admin) SignIn(ctx context.Context, email, password string, v Visitor) (token string, s store.Session, err error) {
	email = strings.ToLower(strings.TrimSpace(email))
	try, err := a.try(ctx, "account", email, v)
	if err != nil {
		return "", s, err
	}
	u, err := a.Store.User(ctx, email)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", s, err
	}
	hash := u.Password
	if !known || hash == "" {
		hash = decoy // takes as long as for a user who exists
	}
	fits := passwordFits(hash, password)
	if !known || !fits || u.Password == "" || !u.DisabledAt.IsZero() {
		return "", s, errors.Join(ErrSignIn, try.failed(ctx))
	}
	if err := try.right(ctx); err != nil {
		return "", s, err
	}
	stage, err := a.nextStage(ctx, u)
	if err != nil {
		return "", s, err
	}
	return a.begin(ctx, u, stage, "password", v)
}

// nextStage is what a user still has to prove after the password.
func (a *Admin) nextStage(ctx context.Context, u store.User) (string, error) {
	has, err := a.hasFactor(ctx, u)
	if err != nil || has {
		return StageFactor, err
	}
	return StageEnrol, nil
}

// Prove takes the second factor and gives the session a new token. The error is
// ErrCode, ErrCodeLocked, a *WaitError or ErrSignedOut.
func (a *Admin) Prove(ctx context.Context, token, code string, v Visitor) (string, store.Session, error) {
	s, u, err := a.Session(ctx, token)
	if err != nil {
		return "", s, err
	}
	if s.Stage == StageEnrol {
		return "", s, ErrSignedOut
	}
	try, err := a.try(ctx, "factor", u.Email, v)
	if err != nil {
		return "", s, err
	}
	if err := a.prove(ctx, u.Email, code); err != nil {
		if errors.Is(err, ErrCode) || errors.Is(err, ErrCodeLocked) {
			return "", s, errors.Join(err, try.failed(ctx))
		}
		return "", s, err
	}
	if err := try.right(ctx); err != nil {
		return "", s, err
	}
	return a.Renew(ctx, s, v)
}

// Renew puts a fully proved session in the place of s, with a new token. A session
// that was proved before keeps its beginning, and so its end.
func (a *Admin) Renew(ctx context.Context, s store.Session, v Visitor) (string, store.Session, error) {
	u, err := a.Store.User(ctx, s.Email)
	if err != nil {
		return "", s, err
	}
	if err := a.Store.EndSession(ctx, s.Email, s.Hash, ""); err != nil {
		return "", s, err
	}
	if s.Stage != StageIn {
		return a.enter(ctx, u, s.How, v)
	}
	token, fresh := a.session(u, StageIn, s.How, v)
	fresh.ID, fresh.CreatedAt = s.ID, s.CreatedAt
	if err := a.Store.AddSession(ctx, fresh); err != nil {
		return "", fresh, err
	}
	return token, fresh, a.noteAs(ctx, u.Email, u.Tenant, "user.prove", u.Email, v.Address.String())
}

// enter begins a session of a user who has proved everything.
func (a *Admin) enter(ctx context.Context, u store.User, how string, v Visitor) (string, store.Session, error) {
	now := a.now()
	if err := a.Store.EditUser(ctx, u.Email, func(u *store.User) error { u.SignedInAt, u.FactorFails = now, 0; return nil }); err != nil {
		return "", store.Session{}, err
	}
	token, s, err := a.begin(ctx, u, StageIn, how, v)
	if err != nil {
		return "", s, err
	}
	if err := a.remember(ctx, u, s, v); err != nil {
		return "", s, err
	}
	return token, s, a.noteAs(ctx, u.Email, u.Tenant, "user.sign-in", u.Email, v.Address.String())
}

func (a *Admin) begin(ctx context.Context, u store.User, stage, how string, v Visitor) (string, store.Session, error) {
	token, s := a.session(u, stage, how, v)
	return token, s, a.Store.AddSession(ctx, s)
}

// session makes a session that is not kept yet.
func (a *Admin) session(u store.User, stage, how string, v Visitor) (string, store.Session) {
	var raw [32]byte
	rand.Read(raw[:])
	token := base64.RawURLEncoding.EncodeToString(raw[:])
	now := a.now()
	return token, store.Session{Hash: hashToken(token), ID: string(mail.NewID()), Email: u.Email, Stage: stage, CreatedAt: now, SeenAt: now, FreshAt: now,
		Address: v.Address.String(), Agent: cut(v.Agent, 200), How: how}
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte("session\x00" + token))
	return sum[:]
}

// Session is the session of a token and its user. The error is ErrSignedOut when
// it ended, was idle for too long, or the user may no longer sign in.
func (a *Admin) Session(ctx context.Context, token string) (store.Session, store.User, error) {
	if len(token) != 43 { // 256 bits in base64
		return store.Session{}, store.User{}, ErrSignedOut
	}
	return a.SessionByHash(ctx, hashToken(token))
}

// SessionByHash is Session for who kept the token's hash while a browser was away.
func (a *Admin) SessionByHash(ctx context.Context, hash []byte) (store.Session, store.User, error) {
	s, u, err := a.StillIn(ctx, hash)
	if now := a.now(); err == nil && now.Sub(s.SeenAt) > touchEvery {
		err = a.Store.TouchSession(ctx, s.Hash, now)
	}
	return s, u, err
}

// StillIn is SessionByHash for what happens without the person: it does not keep the
// session from ending.
func (a *Admin) StillIn(ctx context.Context, hash []byte) (store.Session, store.User, error) {
	s, err := a.Store.Session(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		err = ErrSignedOut
	}
	if err != nil {
		return s, store.User{}, err
	}
	u, err := a.Store.User(ctx, s.Email)
	if errors.Is(err, store.ErrNotFound) {
		err = ErrSignedOut
	}
	if err != nil {
		return s, u, err
	}
	now, idle := a.now(), AdminIdle
	if u.Role == "user" {
		idle = UserIdle
	}
	if !u.DisabledAt.IsZero() || now.Sub(s.SeenAt) > idle || now.Sub(s.CreatedAt) > SessionLife {
		return s, u, errors.Join(ErrSignedOut, a.Store.EndSession(ctx, s.Email, s.Hash, ""))
	}
	return s, u, nil
}

// FormToken proves that a form was ours: it is bound to the session.
func (a *Admin) FormToken(s store.Session) string {
	key := a.Root.Derive("form token")
	h := hmac.New(sha256.New, key[:])
	h.Write(s.Hash)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// SignOut ends a session.
func (a *Admin) SignOut(ctx context.Context, s store.Session) error {
	return a.Store.EndSession(ctx, s.Email, s.Hash, "")
}

// noteAs is note for somebody who is not signed in yet.
func (a *Admin) noteAs(ctx context.Context, actor, tenant, action, object, after string) error {
	as := *a
	as.Actor = actor
	return as.note(ctx, tenant, action, object, "", after)
}

// bootstrapSetting holds the one-time token that makes the first owner.
const bootstrapSetting = "bootstrap"

// Bootstrap makes a one-time token for the first owner, good for 15 minutes; ""
// when somebody can sign in already. A new token voids the one before.
func (a *Admin) Bootstrap(ctx context.Context) (token string, err error) {
	if needed, err := a.NeedsOwner(ctx); err != nil || !needed {
		return "", err
	}
	token = rand.Text() // 130 bits
	until := a.now().Add(bootstrapFor).UTC().Format(time.RFC3339)
	return token, a.Store.PutSetting(ctx, "", bootstrapSetting, []byte(until+" "+hashCode("bootstrap "+token)))
}

// NeedsOwner reports whether nobody can sign in yet.
func (a *Admin) NeedsOwner(ctx context.Context) (bool, error) {
	users, err := a.Store.Users(ctx, "")
	if err != nil {
		return false, err
	}
	for _, u := range users {
		if u.Password != "" {
			return false, nil
		}
	}
	return true, nil
}

// FirstOwner makes the first account, an owner of everything, with the token that
// Bootstrap gave, and signs it in. The error is ErrToken for a wrong token.
func (a *Admin) FirstOwner(ctx context.Context, token, email, password string, v Visitor) (string, store.Session, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	try, err := a.try(ctx, "setup", "", v)
	if err != nil {
		return "", store.Session{}, err
	}
	kept, err := a.Store.Setting(ctx, "", bootstrapSetting)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", store.Session{}, err
	}
	until, hash, _ := strings.Cut(string(kept), " ")
	end, err := time.Parse(time.RFC3339, until)
	given := hashCode("bootstrap " + strings.ToUpper(strings.TrimSpace(token)))
	if err != nil || a.now().After(end) || !hmac.Equal([]byte(hash), []byte(given)) {
		return "", store.Session{}, errors.Join(ErrToken, try.failed(ctx))
	}
	if err := try.right(ctx); err != nil {
		return "", store.Session{}, err
	}
	if mail.DomainOf(email) == "" {
		return "", store.Session{}, mail.Refuse("%q is not an e-mail address", email)
	}
	if err := checkPassword(password, email); err != nil {
		return "", store.Session{}, err
	}
	u := store.User{ID: string(mail.NewID()), Email: email, Role: "owner", Password: hashPassword(password), CreatedAt: a.now()}
	first, err := a.Store.FirstOwner(ctx, u)
	if err != nil {
		return "", store.Session{}, err
	}
	if !first {
		return "", store.Session{}, ErrToken
	}
	if err := a.Store.PutSetting(ctx, "", bootstrapSetting, nil); err != nil {
		return "", store.Session{}, err
	}
	if err := a.noteAs(ctx, email, "", "user.first-owner", email, "owner"); err != nil {
		return "", store.Session{}, err
	}
	return a.begin(ctx, u, StageEnrol, "password", v)
}

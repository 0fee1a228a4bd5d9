package admin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

const (
	linkFor     = 15 * time.Minute // that a sign-in link is good for
	linkAccount = 3                // links to one address within linkWindow
	linkAddress = 20               // links asked for from one browser's address
	linkProxy   = 500              // likewise from a proxy of ours, behind which everybody has its address
	linkWindow  = 15 * time.Minute
)

// PersonLink makes the token of a sign-in link for a recipient, or "" when none is
// to be sent: for an address in no enabled domain, one that no mail came for, or
// after too many. Whoever asked must be told the same each time, in the same time.
func (a *Admin) PersonLink(ctx context.Context, email string, v Visitor) (token string, p store.Person, err error) {
	addr := mail.FoldAddress(email)
	if addr == "" || len(addr) > 254 {
		return "", p, nil
	}
	now := a.now()
	limits := map[string]int{"link to " + addr: linkAccount, "link from " + v.Address.String(): linkAddress}
	if v.Address.IsLoopback() || v.Address.IsPrivate() {
		limits["link from "+v.Address.String()] = linkProxy
	}
	if ok, err := a.Store.Allow(ctx, now, now.Add(-linkWindow), limits, 1); err != nil || !ok {
		return "", p, err
	}
	d, err := a.Store.Domain(ctx, mail.DomainOf(addr))
	if errors.Is(err, store.ErrNotFound) || (err == nil && !d.Enabled) {
		return "", p, nil
	}
	if err != nil {
		return "", p, err
	}
	known, err := a.Store.KnowsRecipient(ctx, d.Tenant, addr)
	if err != nil || !known {
		return "", p, err
	}
	if p, err = a.Store.Person(ctx, d.Tenant, addr); err != nil {
		return "", p, err
	}
	token = newSecret()
	return token, p, a.Store.AddPersonLink(ctx, hashLink(token), d.Tenant, addr, now.Add(linkFor))
}

// newSecret is 256 random bits in base64.
func newSecret() string {
	var raw [32]byte
	rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

func hashLink(token string) []byte {
	sum := sha256.Sum256([]byte("person link\x00" + token))
	return sum[:]
}

func hashPerson(token string) []byte {
	sum := sha256.Sum256([]byte("person session\x00" + token))
	return sum[:]
}

// EnterPerson signs a recipient in with the token of a link, which counts once. The
// error is ErrToken.
func (a *Admin) EnterPerson(ctx context.Context, link string, v Visitor) (token string, x store.PersonSession, err error) {
	now := a.now()
	token = newSecret()
	x = store.PersonSession{Hash: hashPerson(token), ID: string(mail.NewID()), CreatedAt: now, SeenAt: now, Address: v.Address.String(), Agent: cut(v.Agent, 200)}
	err = a.Store.EnterPerson(ctx, hashLink(link), &x)
	if errors.Is(err, store.ErrNotFound) {
		err = ErrToken
	}
	if err != nil {
		return "", x, err
	}
	return token, x, a.noteAs(ctx, x.Addr, x.Tenant, "recipient.sign-in", x.Addr, v.Address.String())
}

// PersonSession is the session of a recipient's browser. The error is ErrSignedOut
// when it ended, was idle for too long, or the recipient's domain is off.
func (a *Admin) PersonSession(ctx context.Context, token string) (x store.PersonSession, err error) {
	if len(token) != 43 { // 256 bits in base64
		return x, ErrSignedOut
	}
	x, err = a.Store.PersonSession(ctx, hashPerson(token))
	if errors.Is(err, store.ErrNotFound) {
		err = ErrSignedOut
	}
	if err != nil {
		return x, err
	}
	now := a.now()
	d, err := a.Store.Domain(ctx, mail.DomainOf(x.Addr))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return x, err
	}
	if err != nil || !d.Enabled || d.Tenant != x.Tenant || now.Sub(x.SeenAt) > UserIdle || now.Sub(x.CreatedAt) > SessionLife {
		return x, errors.Join(ErrSignedOut, a.Store.EndPersonSessions(ctx, x.Tenant, x.Addr, x.Hash))
	}
	if now.Sub(x.SeenAt) > touchEvery {
		err = a.Store.TouchPersonSession(ctx, x.Hash, now)
		return x, err
	}
	return x, nil
}

// EndPersonSessions ends one session of a recipient, or all if hash is nil.
func (a *Admin) EndPersonSessions(ctx context.Context, tenant, addr string, hash []byte) error {
	return a.Store.EndPersonSessions(ctx, tenant, addr, hash)
}

package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"postern/internal/mail"
	"postern/internal/store"
)

// AskPasskey asks whoever is there for a passkey that signs in by itself: the
// device has to verify the person.
func (a *Admin) AskPasskey(site Site) (Challenge, error) {
	party, err := site.party()
	if err != nil {
		return Challenge{}, err
	}
	options, s, err := party.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return Challenge{}, fmt.Errorf("passkey: %w", err)
	}
	return a.challenge("passkey sign-in", options.Response, s)
}

// SignInByPasskey signs in whoever's passkey answered. The error is ErrPasskey,
// ErrCeremony, ErrCloned or a *WaitError.
func (a *Admin) SignInByPasskey(ctx context.Context, site Site, answer Answer, v Visitor) (string, store.Session, error) {
	var none store.Session
	try, err := a.try(ctx, "account", "", v) // no account: nobody guesses passkeys, and so nobody is kept out by guesses
	if err != nil {
		return "", none, err
	}
	u, err := a.checkPasskey(ctx, site, "passkey sign-in", answer, func(s webauthn.SessionData, party *webauthn.WebAuthn, parsed *protocol.ParsedCredentialAssertionData) (*holder, *webauthn.Credential, error) {
		var owner *holder
		_, cred, err := party.ValidatePasskeyLogin(func(rawID, handle []byte) (webauthn.User, error) {
			k, err := a.Store.Passkey(ctx, rawID)
			if err != nil {
				return nil, err
			}
			u, err := a.Store.User(ctx, k.Email)
			if err == nil && u.ID != string(handle) {
				err = ErrPasskey
			}
			if err != nil {
				return nil, err
			}
			owner, err = a.holder(ctx, u)
			return owner, err
		}, s, parsed)
		return owner, cred, err
	})
	if err == nil && !u.DisabledAt.IsZero() {
		err = ErrPasskey
	}
	if err != nil {
		try.email = u.Email
		return "", none, try.passkeyFailed(ctx, err)
	}
	if err := try.right(ctx); err != nil {
		return "", none, err
	}
	return a.enter(ctx, u, "passkey", v)
}

// AskPasskeyOf asks a user for one of the own passkeys as a second factor; ok is
// false when there is none, or this site can have none.
func (a *Admin) AskPasskeyOf(ctx context.Context, site Site, u store.User) (c Challenge, ok bool, err error) {
	party, err := site.party()
	if err != nil {
		return c, false, nil
	}
	h, err := a.holder(ctx, u)
	if err != nil || len(h.creds) == 0 {
		return c, false, err
	}
	options, s, err := party.BeginLogin(h, webauthn.WithUserVerification(protocol.VerificationPreferred))
	if err != nil {
		return c, false, fmt.Errorf("passkey: %w", err)
	}
	c, err = a.challenge("passkey of "+u.Email, options.Response, s)
	return c, err == nil, err
}

// ProveByPasskey takes a passkey as the second factor and gives the session a new
// token. The error is ErrPasskey, ErrCeremony, ErrCloned, a *WaitError or
// ErrSignedOut.
func (a *Admin) ProveByPasskey(ctx context.Context, site Site, token string, answer Answer, v Visitor) (string, store.Session, error) {
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
	_, err = a.checkPasskey(ctx, site, "passkey of "+u.Email, answer, func(s webauthn.SessionData, party *webauthn.WebAuthn, parsed *protocol.ParsedCredentialAssertionData) (*holder, *webauthn.Credential, error) {
		h, err := a.holder(ctx, u)
		if err != nil {
			return nil, nil, err
		}
		cred, err := party.ValidateLogin(h, s, parsed)
		return h, cred, err
	})
	if err != nil {
		return "", s, try.passkeyFailed(ctx, err)
	}
	if err := try.right(ctx); err != nil {
		return "", s, err
	}
	return a.Renew(ctx, s, v)
}

// validate is the library's check of one kind of answer.
type validate func(webauthn.SessionData, *webauthn.WebAuthn, *protocol.ParsedCredentialAssertionData) (*holder, *webauthn.Credential, error)

// checkPasskey opens an answer, has it checked, and keeps the passkey's counter.
func (a *Admin) checkPasskey(ctx context.Context, site Site, purpose string, answer Answer, check validate) (u store.User, err error) {
	party, err := site.party()
	if err != nil {
		return u, err
	}
	var s webauthn.SessionData
	if err := a.Recall(purpose, answer.Sealed, &s); err != nil {
		return u, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer.Response))
	if err != nil {
		return u, ErrPasskey
	}
	h, cred, err := check(s, party, parsed)
	if h != nil {
		u = h.user
	}
	if err != nil {
		return u, ErrPasskey
	}
	if err := a.Once(ctx, answer.Sealed); err != nil {
		return u, err
	}
	if cred.Authenticator.CloneWarning {
		return u, errors.Join(ErrCloned, a.Store.Raise(ctx, "passkey-copied", u.Tenant, mail.Say("A passkey of %s counts backwards: somebody may have a copy of it.", u.Email)))
	}
	body, err := a.sealPasskey(cred)
	if err != nil {
		return u, err
	}
	err = a.Store.UsePasskey(ctx, cred.ID, body, a.now())
	if errors.Is(err, store.ErrNotFound) {
		err = ErrPasskey
	}
	return u, err
}

// passkeyFailed notes a failure; what was only too slow or is a fault of ours is none.
func (t *try) passkeyFailed(ctx context.Context, err error) error {
	if !errors.Is(err, ErrPasskey) && !errors.Is(err, ErrCloned) {
		return errors.Join(err, t.right(ctx))
	}
	if t.email == "" {
		t.email = "unknown passkey"
	}
	return errors.Join(err, t.failed(ctx))
}

package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"postern/internal/mail"
	"postern/internal/store"
)

// A Site is the portal as browsers know it; passkeys are good for it alone.
type Site struct {
	Name   string // shown by the authenticator
	Host   string // without port; not an address, which browsers refuse
	Origin string // "https://portal.example.com"
}

// A Challenge asks a browser for a passkey.
type Challenge struct {
	Options string // JSON for navigator.credentials
	Sealed  string // comes back with the answer
}

// An Answer is what a browser says to a Challenge.
type Answer struct {
	Sealed   string
	Response string // JSON of the credential
}

const maxPasskeys = 20 // of one user

// Errors of passkeys.
var (
	ErrPasskey = mail.Refuse("this passkey is not known here, or it was removed")
	ErrCloned  = mail.Refuse("this passkey counts backwards, so somebody may have a copy of it: sign in another way, remove it from your account and set it up anew")
	ErrNoSite  = mail.Refuse("passkeys need the portal's address: set portal.url in the configuration")
)

func (s Site) party() (*webauthn.WebAuthn, error) {
	if s.Host == "" {
		return nil, ErrNoSite
	}
	return webauthn.New(&webauthn.Config{RPID: s.Host, RPDisplayName: s.Name, RPOrigins: []string{s.Origin}})
}

// holder is a user with passkeys, as the library asks for.
type holder struct {
	user  store.User
	creds []webauthn.Credential
}

func (h *holder) WebAuthnID() []byte                         { return []byte(h.user.ID) }
func (h *holder) WebAuthnName() string                       { return h.user.Email }
func (h *holder) WebAuthnDisplayName() string                { return h.user.Email }
func (h *holder) WebAuthnCredentials() []webauthn.Credential { return h.creds }

func (a *Admin) holder(ctx context.Context, u store.User) (*holder, error) {
	keys, err := a.Store.Passkeys(ctx, u.Email)
	if err != nil {
		return nil, err
	}
	h := &holder{user: u}
	for _, k := range keys {
		c, err := a.openPasskey(k)
		if err != nil {
			return nil, err
		}
		h.creds = append(h.creds, c)
	}
	return h, nil
}

func (a *Admin) sealPasskey(c *webauthn.Credential) ([]byte, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	return a.systemCipher("passkey").Seal(nil, nil, body, c.ID), nil
}

func (a *Admin) openPasskey(k store.Passkey) (c webauthn.Credential, err error) {
	body, err := a.systemCipher("passkey").Open(nil, nil, k.Body, k.ID)
	if err == nil {
		err = json.Unmarshal(body, &c)
	}
	if err != nil {
		return c, fmt.Errorf("passkey of %s cannot be read: %w", k.Email, err)
	}
	return c, nil
}

// hasFactor reports whether a user has any second factor.
func (a *Admin) hasFactor(ctx context.Context, u store.User) (bool, error) {
	if u.Factor != nil {
		return true, nil
	}
	keys, err := a.Store.Passkeys(ctx, u.Email)
	return len(keys) > 0, err
}

// challenge turns what the library begins into what a page holds.
func (a *Admin) challenge(purpose string, options any, s *webauthn.SessionData) (c Challenge, err error) {
	text, err := json.Marshal(options)
	if err != nil {
		return c, fmt.Errorf("passkey: %w", err)
	}
	c.Options = string(text)
	c.Sealed, err = a.Keep(purpose, s)
	return c, err
}

// NewPasskey asks the browser of a user for a new passkey.
func (a *Admin) NewPasskey(ctx context.Context, site Site, u store.User) (Challenge, error) {
	party, err := site.party()
	if err != nil {
		return Challenge{}, err
	}
	h, err := a.holder(ctx, u)
	if err != nil {
		return Challenge{}, err
	}
	var known []protocol.CredentialDescriptor
	for _, c := range h.creds {
		known = append(known, c.Descriptor())
	}
	options, s, err := party.BeginRegistration(h, webauthn.WithExclusions(known), webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
		ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationPreferred,
	}))
	if err != nil {
		return Challenge{}, fmt.Errorf("passkey: %w", err)
	}
	return a.challenge("new passkey "+u.Email, options.Response, s)
}

// AddPasskey keeps the passkey that a browser made, ends the user's other sessions
// and, if it is the first second factor, returns recovery codes, which are shown
// this once. The error is ErrCeremony, ErrPasskey, or says what is wrong.
func (a *Admin) AddPasskey(ctx context.Context, site Site, s store.Session, name string, answer Answer) (recovery []string, err error) {
	u, err := a.Store.User(ctx, s.Email)
	if err != nil {
		return nil, err
	}
	h, err := a.holder(ctx, u)
	if err != nil {
		return nil, err
	}
	if len(h.creds) >= maxPasskeys {
		return nil, mail.Refuse("an account has at most %d passkeys: remove one first", maxPasskeys)
	}
	cred, err := a.newCredential(ctx, site, h, answer)
	if err != nil {
		return nil, err
	}
	if name = strings.TrimSpace(cut(name, 60)); name == "" {
		name = "Passkey"
	}
	body, err := a.sealPasskey(cred)
	if err != nil {
		return nil, err
	}
	if err := a.Store.AddPasskey(ctx, store.Passkey{ID: cred.ID, Email: u.Email, Name: name, Body: body, CreatedAt: a.now()}); err != nil {
		return nil, err
	}
	if err := a.Store.EndSessions(ctx, u.Email, s.Hash); err != nil {
		return nil, err
	}
	if len(u.Recovery) == 0 {
		if recovery, err = a.RenewRecovery(ctx, u.Email); err != nil {
			return nil, err
		}
	}
	return recovery, a.note(ctx, u.Tenant, "user.passkey-add", u.Email, "", name)
}

func (a *Admin) newCredential(ctx context.Context, site Site, h *holder, answer Answer) (*webauthn.Credential, error) {
	party, err := site.party()
	if err != nil {
		return nil, err
	}
	var s webauthn.SessionData
	if err := a.Recall("new passkey "+h.user.Email, answer.Sealed, &s); err != nil {
		return nil, err
	}
	if err := a.Once(ctx, answer.Sealed); err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer.Response))
	if err != nil {
		return nil, ErrPasskey
	}
	cred, err := party.CreateCredential(h, s, parsed)
	if err != nil {
		return nil, ErrPasskey
	}
	return cred, nil
}

// RemovePasskey forgets a passkey of a user and ends the user's other sessions.
// The last second factor stays.
func (a *Admin) RemovePasskey(ctx context.Context, s store.Session, id []byte) error {
	u, err := a.Store.User(ctx, s.Email)
	if err != nil {
		return err
	}
	keys, err := a.Store.Passkeys(ctx, u.Email)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(keys, func(k store.Passkey) bool { return string(k.ID) == string(id) })
	if i < 0 {
		return store.ErrNotFound
	}
	if u.Factor == nil && len(keys) == 1 {
		return mail.Refuse("this is your only second factor: set up another one first")
	}
	if err := a.Store.RemovePasskey(ctx, u.Email, id); err != nil {
		return err
	}
	if err := a.Store.EndSessions(ctx, u.Email, s.Hash); err != nil {
		return err
	}
	return a.note(ctx, u.Tenant, "user.passkey-remove", u.Email, keys[i].Name, "")
}

package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"postern/internal/mail"
)

// Kind is how a Session gets its tokens.
type Kind string

const (
	Person      Kind = "person"      // somebody signed in; lasts as long as the refresh token
	Secret      Kind = "secret"      // the app registration's client secret
	Certificate Kind = "certificate" // the app registration's certificate
)

// A Session is a sign-in that can give access tokens. It is safe for concurrent
// use.
type Session struct {
	Kind    Kind
	Account string // user principal name of a person; "" for an app
	// Saved is told, if set, whenever the octets of Export changed because tokens
	// were renewed.
	Saved func()

	cfg    Config
	secret string // or the certificate with its key, PEM
	mu     sync.Mutex
	cache  []byte // of the library: access and refresh tokens
	public *public.Client
	app    *confidential.Client
	ended  bool
}

// ErrEnded means that the session was disconnected.
var ErrEnded = errors.New("signin: disconnected")

// WithSecret signs in as the app registration with a client secret. It asks for a
// token at once, so that a wrong secret shows here. The error is an *Error.
func WithSecret(ctx context.Context, cfg Config, secret string) (*Session, error) {
	return start(ctx, &Session{Kind: Secret, cfg: cfg, secret: secret})
}

// WithCertificate signs in as the app registration with a certificate: PEM with
// the certificate and its unencrypted private key. The error is an *Error.
func WithCertificate(ctx context.Context, cfg Config, pem []byte) (*Session, error) {
	return start(ctx, &Session{Kind: Certificate, cfg: cfg, secret: string(pem)})
}

func start(ctx context.Context, s *Session) (*Session, error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	token, err := s.Token(ctx, false)
	if err != nil {
		return nil, err
	}
	return s, s.checkTenant(token)
}

// open makes the library's client.
func (s *Session) open() error {
	if err := s.cfg.check(); err != nil {
		return err
	}
	var err error
	if s.Kind == Person && s.cfg.Secret == "" {
		var c public.Client
		c, err = public.New(s.cfg.ClientID, public.WithAuthority(s.cfg.authority()), public.WithCache((*store)(s)),
			public.WithHTTPClient(s.cfg.client()), public.WithInstanceDiscovery(!s.cfg.simulated()))
		s.public = &c
		return explain(err)
	}
	cred, err := s.credential()
	if err != nil {
		return err
	}
	c, err := confidential.New(s.cfg.authority(), s.cfg.ClientID, cred, confidential.WithCache((*store)(s)),
		confidential.WithHTTPClient(s.cfg.client()), confidential.WithInstanceDiscovery(!s.cfg.simulated()))
	s.app = &c
	return explain(err)
}

func (s *Session) credential() (confidential.Credential, error) {
	if s.Kind == Certificate {
		certs, key, err := confidential.CertFromPEM([]byte(s.secret), "")
		if err != nil {
			return confidential.Credential{}, problem("certificate", mail.Say("The certificate file could not be read: %s.", err), mail.Say("It must be PEM with the certificate and its unencrypted private key."))
		}
		cred, err := confidential.NewCredFromCert(certs, key)
		return cred, explain(err)
	}
	secret := s.secret
	if s.Kind == Person {
		secret = s.cfg.Secret
	}
	cred, err := confidential.NewCredFromSecret(secret)
	if err != nil {
		return cred, problem("secret", mail.Say("The client secret is empty."), mail.Say("Copy the secret's value (not its id) from the app registration."))
	}
	return cred, nil
}

// Token is an access token for Exchange Online, renewed when needed. fresh forgets
// the one in hand first. The error is an *Error, ErrEnded, or that of ctx.
func (s *Session) Token(ctx context.Context, fresh bool) (string, error) {
	s.mu.Lock()
	ended := s.ended
	if fresh {
		s.cache = without(s.cache, "AccessToken")
	}
	s.mu.Unlock()
	if ended {
		return "", ErrEnded
	}
	if s.Kind != Person {
		r, err := s.app.AcquireTokenByCredential(ctx, s.cfg.scopes())
		return r.AccessToken, explain(err)
	}
	return s.silent(ctx)
}

// silent renews a person's token without the person.
func (s *Session) silent(ctx context.Context) (string, error) {
	again := problem("sign-in-again", mail.Say("The sign-in has ended."), mail.Say("Connect again."))
	if s.app != nil {
		account, err := s.app.Account(ctx, s.accountID())
		if err != nil || account.IsZero() {
			return "", again
		}
		r, err := s.app.AcquireTokenSilent(ctx, s.cfg.scopes(), confidential.WithSilentAccount(account))
		return r.AccessToken, explain(err)
	}
	accounts, err := s.public.Accounts(ctx)
	if err != nil || len(accounts) == 0 {
		return "", again
	}
	r, err := s.public.AcquireTokenSilent(ctx, s.cfg.scopes(), public.WithSilentAccount(accounts[0]))
	return r.AccessToken, explain(err)
}

// accountID is the library's id of the one account in the cache.
func (s *Session) accountID() string {
	var c struct {
		Account map[string]struct {
			ID string `json:"home_account_id"`
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if json.Unmarshal(s.cache, &c) != nil {
		return ""
	}
	for _, a := range c.Account {
		return a.ID
	}
	return ""
}

// without drops one sort of token from the library's cache. Without access tokens
// the next one is made with the refresh token or the credential.
func without(b []byte, sort string) []byte {
	var c map[string]json.RawMessage
	if json.Unmarshal(b, &c) != nil {
		return nil
	}
	delete(c, sort)
	out, err := json.Marshal(c)
	if err != nil {
		return nil
	}
	return out
}

// checkTenant refuses a token of another tenant than was asked for.
func (s *Session) checkTenant(token string) error {
	c, err := Read(token)
	if err != nil {
		return nil // Exchange's tokens need not be readable by us
	}
	if s.Account == "" {
		s.Account = c.User
	}
	if guid(s.cfg.Tenant) && c.Tenant != "" && c.Tenant != s.cfg.Tenant {
		return problem("wrong-tenant", mail.Say("The sign-in was for another tenant (%s) than this one (%s).", c.Tenant, s.cfg.Tenant), mail.Say("Sign in with an administrator's account of the right organization."))
	}
	return nil
}

// End forgets every token and credential. What Microsoft's side still has to be
// told by a person, Revoke says.
func (s *Session) End() {
	s.mu.Lock()
	s.ended, s.cache, s.secret = true, nil, ""
	s.mu.Unlock()
}

// exported is a Session as octets.
type exported struct {
	Kind     Kind   `json:"kind"`
	Account  string `json:"account,omitempty"`
	Login    string `json:"login"`
	Scope    string `json:"scope"`
	Tenant   string `json:"tenant"`
	ClientID string `json:"client_id"`
	AppKey   string `json:"app_secret,omitempty"`
	Secret   string `json:"secret,omitempty"`
	Cache    []byte `json:"cache,omitempty"`
}

// Export is the session as octets, from which Restore makes it again. They hold
// credentials: seal them.
func (s *Session) Export() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, ErrEnded
	}
	b, err := json.Marshal(exported{s.Kind, s.Account, s.cfg.Login, s.cfg.Scope, s.cfg.Tenant, s.cfg.ClientID, s.cfg.Secret, s.secret, s.cache})
	if err != nil {
		return nil, fmt.Errorf("export sign-in: %w", err)
	}
	return b, nil
}

// Brief is Export without what renews a person's sign-in: it is good as long as the
// access token in hand, about an hour.
func (s *Session) Brief() ([]byte, error) {
	s.mu.Lock()
	whole := s.cache
	s.cache = without(whole, "RefreshToken")
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		if !s.ended {
			s.cache = whole
		}
		s.mu.Unlock()
	}()
	return s.Export()
}

// Restore makes a Session of Export's octets, without asking anybody. transport
// may be nil for the default.
func Restore(octets []byte, transport http.RoundTripper) (*Session, error) {
	var x exported
	if err := json.Unmarshal(octets, &x); err != nil {
		return nil, fmt.Errorf("restore sign-in: %w", err)
	}
	s := &Session{Kind: x.Kind, Account: x.Account, secret: x.Secret, cache: x.Cache,
		cfg: Config{Login: x.Login, Scope: x.Scope, Tenant: x.Tenant, ClientID: x.ClientID, Secret: x.AppKey, HTTP: transport}}
	return s, s.open()
}

// Tenant is the tenant that was signed in to.
func (s *Session) Tenant() string { return s.cfg.Tenant }

// store lets the library keep its cache in the session.
type store Session

func (s *store) Replace(_ context.Context, c cache.Unmarshaler, _ cache.ReplaceHints) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.cache
	if len(b) == 0 {
		b = []byte("{}")
	}
	return c.Unmarshal(b)
}

func (s *store) Export(_ context.Context, c cache.Marshaler, _ cache.ExportHints) error {
	b, err := c.Marshal()
	if err != nil {
		return err
	}
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return nil
	}
	changed := string(b) != string(s.cache)
	s.cache = b
	s.mu.Unlock()
	if changed && s.Saved != nil {
		s.Saved()
	}
	return nil
}

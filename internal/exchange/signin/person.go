package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/url"
	"strings"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"postern/internal/mail"
)

// A Pending is a sign-in that a person has begun in the browser. Keep it where
// only that person's session finds it, until the answer comes.
type Pending struct {
	URL      string `json:"url"` // to send the browser to
	State    string `json:"state"`
	Verifier string `json:"verifier"` // of PKCE (RFC 7636); secret
	Redirect string `json:"redirect"`
}

// Begin starts the authorization code flow with PKCE (RFC 7636, S256). redirect
// must be registered with the app.
func Begin(cfg Config, redirect string) (Pending, error) {
	if err := cfg.check(); err != nil {
		return Pending{}, err
	}
	p := Pending{State: random(), Verifier: random(), Redirect: redirect}
	sum := sha256.Sum256([]byte(p.Verifier))
	p.URL = cfg.endpoint("/oauth2/v2.0/authorize", url.Values{
		"client_id": {cfg.ClientID}, "response_type": {"code"}, "response_mode": {"query"}, "redirect_uri": {redirect}, "state": {p.State},
		"scope":          {strings.Join(append(cfg.scopes(), "openid", "profile", "offline_access"), " ")},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "prompt": {"select_account"},
	})
	return p, nil
}

// Finish takes the browser's answer and redeems its code. The error is an *Error.
func Finish(ctx context.Context, cfg Config, p Pending, query url.Values) (*Session, error) {
	if err := answered(p.State, query); err != nil {
		return nil, err
	}
	s := &Session{Kind: Person, cfg: cfg}
	if err := s.open(); err != nil {
		return nil, err
	}
	code := query.Get("code")
	if code == "" {
		return nil, problem("no-code", mail.Say("Microsoft's answer has no authorization code."), mail.Say("Connect again."))
	}
	if s.app != nil {
		r, err := s.app.AcquireTokenByAuthCode(ctx, code, p.Redirect, cfg.scopes(), confidential.WithChallenge(p.Verifier))
		if err != nil {
			return nil, explain(err)
		}
		s.Account = r.Account.PreferredUsername
		return s, s.checkTenant(r.AccessToken)
	}
	r, err := s.public.AcquireTokenByAuthCode(ctx, code, p.Redirect, cfg.scopes(), public.WithChallenge(p.Verifier))
	if err != nil {
		return nil, explain(err)
	}
	s.Account = r.Account.PreferredUsername
	return s, s.checkTenant(r.AccessToken)
}

// answered checks that an answer belongs to what was asked and is no refusal.
func answered(state string, query url.Values) error {
	if subtle.ConstantTimeCompare([]byte(state), []byte(query.Get("state"))) != 1 || state == "" {
		return problem("state", mail.Say("The answer does not belong to a sign-in that was begun here."), mail.Say("Connect again from the beginning, in one browser window."))
	}
	if e := query.Get("error"); e != "" {
		return explainText(e + ": " + query.Get("error_description"))
	}
	return nil
}

// A DeviceCode is what a person types in at another device.
type DeviceCode struct {
	Code    string    `json:"code"`
	URL     string    `json:"url"`
	Message string    `json:"message"` // Microsoft's own sentence
	Expires time.Time `json:"expires"`
}

// Device signs a person in with a code that he types in elsewhere. show is called
// once with the code; then Device waits until the person is done, the code
// expires, or ctx ends. The app registration must allow public client flows. The
// error is an *Error or that of ctx.
func Device(ctx context.Context, cfg Config, show func(DeviceCode)) (*Session, error) {
	cfg.Secret = "" // the flow is one of public clients
	s := &Session{Kind: Person, cfg: cfg}
	if err := s.open(); err != nil {
		return nil, err
	}
	dc, err := s.public.AcquireTokenByDeviceCode(ctx, cfg.scopes())
	if err != nil {
		return nil, explain(err)
	}
	show(DeviceCode{dc.Result.UserCode, dc.Result.VerificationURL, dc.Result.Message, dc.Result.ExpiresOn})
	r, err := dc.AuthenticationResult(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, explain(err)
	}
	s.Account = r.Account.PreferredUsername
	return s, s.checkTenant(r.AccessToken)
}

func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

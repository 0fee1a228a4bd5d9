package provider

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Errors of signing in at a provider, each a sentence for who tries.
var (
	ErrDown      = errors.New("the provider cannot be reached now: try again later, or sign in with your password")
	ErrState     = errors.New("this sign-in was begun in another window, took too long, or was done before: begin again")
	ErrDenied    = errors.New("the provider did not let you in: ask who runs it")
	ErrExchange  = errors.New("the provider did not take back its own code: begin again; if it stays so, an owner checks the client id and secret")
	ErrIssuer    = errors.New("the answer comes from another provider than the one that was asked: nobody is signed in")
	ErrAudience  = errors.New("the provider's answer was made for another program: an owner checks the client id")
	ErrExpired   = errors.New("the provider's answer is too old, or the clocks differ: begin again")
	ErrNonce     = errors.New("the provider's answer belongs to another sign-in: begin again")
	ErrSignature = errors.New("the provider's answer is not signed as it should be: nobody is signed in")
	ErrNotAgain  = errors.New("the provider did not ask who you are again: use another second factor")
)

// A Person is who a provider says somebody is.
type Person struct {
	Issuer   string
	Subject  string
	Email    string
	Verified *bool // whether the provider says that the address was verified; nil: it does not say
	Name     string
	Tenant   string // tid, of Microsoft Entra
	Groups   []string
	Methods  []string  // amr: how the person proved it (RFC 8176)
	ProvedAt time.Time // zero if not told
}

// Proved reports whether the provider says that it asked for more than a password.
func (p Person) Proved() bool {
	return slices.ContainsFunc(p.Methods, func(m string) bool {
		return slices.Contains([]string{"mfa", "otp", "hwk", "swk", "fpt", "face", "iris", "retina", "vbm", "sc"}, m)
	})
}

// Finish takes what the browser brought back and says who it is. again is as it was
// for Begin. The error is one of those above.
func (c *Client) Finish(ctx context.Context, trip Trip, back url.Values, again bool) (Person, error) {
	if subtle.ConstantTimeCompare([]byte(back.Get("state")), []byte(trip.State)) != 1 || trip.State == "" {
		return Person{}, ErrState
	}
	if iss := back.Get("iss"); iss != "" && iss != c.Issuer { // RFC 9207 §2.4
		return Person{}, ErrIssuer
	}
	if back.Has("error") {
		return Person{}, ErrDenied
	}
	p, err := c.discover(ctx)
	if err != nil {
		return Person{}, err
	}
	token, err := c.config(p).Exchange(c.context(ctx), back.Get("code"), oauth2.VerifierOption(trip.Verifier))
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) && refused.Response.StatusCode < 500 {
			return Person{}, fmt.Errorf("%w: %s", ErrExchange, refused.ErrorCode)
		}
		return Person{}, fmt.Errorf("%w: %w", ErrDown, err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return Person{}, ErrSignature
	}
	person, err := c.verify(ctx, p, raw, trip.Nonce)
	if err != nil {
		return Person{}, err
	}
	if again && (person.ProvedAt.IsZero() || c.now().Sub(person.ProvedAt) > freshEnough) {
		return Person{}, ErrNotAgain
	}
	return person, nil
}

// verify checks a token and reads it.
func (c *Client) verify(ctx context.Context, p *oidc.Provider, raw, nonce string) (Person, error) {
	verifier := p.VerifierContext(c.context(ctx), &oidc.Config{ClientID: c.ID, Now: func() time.Time { return c.now().Add(-clockLeeway) }})
	id, err := verifier.Verify(ctx, raw)
	if err != nil {
		return Person{}, explain(err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return Person{}, ErrNonce
	}
	var claims struct {
		Authorized string   `json:"azp"`
		Email      string   `json:"email"`
		Verified   flexBool `json:"email_verified"`
		Name       string   `json:"name"`
		Tenant     string   `json:"tid"`
		Methods    []string `json:"amr"`
		AuthTime   int64    `json:"auth_time"`
	}
	var all map[string]json.RawMessage
	if err := errors.Join(id.Claims(&claims), id.Claims(&all)); err != nil || id.Subject == "" {
		return Person{}, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if len(id.Audience) > 1 && claims.Authorized != c.ID { // OpenID Connect Core §3.1.3.7
		return Person{}, ErrAudience
	}
	person := Person{Issuer: id.Issuer, Subject: id.Subject, Email: strings.ToLower(claims.Email), Verified: claims.Verified.value, Name: claims.Name,
		Tenant: claims.Tenant, Groups: groups(all, c.Groups), Methods: claims.Methods}
	if claims.AuthTime > 0 {
		person.ProvedAt = time.Unix(claims.AuthTime, 0)
	}
	return person, nil
}

// explain says which check of a token failed.
func explain(err error) error {
	var expired *oidc.TokenExpiredError
	switch text := err.Error(); {
	case errors.As(err, &expired), strings.Contains(text, "nbf"):
		return ErrExpired
	case strings.Contains(text, "different provider"):
		return ErrIssuer
	case strings.Contains(text, "audience"):
		return ErrAudience
	case strings.Contains(text, "fetching keys"):
		return fmt.Errorf("%w: %w", ErrDown, err)
	}
	return fmt.Errorf("%w: %w", ErrSignature, err)
}

// groups reads a claim that is a list or one word.
func groups(all map[string]json.RawMessage, claim string) []string {
	if claim == "" {
		claim = defaultClaim
	}
	var list []string
	if json.Unmarshal(all[claim], &list) == nil {
		return list
	}
	var one string
	if json.Unmarshal(all[claim], &one) == nil && one != "" {
		return []string{one}
	}
	return nil
}

// flexBool is a bool that some providers write as a text.
type flexBool struct{ value *bool }

// UnmarshalJSON implements json.Unmarshaler; what is neither stays unsaid.
func (b *flexBool) UnmarshalJSON(text []byte) error {
	switch strings.Trim(string(text), `"`) {
	case "true":
		yes := true
		b.value = &yes
	case "false":
		no := false
		b.value = &no
	}
	return nil
}

package provider_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"postern/internal/provider"
	"postern/internal/providertest"
)

// walk goes to the provider as a browser does and returns what it brings back.
func walk(t *testing.T, to string) url.Values {
	t.Helper()
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	back, err := res.Location()
	if err != nil {
		t.Fatalf("the provider sent the browser nowhere: %s", res.Status)
	}
	return back.Query()
}

func newClient(p *providertest.Provider) *provider.Client {
	return &provider.Client{Issuer: p.Issuer(), ID: p.Client, Secret: p.Secret, Return: "https://portal.example/sign-in/provider/return"}
}

func TestAPersonIsRead(t *testing.T) {
	p := providertest.New(t)
	p.Claims = map[string]any{"sub": "1", "email": "Ann@Example.com", "email_verified": "true", "groups": []string{"a", "b"}, "amr": []string{"pwd", "otp"}, "tid": "t-1"}
	c := newClient(p)
	for range 2 { // the second time from what was discovered before
		trip, to, err := c.Begin(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Finish(t.Context(), trip, walk(t, to), false)
		if err != nil {
			t.Fatal(err)
		}
		if got.Subject != "1" || got.Email != "ann@example.com" || got.Verified == nil || !*got.Verified || len(got.Groups) != 2 || !got.Proved() || got.Tenant != "t-1" || got.ProvedAt.IsZero() {
			t.Errorf("%+v", got)
		}
		p.Rotate(t) // a key that is not known yet
	}
}

func TestWhatIsWrongIsRefusedInWords(t *testing.T) {
	set := func(name string, value any) func(map[string]any) {
		return func(m map[string]any) { m[name] = value }
	}
	for _, tt := range []struct {
		name  string
		spoil func(p *providertest.Provider, c *provider.Client, trip *provider.Trip, back url.Values)
		want  error
	}{
		{"mixed-up state", func(_ *providertest.Provider, _ *provider.Client, _ *provider.Trip, back url.Values) {
			back.Set("state", "another")
		}, provider.ErrState},
		{"no state", func(_ *providertest.Provider, _ *provider.Client, trip *provider.Trip, back url.Values) {
			back.Del("state")
			trip.State = ""
		}, provider.ErrState},
		{"the person said no", func(_ *providertest.Provider, _ *provider.Client, _ *provider.Trip, back url.Values) {
			back.Set("error", "access_denied")
		}, provider.ErrDenied},
		{"another issuer in the answer", func(_ *providertest.Provider, _ *provider.Client, _ *provider.Trip, back url.Values) {
			back.Set("iss", "https://evil.example")
		}, provider.ErrIssuer},
		{"a code that somebody made up", func(_ *providertest.Provider, _ *provider.Client, _ *provider.Trip, back url.Values) {
			back.Set("code", "x")
		}, provider.ErrExchange},
		{"another verifier", func(_ *providertest.Provider, _ *provider.Client, trip *provider.Trip, _ url.Values) {
			trip.Verifier = "of another browser, and long enough to be one"
		}, provider.ErrExchange},
		{"a wrong client secret", func(p *providertest.Provider, _ *provider.Client, _ *provider.Trip, _ url.Values) {
			p.Secret = "changed"
		}, provider.ErrExchange},
		{"another issuer in the token", func(p *providertest.Provider, _ *provider.Client, _ *provider.Trip, _ url.Values) {
			p.Spoil = set("iss", "https://evil.example")
		}, provider.ErrIssuer},
		{"another audience", func(p *providertest.Provider, _ *provider.Client, _ *provider.Trip, _ url.Values) {
			p.Spoil = set("aud", "someone")
		}, provider.ErrAudience},
		{"two audiences, authorized for the other", func(p *providertest.Provider, _ *provider.Client, _ *provider.Trip, _ url.Values) {
			p.Spoil = func(m map[string]any) { m["aud"], m["azp"] = []string{"postern", "someone"}, "someone" }
		}, provider.ErrAudience},
		{"another nonce", func(p *providertest.Provider, _ *provider.Client, _ *provider.Trip, _ url.Values) {
			p.Spoil = set("nonce", "x")
		}, provider.ErrNonce},
		{"no nonce", func(p *providertest.Provider, _ *provider.Client, _ *provider.Trip, _ url.Values) {
			p.Spoil = func(m map[string]any) { delete(m, "nonce") }
		}, provider.ErrNonce},
		{"expired", func(p *providertest.Provider, _ *provider.Client, _ *provider.Trip, _ url.Values) {
			p.Spoil = set("exp", time.Now().Add(-3*time.Minute).Unix())
		}, provider.ErrExpired},
		{"not valid yet", func(p *providertest.Provider, _ *provider.Client, _ *provider.Trip, _ url.Values) {
			p.Spoil = set("nbf", time.Now().Add(time.Hour).Unix())
		}, provider.ErrExpired},
		{"a clock that is a minute ahead", func(p *providertest.Provider, _ *provider.Client, _ *provider.Trip, _ url.Values) {
			p.Spoil = set("exp", time.Now().Add(-time.Minute).Unix())
		}, nil},
		{"no signature", func(p *providertest.Provider, _ *provider.Client, _ *provider.Trip, _ url.Values) { p.Alg = "none" }, provider.ErrSignature},
		{"signed with what everybody knows", func(p *providertest.Provider, _ *provider.Client, _ *provider.Trip, _ url.Values) { p.Alg = "HS256" }, provider.ErrSignature},
		{"signed with another key", func(p *providertest.Provider, _ *provider.Client, _ *provider.Trip, _ url.Values) {
			p.Alg = "other key"
		}, provider.ErrSignature},
		{"no subject", func(p *providertest.Provider, _ *provider.Client, _ *provider.Trip, _ url.Values) {
			p.Spoil = set("sub", "")
		}, provider.ErrSignature},
		{"down meanwhile", func(p *providertest.Provider, _ *provider.Client, _ *provider.Trip, _ url.Values) { p.Down = true }, provider.ErrDown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := providertest.New(t)
			c := newClient(p)
			trip, to, err := c.Begin(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			back := walk(t, to)
			p.Lock()
			tt.spoil(p, c, &trip, back)
			p.Unlock()
			if _, err := c.Finish(t.Context(), trip, back, false); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestACodeCountsOnce(t *testing.T) {
	p := providertest.New(t)
	c := newClient(p)
	trip, to, err := c.Begin(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	back := walk(t, to)
	if _, err := c.Finish(t.Context(), trip, back, false); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Finish(t.Context(), trip, back, false); !errors.Is(err, provider.ErrExchange) {
		t.Errorf("replayed: %v", err)
	}
}

func TestAProviderThatDoesNotAskAgainIsNoStepUp(t *testing.T) {
	p := providertest.New(t)
	p.Spoil = func(m map[string]any) { m["auth_time"] = time.Now().Add(-time.Hour).Unix() }
	c := newClient(p)
	trip, to, err := c.Begin(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	back := walk(t, to)
	if q := p.Asked[0]; q.Get("prompt") != "login" || q.Get("max_age") != "0" {
		t.Errorf("asked with %v", q)
	}
	if _, err := c.Finish(t.Context(), trip, back, true); !errors.Is(err, provider.ErrNotAgain) {
		t.Errorf("%v", err)
	}
}

func TestAProviderThatNamesItselfOtherwiseIsNotUsed(t *testing.T) {
	p := providertest.New(t)
	c := newClient(p)
	c.Issuer += "/"
	if _, _, err := c.Begin(t.Context(), false); !errors.Is(err, provider.ErrDown) {
		t.Errorf("%v", err)
	}
}

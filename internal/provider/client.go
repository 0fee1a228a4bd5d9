package provider

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"postern/internal/guard"
)

// Client is this portal at one provider. Its fields are not changed after the first
// call; it may be used by many goroutines.
type Client struct {
	Issuer string // exactly as the provider writes it into its tokens
	ID     string
	Secret string
	Return string           // where the provider sends the browser back to
	Groups string           // claim that lists groups; "groups" by default
	Now    func() time.Time // time.Now by default

	mu    sync.Mutex
	found *oidc.Provider
	at    time.Time
}

// A Trip is what has to be remembered while a browser is at the provider.
type Trip struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // PKCE (RFC 7636)
}

const (
	patience     = 10 * time.Second
	rediscover   = time.Hour // in which a provider's addresses may change
	maxAnswer    = 1 << 20   // octets
	clockLeeway  = 2 * time.Minute
	freshEnough  = 5 * time.Minute // since the provider asked for a password, when it was to ask again
	defaultClaim = "groups"
)

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// discover reads what the provider says of itself, once an hour. Its keys are read
// again by themselves when a token bears one that is not known.
func (c *Client) discover(ctx context.Context) (*oidc.Provider, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found != nil && c.now().Sub(c.at) < rediscover {
		return c.found, nil
	}
	found, err := oidc.NewProvider(c.context(ctx), c.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDown, err)
	}
	c.found, c.at = found, c.now()
	return found, nil
}

func (c *Client) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, c.http())
}

func (c *Client) config(p *oidc.Provider) *oauth2.Config {
	scopes := []string{oidc.ScopeOpenID, "email", "profile"}
	var offers struct {
		Scopes []string `json:"scopes_supported"`
	}
	if p.Claims(&offers) == nil && slices.Contains(offers.Scopes, defaultClaim) {
		scopes = append(scopes, defaultClaim) // others send groups without being asked, and refuse the word
	}
	return &oauth2.Config{ClientID: c.ID, ClientSecret: c.Secret, Endpoint: p.Endpoint(), RedirectURL: c.Return, Scopes: scopes}
}

// Begin is where to send a browser, and what to remember until it comes back. With
// again the provider is to ask for the password and factor anew. The error is
// ErrDown.
func (c *Client) Begin(ctx context.Context, again bool) (Trip, string, error) {
	p, err := c.discover(ctx)
	if err != nil {
		return Trip{}, "", err
	}
	trip := Trip{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	options := []oauth2.AuthCodeOption{oidc.Nonce(trip.Nonce), oauth2.S256ChallengeOption(trip.Verifier)}
	if again {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return trip, c.config(p).AuthCodeURL(trip.State, options...), nil
}

// http connects where an owner said that the provider is: private networks are
// meant, this machine only if the issuer is on it.
func (c *Client) http() *http.Client {
	local := false
	if u, err := url.Parse(c.Issuer); err == nil {
		addr, err := netip.ParseAddr(u.Hostname())
		local = u.Hostname() == "localhost" || (err == nil && addr.IsLoopback())
	}
	g := guard.Guard{Loopback: local, Private: true}
	dialer := &net.Dialer{Timeout: patience, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return g.Check(at, false)
	}}
	return &http.Client{
		Timeout:       patience,
		Transport:     bounded{&http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: patience, DisableKeepAlives: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bounded cuts answers off that are longer than any provider's.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, maxAnswer), res.Body}
	return res, nil
}

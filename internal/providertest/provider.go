// Package providertest is an OpenID Connect provider for tests. It behaves as a
// strict one does: codes count once and end, PKCE, redirect address and client
// secret are checked, and what a test spoils is only what it says.
package providertest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Provider runs on this machine until its test ends. Its exported fields may be
// changed between sign-ins, under Lock.
type Provider struct {
	sync.Mutex
	Client, Secret string
	Claims         map[string]any         // of the person who is signed in there; sub at least
	Spoil          func(m map[string]any) // changes the claims of the token before it is signed
	Alg            string                 // of the token's signature; "RS256" by default, "none", "HS256"
	Deny           bool                   // the person says no
	AddIssuer      string                 // sent back as iss (RFC 9207)
	Down           bool                   // answers no program; its own pages still show

	server *httptest.Server
	key    *rsa.PrivateKey
	kid    string
	codes  map[string]grant
	Asked  []url.Values // what came to the authorization endpoint
}

type grant struct {
	nonce, challenge, redirect string
	authTime                   time.Time
}

// New starts a provider at which sub "ann" is signed in.
func New(t testing.TB) *Provider {
	t.Helper()
	p := &Provider{Client: "postern", Secret: "s3cret of the client", Claims: map[string]any{"sub": "ann"}, codes: map[string]grant{}}
	p.Rotate(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.Lock()
		defer p.Unlock()
		if p.Down && r.URL.Path != "/authorize" {
			http.Error(w, "down for maintenance", http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.server.Close)
	return p
}

// Issuer is the provider's name in its tokens.
func (p *Provider) Issuer() string { return p.server.URL }

// Rotate makes a new signing key; the old one is forgotten.
func (p *Provider) Rotate(t testing.TB) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.Lock()
	defer p.Unlock()
	p.key, p.kid = key, rand.Text()
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{
		"issuer": p.server.URL, "authorization_endpoint": p.server.URL + "/authorize", "token_endpoint": p.server.URL + "/token", "jwks_uri": p.server.URL + "/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
		"scopes_supported": []string{"openid", "email", "profile", "groups"}, "code_challenge_methods_supported": []string{"S256"},
	})
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: p.kid, Algorithm: "RS256", Use: "sig"}}})
}

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.Asked = append(p.Asked, q)
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != p.Client || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("state") == "" {
		http.Error(w, "this request is not as OpenID Connect wants it", http.StatusBadRequest)
		return
	}
	v := url.Values{"state": {q.Get("state")}}
	if p.AddIssuer != "" {
		v.Set("iss", p.AddIssuer)
	}
	if p.Deny {
		v.Set("error", "access_denied")
	} else {
		code := rand.Text()
		p.codes[code] = grant{q.Get("nonce"), q.Get("code_challenge"), q.Get("redirect_uri"), time.Now()}
		v.Set("code", code)
	}
	back.RawQuery = v.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	client, secret, ok := r.BasicAuth()
	if !ok {
		client, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	} else {
		client, _ = url.QueryUnescape(client)
		secret, _ = url.QueryUnescape(secret)
	}
	if client != p.Client || secret != p.Secret {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	g, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code")) // once
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || time.Since(g.authTime) > time.Minute || g.redirect != r.PostFormValue("redirect_uri") || g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		refuse(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	now := time.Now()
	claims := map[string]any{"iss": p.server.URL, "aud": p.Client, "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(), "nonce": g.nonce, "auth_time": g.authTime.Unix()}
	for name, value := range p.Claims {
		claims[name] = value
	}
	if p.Spoil != nil {
		p.Spoil(claims)
	}
	id, err := p.sign(claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 600, "id_token": id})
}

// sign makes the token; with a spoiled Alg as an attacker would.
func (p *Provider) sign(claims map[string]any) (string, error) {
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	b64 := base64.RawURLEncoding.EncodeToString
	key := jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: p.kid}}
	switch p.Alg {
	case "none":
		return b64([]byte(`{"alg":"none"}`)) + "." + b64(body) + ".", nil
	case "HS256": // with the public key as the secret, which everybody knows
		key = jose.SigningKey{Algorithm: jose.HS256, Key: p.key.N.Bytes()}
	case "other key":
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return "", err
		}
		key.Key = jose.JSONWebKey{Key: other, KeyID: p.kid}
	}
	signer, err := jose.NewSigner(key, nil)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(body)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code})
}

package login

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A Server is login.microsoftonline.com for a few directories.
type Server struct {
	Directories []*Directory
	Key         func() *rsa.PrivateKey // signs tokens
	Now         func() time.Time       // nil for the clock
	Ask         bool                   // pages wait for a person to press a button; false approves at once
	Lifetime    time.Duration          // of access tokens; 0 means an hour

	mu      sync.Mutex
	grants  map[string]grant  // authorization codes and refresh tokens
	devices map[string]device // by device code
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Server) lifetime() time.Duration {
	if s.Lifetime > 0 {
		return s.Lifetime
	}
	return time.Hour
}

// directory is the tenant a path names. "organizations" and "common" lead to the
// first one that knows the app.
func (s *Server) directory(name, app string) (*Directory, *Fault) {
	for _, d := range s.Directories {
		if d.Named(name) {
			return d, nil
		}
	}
	if name == "organizations" || name == "common" {
		for _, d := range s.Directories {
			if _, ok := d.App(app); ok || app == "" {
				return d, nil
			}
		}
		return nil, fault(700016, app)
	}
	if !strings.ContainsAny(name, ".-") {
		return nil, fault(900023, name)
	}
	return nil, fault(90002, name)
}

// Handler serves every endpoint below /{tenant}/.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /common/discovery/instance", s.instance)
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", s.openID)
	mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", s.keys)
	mux.HandleFunc("GET /{tenant}/oauth2/v2.0/authorize", s.authorize)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/authorize", s.authorize)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", s.token)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/devicecode", s.deviceCode)
	mux.HandleFunc("GET /{tenant}/oauth2/v2.0/logout", s.logout)
	mux.HandleFunc("GET /{tenant}/v2.0/adminconsent", s.adminConsent)
	mux.HandleFunc("GET /{tenant}/adminconsent", s.adminConsent)
	mux.HandleFunc("GET /devicelogin", s.deviceLogin)
	mux.HandleFunc("POST /devicelogin", s.deviceLogin)
	return mux
}

// base is the address the caller used. A client library that insists on https may
// reach a plain listener through a transport that says so in X-Forwarded-Proto.
func base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	json.NewEncoder(w).Encode(v)
}

func (s *Server) instance(w http.ResponseWriter, r *http.Request) {
	at := r.URL.Query().Get("authorization_endpoint")
	tenant := "common"
	if parts := strings.Split(at, "/"); len(parts) > 3 {
		tenant = parts[3]
	}
	answer(w, map[string]any{"tenant_discovery_endpoint": base(r) + "/" + tenant + "/v2.0/.well-known/openid-configuration", "api-version": "1.1",
		"metadata": []any{map[string]any{"preferred_network": r.Host, "preferred_cache": r.Host, "aliases": []string{r.Host}}}})
}

func (s *Server) openID(w http.ResponseWriter, r *http.Request) {
	d, f := s.directory(r.PathValue("tenant"), "")
	if f != nil {
		s.refuse(w, f)
		return
	}
	tenant := base(r) + "/" + d.TenantID
	answer(w, map[string]any{
		"issuer": tenant + "/v2.0", "authorization_endpoint": tenant + "/oauth2/v2.0/authorize", "token_endpoint": tenant + "/oauth2/v2.0/token",
		"device_authorization_endpoint": tenant + "/oauth2/v2.0/devicecode", "end_session_endpoint": tenant + "/oauth2/v2.0/logout", "jwks_uri": tenant + "/discovery/v2.0/keys",
		"response_types_supported": []string{"code", "id_token"}, "response_modes_supported": []string{"query", "fragment", "form_post"}, "subject_types_supported": []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"scopes_supported": []string{"openid", "profile", "email", "offline_access"}, "cloud_instance_name": r.Host, "tenant_region_scope": "EU",
	})
}

func (s *Server) keys(w http.ResponseWriter, _ *http.Request) {
	pub := s.Key().PublicKey
	e := big.NewInt(int64(pub.E)).Bytes()
	answer(w, map[string]any{"keys": []any{map[string]string{"kty": "RSA", "use": "sig", "kid": keyID, "x5t": keyID, "alg": "RS256",
		"n": base64.RawURLEncoding.EncodeToString(pub.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(e)}}})
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if to := r.URL.Query().Get("post_logout_redirect_uri"); to != "" {
		http.Redirect(w, r, to, http.StatusFound)
		return
	}
	fmt.Fprintln(w, "You signed out of your account.")
}

func newID() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

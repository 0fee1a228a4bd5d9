package login

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A grant is what an authorization code or a refresh token stands for.
type grant struct {
	app, user, tenant string
	redirect          string
	challenge         string // PKCE S256
	scope             string
	at, expires       time.Time
	code              bool // authorization code: good once
	used              bool
}

// refreshLife is how long a refresh token lives unused (Microsoft: 90 days).
const refreshLife time.Duration = 90 * 24 * time.Hour

func (s *Server) put(g grant) string {
	key := "0." + strings.ReplaceAll(newID()+newID(), "-", "")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grants == nil {
		s.grants = map[string]grant{}
	}
	s.grants[key] = g
	return key
}

// token is the token endpoint.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.refuse(w, fault(900144, "grant_type"))
		return
	}
	id := r.PostForm.Get("client_id")
	d, f := s.directory(r.PathValue("tenant"), id)
	if f != nil {
		s.refuse(w, f)
		return
	}
	a, ok := d.App(id)
	if !ok {
		s.refuse(w, fault(700016, id))
		return
	}
	body, f := s.exchange(r, d, a)
	if f != nil {
		s.refuse(w, f)
		return
	}
	answer(w, body)
}

// exchange carries out one grant.
func (s *Server) exchange(r *http.Request, d *Directory, a App) (map[string]any, *Fault) {
	form := r.PostForm
	switch kind := form.Get("grant_type"); kind {
	case "client_credentials":
		// Microsoft's library asks for openid, profile and offline_access as well
		if !slices.Contains(strings.Fields(form.Get("scope")), Resource+"/.default") {
			return nil, fault(70011, form.Get("scope"))
		}
		if f := s.authenticate(r, a, false); f != nil {
			return nil, f
		}
		return s.appToken(r, d, a), nil
	case "authorization_code":
		if f := s.authenticate(r, a, true); f != nil {
			return nil, f
		}
		return s.redeem(r, d, a)
	case "refresh_token":
		if f := s.authenticate(r, a, true); f != nil {
			return nil, f
		}
		return s.refresh(r, d, a)
	case "urn:ietf:params:oauth:grant-type:device_code", "device_code":
		return s.pollDevice(r, d, a)
	case "":
		return nil, fault(900144, "grant_type")
	default:
		return nil, fault(70003, kind)
	}
}

// authenticate checks the client's credential; a public client may have none.
func (s *Server) authenticate(r *http.Request, a App, publicMay bool) *Fault {
	form := r.PostForm
	if token := form.Get("client_assertion"); token != "" {
		return s.assertion(a, token, base(r)+"/")
	}
	secret := form.Get("client_secret")
	if secret == "" {
		if publicMay && a.Public {
			return nil
		}
		return fault(7000218, "")
	}
	expired := false
	for _, k := range a.Secrets {
		if subtle.ConstantTimeCompare([]byte(k.Value), []byte(secret)) == 1 {
			if k.Expires.IsZero() || s.now().Before(k.Expires) {
				return nil
			}
			expired = true
		}
	}
	if expired {
		return fault(7000222, a.ClientID)
	}
	return fault(7000215, a.ClientID)
}

func (s *Server) claims(r *http.Request, d *Directory, a App) Claims {
	now := s.now()
	return Claims{Audience: Resource, Issuer: "https://sts.windows.net/" + d.TenantID + "/", IssuedAt: now.Unix(), NotYet: now.Unix(), Expires: now.Add(s.lifetime()).Unix(),
		Tenant: d.TenantID, App: a.ClientID, Object: object(d.TenantID, a.ClientID), Version: "1.0"}
}

// object is a directory object's id, the same for the same name.
func object(tenant, name string) string {
	h := sha256.Sum256([]byte(tenant + "/" + name))
	x := base64.RawURLEncoding.EncodeToString(h[:])
	return x[:8]
}

func (s *Server) appToken(r *http.Request, d *Directory, a App) map[string]any {
	c := s.claims(r, d, a)
	c.Type, c.WIDs = "app", wids(a.Roles)
	if a.AppRole {
		c.Roles = []string{ManageAsApp}
	}
	return map[string]any{"token_type": "Bearer", "expires_in": int(s.lifetime().Seconds()), "ext_expires_in": int(s.lifetime().Seconds()), "access_token": s.sign(c)}
}

// userToken is a token with refresh and id token for a signed-in user.
func (s *Server) userToken(r *http.Request, d *Directory, a App, u User, scope string) (map[string]any, *Fault) {
	if u.Fail != 0 {
		return nil, fault(u.Fail, u.UPN)
	}
	if !a.Consented {
		return nil, fault(65001, a.ClientID)
	}
	c := s.claims(r, d, a)
	c.Type, c.User, c.Scope, c.WIDs, c.Object = "user", u.UPN, Manage, wids(u.Roles), object(d.TenantID, u.UPN)
	body := map[string]any{"token_type": "Bearer", "scope": Resource + "/" + Manage + " " + Resource + "/.default", "expires_in": int(s.lifetime().Seconds()), "ext_expires_in": int(s.lifetime().Seconds()), "access_token": s.sign(c)}
	if strings.Contains(scope, "offline_access") {
		body["refresh_token"] = s.put(grant{app: a.ClientID, user: u.UPN, tenant: d.TenantID, scope: scope, at: s.now(), expires: s.now().Add(refreshLife)})
	}
	if strings.Contains(scope, "openid") || strings.Contains(scope, "profile") {
		now := s.now().Unix()
		body["id_token"] = s.sign(map[string]any{"aud": a.ClientID, "iss": base(r) + "/" + d.TenantID + "/v2.0", "iat": now, "nbf": now, "exp": c.Expires, "oid": c.Object, "sub": c.Object,
			"preferred_username": u.UPN, "name": u.UPN, "tid": d.TenantID, "ver": "2.0"})
		body["client_info"] = encode(map[string]string{"uid": c.Object, "utid": d.TenantID})
	}
	return body, nil
}

// redeem is the grant authorization_code with PKCE (RFC 7636).
func (s *Server) redeem(r *http.Request, d *Directory, a App) (map[string]any, *Fault) {
	code := r.PostForm.Get("code")
	s.mu.Lock()
	g, ok := s.grants[code]
	if ok && g.code {
		used := g
		used.used = true
		s.grants[code] = used
	}
	s.mu.Unlock()
	switch {
	case !ok || !g.code || !strings.EqualFold(g.app, a.ClientID) || g.tenant != d.TenantID:
		return nil, fault(70008, "")
	case g.used:
		return nil, fault(54005, "")
	case s.now().After(g.expires):
		return nil, fault(70008, "")
	case g.redirect != r.PostForm.Get("redirect_uri"):
		return nil, fault(50011, r.PostForm.Get("redirect_uri"))
	}
	if g.challenge != "" {
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		if base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge {
			return nil, fault(501481, "")
		}
	}
	u, _ := d.User(g.user)
	return s.userToken(r, d, a, u, g.scope)
}

func (s *Server) refresh(r *http.Request, d *Directory, a App) (map[string]any, *Fault) {
	s.mu.Lock()
	g, ok := s.grants[r.PostForm.Get("refresh_token")]
	s.mu.Unlock()
	switch {
	case !ok || g.code || !strings.EqualFold(g.app, a.ClientID):
		return nil, fault(70008, "")
	case s.now().After(g.expires):
		return nil, fault(700082, g.at.UTC().Format(time.RFC3339))
	case !d.revokedAt().Before(g.at):
		return nil, fault(50173, "")
	}
	u, ok := d.User(g.user)
	if !ok {
		return nil, fault(50034, g.user)
	}
	return s.userToken(r, d, a, u, g.scope)
}

// wids are the template ids of directory roles (Microsoft Entra built-in roles).
func wids(roles []string) []string {
	known := map[string]string{"Exchange Administrator": "29232cdf-9323-42fd-ade2-1d097af3e4de", "Global Administrator": "62e90394-69f5-4237-9190-012177145e10",
		"Security Administrator": "194ae4cb-b126-40b2-bd5b-6091b380977d", "Global Reader": "f2ef992c-3afb-46b9-b7cf-a126ee74c451", "Security Reader": "5d6b6bb7-de71-4623-b4af-96380a352509"}
	out := []string{}
	for _, r := range roles {
		if id := known[r]; id != "" {
			out = append(out, id)
		}
	}
	return out
}

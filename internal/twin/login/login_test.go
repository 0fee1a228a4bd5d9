package login_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"postern/internal/twin/login"
)

const (
	tenant string = "11111111-2222-4333-8444-555555555555"
	app    string = "aaaaaaaa-0000-4000-8000-000000000001"
	user   string = "admin@contoso.onmicrosoft.com"
	scope  string = login.Resource + "/.default"
)

var key = func() *rsa.PrivateKey { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k }()

// platform is a login server over https with one directory.
func platform(t *testing.T) (*login.Server, *login.Directory, *httptest.Server) {
	t.Helper()
	d := &login.Directory{TenantID: tenant, Domains: []string{"contoso.onmicrosoft.com"}}
	d.PutApp(login.App{ClientID: app, Secrets: []login.Secret{{Value: "good"}, {Value: "old", Expires: time.Now().Add(-time.Hour)}}, Redirects: []string{"http://localhost", "https://relay.example/callback"},
		Public: true, AppRole: true, Consented: true, Roles: []string{"Exchange Administrator"}})
	d.PutUser(login.User{UPN: user, Roles: []string{"Global Administrator"}})
	s := &login.Server{Directories: []*login.Directory{d}, Key: func() *rsa.PrivateKey { return key }}
	web := httptest.NewTLSServer(s.Handler())
	t.Cleanup(web.Close)
	return s, d, web
}

func post(t *testing.T, web *httptest.Server, path string, form url.Values) (int, map[string]any) {
	t.Helper()
	r, err := web.Client().PostForm(web.URL+path, form)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var m map[string]any
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, m
}

func TestMicrosoftsLibraryGetsAnAppTokenWithASecret(t *testing.T) {
	s, _, web := platform(t)
	cred, err := confidential.NewCredFromSecret("good")
	if err != nil {
		t.Fatal(err)
	}
	c, err := confidential.New(web.URL+"/"+tenant, app, cred, confidential.WithHTTPClient(web.Client()), confidential.WithInstanceDiscovery(false))
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.AcquireTokenByCredential(context.Background(), []string{scope})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := s.Verify(r.AccessToken)
	if err != nil || claims.Tenant != tenant || claims.App != app || len(claims.Roles) != 1 || len(claims.WIDs) != 1 {
		t.Error(claims, err)
	}
}

func TestMicrosoftsLibraryGetsAnAppTokenWithACertificate(t *testing.T) {
	_, d, web := platform(t)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "relay"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, _ := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	cert, _ := x509.ParseCertificate(der)
	get := func() error {
		cred, err := confidential.NewCredFromCert([]*x509.Certificate{cert}, key)
		if err != nil {
			return err
		}
		c, err := confidential.New(web.URL+"/"+tenant, app, cred, confidential.WithHTTPClient(web.Client()), confidential.WithInstanceDiscovery(false))
		if err != nil {
			return err
		}
		_, err = c.AcquireTokenByCredential(context.Background(), []string{scope})
		return err
	}
	if err := get(); err == nil || !strings.Contains(err.Error(), "AADSTS700027") {
		t.Error("an unknown certificate:", err)
	}
	a, _ := d.App(app)
	a.Certificates = []*x509.Certificate{cert}
	d.PutApp(a)
	if err := get(); err != nil {
		t.Error(err)
	}
}

func TestMicrosoftsLibrarySignsInByDeviceCode(t *testing.T) {
	s, _, web := platform(t)
	c, err := public.New(app, public.WithAuthority(web.URL+"/"+tenant), public.WithHTTPClient(web.Client()), public.WithInstanceDiscovery(false))
	if err != nil {
		t.Fatal(err)
	}
	dc, err := c.AcquireTokenByDeviceCode(context.Background(), []string{scope})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(dc.Result.Message, dc.Result.UserCode) {
		t.Error(dc.Result.Message)
	}
	r, err := dc.AuthenticationResult(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	claims, err := s.Verify(r.AccessToken)
	if err != nil || claims.User != user || claims.Scope != login.Manage {
		t.Error(claims, err)
	}
	if _, err := c.AcquireTokenSilent(context.Background(), []string{scope}, public.WithSilentAccount(r.Account)); err != nil {
		t.Error("silent:", err)
	}
}

// code goes through the sign-in page and returns the query it sends back.
func code(t *testing.T, web *httptest.Server, extra url.Values) url.Values {
	t.Helper()
	q := url.Values{"client_id": {app}, "redirect_uri": {"https://relay.example/callback"}, "response_type": {"code"}, "scope": {scope + " offline_access openid"}, "state": {"st"}}
	for k, v := range extra {
		q[k] = v
	}
	client := *web.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := client.Get(web.URL + "/" + tenant + "/oauth2/v2.0/authorize?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	u, err := url.Parse(r.Header.Get("Location"))
	if err != nil || u.Host != "relay.example" && u.Hostname() != "localhost" {
		t.Fatal(r.Status, r.Header)
	}
	return u.Query()
}

func TestTheAuthorizationCodeIsBoundToItsVerifierAndGoodOnce(t *testing.T) {
	_, d, web := platform(t)
	verifier := "a-long-and-random-verifier-0123456789"
	sum := sha256.Sum256([]byte(verifier))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	pkce := url.Values{"code_challenge": {challenge}, "code_challenge_method": {"S256"}}
	redeem := func(c, v, redirect string) (int, map[string]any) {
		return post(t, web, "/"+tenant+"/oauth2/v2.0/token", url.Values{"client_id": {app}, "client_secret": {"good"}, "grant_type": {"authorization_code"}, "code": {c}, "redirect_uri": {redirect}, "code_verifier": {v}})
	}
	back := code(t, web, pkce)
	if back.Get("state") != "st" {
		t.Error(back)
	}
	status, m := redeem(back.Get("code"), verifier, "https://relay.example/callback")
	if status != 200 || m["refresh_token"] == nil || m["id_token"] == nil {
		t.Fatal(status, m)
	}
	if _, m := redeem(back.Get("code"), verifier, "https://relay.example/callback"); !coded(m, 54005) {
		t.Error("twice:", m)
	}
	if _, m := redeem(code(t, web, pkce).Get("code"), "wrong", "https://relay.example/callback"); !coded(m, 501481) {
		t.Error("wrong verifier:", m)
	}
	if _, m := redeem(code(t, web, pkce).Get("code"), verifier, "http://localhost:1"); !coded(m, 50011) {
		t.Error("other redirect:", m)
	}
	refresh := url.Values{"client_id": {app}, "client_secret": {"good"}, "grant_type": {"refresh_token"}, "refresh_token": {m["refresh_token"].(string)}}
	if status, m := post(t, web, "/"+tenant+"/oauth2/v2.0/token", refresh); status != 200 {
		t.Error("refresh:", m)
	}
	d.Revoke(time.Now().Add(time.Second))
	if _, m := post(t, web, "/"+tenant+"/oauth2/v2.0/token", refresh); !coded(m, 50173) {
		t.Error("revoked:", m)
	}
}

func coded(m map[string]any, want int) bool {
	codes, _ := m["error_codes"].([]any)
	return len(codes) == 1 && int(codes[0].(float64)) == want
}

func TestErrorsCarryTheirAADSTSCode(t *testing.T) {
	app2 := func(change func(a *login.App)) func(*login.Directory) {
		return func(d *login.Directory) {
			a, _ := d.App(app)
			change(&a)
			d.PutApp(a)
		}
	}
	client := url.Values{"client_id": {app}, "client_secret": {"good"}, "grant_type": {"client_credentials"}, "scope": {scope}}
	with := func(kv ...string) url.Values {
		v := url.Values{}
		for k := range client {
			v[k] = client[k]
		}
		for i := 0; i < len(kv); i += 2 {
			v.Set(kv[i], kv[i+1])
		}
		return v
	}
	for _, tt := range []struct {
		name, tenant string
		form         url.Values
		set          func(*login.Directory)
		code         int
	}{
		{"a wrong secret", tenant, with("client_secret", "bad"), nil, 7000215},
		{"an expired secret", tenant, with("client_secret", "old"), nil, 7000222},
		{"no credential", tenant, with("client_secret", ""), nil, 7000218},
		{"an unknown application", tenant, with("client_id", "bbbbbbbb-0000-4000-8000-000000000001"), nil, 700016},
		{"an unknown tenant", "99999999-8888-4777-8666-555555555555", client, nil, 90002},
		{"no tenant's name", "nonsense", client, nil, 900023},
		{"a wrong scope", tenant, with("scope", "https://graph.microsoft.com/.default"), nil, 70011},
		{"a grant there is not", tenant, with("grant_type", "password"), nil, 70003},
		{"no grant", tenant, with("grant_type", ""), nil, 900144},
		{"an unknown refresh token", tenant, with("grant_type", "refresh_token", "refresh_token", "x"), nil, 70008},
		{"an unknown device code", tenant, with("grant_type", "device_code", "device_code", "x"), nil, 70020},
		{"a bad assertion", tenant, with("client_assertion", "a.b.c"), app2(func(a *login.App) {}), 700027},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, d, web := platform(t)
			if tt.set != nil {
				tt.set(d)
			}
			status, m := post(t, web, "/"+tt.tenant+"/oauth2/v2.0/token", tt.form)
			if status < 400 || !coded(m, tt.code) || !strings.HasPrefix(m["error_description"].(string), "AADSTS") {
				t.Error(status, m)
			}
		})
	}
}

func TestWhatAUserMeets(t *testing.T) {
	redeem := func(t *testing.T, web *httptest.Server, c string) map[string]any {
		_, m := post(t, web, "/"+tenant+"/oauth2/v2.0/token", url.Values{"client_id": {app}, "client_secret": {"good"}, "grant_type": {"authorization_code"}, "code": {c}, "redirect_uri": {"https://relay.example/callback"}})
		return m
	}
	t.Run("no consent", func(t *testing.T) {
		_, d, web := platform(t)
		a, _ := d.App(app)
		a.Consented = false
		d.PutApp(a)
		if m := redeem(t, web, code(t, web, nil).Get("code")); !coded(m, 65001) {
			t.Error(m)
		}
	})
	t.Run("conditional access", func(t *testing.T) {
		_, d, web := platform(t)
		d.PutUser(login.User{UPN: user, Fail: 53003})
		if back := code(t, web, nil); back.Get("error") != "access_denied" || !strings.Contains(back.Get("error_description"), "AADSTS53003") {
			t.Error(back)
		}
	})
	t.Run("the user presses Cancel", func(t *testing.T) {
		_, d, web := platform(t)
		d.PutUser(login.User{UPN: user, Denies: true})
		if back := code(t, web, nil); back.Get("error") != "access_denied" || !strings.Contains(back.Get("error_description"), "65004") {
			t.Error(back)
		}
	})
	t.Run("an administrator consents for everybody", func(t *testing.T) {
		_, d, web := platform(t)
		a, _ := d.App(app)
		a.Consented, a.AppRole = false, false
		d.PutApp(a)
		client := *web.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		r, err := client.Get(web.URL + "/organizations/v2.0/adminconsent?" + url.Values{"client_id": {app}, "scope": {scope}, "redirect_uri": {"https://relay.example/callback"}, "state": {"st"}}.Encode())
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(r.Header.Get("Location"))
		if q := u.Query(); q.Get("admin_consent") != "True" || q.Get("tenant") != tenant || q.Get("state") != "st" {
			t.Error(r.Status, q)
		}
		if a, _ := d.App(app); !a.Consented || !a.AppRole {
			t.Error("not consented")
		}
	})
	t.Run("a redirect address that is not registered is never used", func(t *testing.T) {
		_, _, web := platform(t)
		client := *web.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		r, err := client.Get(web.URL + "/" + tenant + "/oauth2/v2.0/authorize?" + url.Values{"client_id": {app}, "redirect_uri": {"https://evil.example/"}}.Encode())
		if err != nil || r.StatusCode != 400 || r.Header.Get("Location") != "" {
			t.Error(r.Status, err)
		}
	})
}
